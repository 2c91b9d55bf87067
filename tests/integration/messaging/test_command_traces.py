"""Commands as spans: in the trace of their mailing, and in that of a caller who sends `traceparent`."""

from collections.abc import Iterator
from functools import partial
from typing import ClassVar

import pytest
from nats.aio.client import Client as Connection
from nats.errors import NoRespondersError

from shared import tracing
from shared.contracts import subjects
from shared.contracts.api import Endpoint
from shared.contracts.commands import Answer, Command, Query, Refusal, Request
from shared.messaging.answers import Asked, Caller, CommandRouter
from shared.messaging.broker import create_broker
from shared.messaging.principals import nats_principal
from shared.settings import Settings
from shared.tracing import Place, Span
from tests.harness.brokers import started
from tests.harness.nats import NatsServer
from tests.harness.spans import recorded
from tests.harness.waiting import until

CALLER = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
THEIRS = Place(int(CALLER[3:35], 16), int(CALLER[36:52], 16))


class Make(Command):
    """Bring a mailing into being."""

    NAME: ClassVar[str] = "test.make"


class Change(Command):
    """Do something to a mailing."""

    NAME: ClassVar[str] = "test.change"

    mailing: str


class Look(Query):
    """Look at a mailing."""

    NAME: ClassVar[str] = "test.look"

    mailing: str


ENDPOINTS = (
    Endpoint(Make, "planner", "POST", "/make", "create"),
    Endpoint(Change, "planner", "POST", "/change", "edit"),
    Endpoint(Look, "planner", "GET", "/look", "view"),
)


@pytest.fixture
def spans() -> Iterator[list[Span]]:
    """Trace into a list."""
    with recorded() as kept:
        yield kept


def requests() -> CommandRouter:
    """Return requests that are answered."""
    answered = CommandRouter("traced", endpoints=ENDPOINTS)

    async def answer(request: Make | Change | Look, _caller: Caller) -> Answer | Refusal:
        mailing = getattr(request, "mailing", "m1")
        if mailing == "m0":
            return Refusal(code="mailing_unknown", message="There is no such mailing.")
        if mailing == "m9":
            raise RuntimeError("unforeseen")
        return Answer(ok=True, data={"mailing": mailing})

    answered.command(Make)(answer)
    answered.command(Change)(answer)
    answered.query(Look)(answer)
    return answered


async def asked(model: type[Make | Change | Look], traceparent: str = "", **data: str) -> None:
    """Ask as a program does that traces, or not."""
    await requests().answer(Asked(model.NAME, data, nats_principal("operator"), traceparent=traceparent))


async def test_what_makes_a_mailing_is_the_root_of_its_trace(spans: list[Span]) -> None:
    """All later commands hang below it, refused ones too; queries leave no trace."""
    await asked(Make)
    await asked(Change, mailing="m1")
    await asked(Change, mailing="m0")
    await asked(Change, mailing="m9")
    await asked(Look, mailing="m1")
    made, changed, refused, broken = spans
    assert (made.place, made.parent) == (tracing.whole("m1"), None)
    assert (changed.place.trace, changed.parent) == (made.place.trace, made.place)
    assert changed.place.span != made.place.span
    assert (refused.parent, refused.what, refused.failed) == (
        tracing.whole("m0"),
        {"outcome": "mailing_unknown"},
        False,
    )
    assert (broken.what, broken.failed) == ({"outcome": "internal"}, True)


async def test_a_caller_finds_its_command_in_its_own_trace(spans: list[Span]) -> None:
    """The command hangs below the caller's span and is linked with the mailing's trace, both ways."""
    await asked(Change, CALLER, mailing="m1")
    theirs, ours = spans
    assert (theirs.name, theirs.place.trace, theirs.parent) == (Change.NAME, THEIRS.trace, THEIRS)
    assert (list(theirs.links), list(ours.links)) == ([ours.place], [THEIRS])


async def test_callers_are_recorded_whatever_share_is_chosen() -> None:
    """A share of nothing records only what callers record; one that says it does not record is no caller."""
    with recorded(0.0) as spans:
        await asked(Change, mailing="m1")
        await asked(Change, CALLER[:-1] + "0", mailing="m1")
        assert not spans
        await asked(Change, CALLER, mailing="m1")
    assert [span.parent for span in spans] == [THEIRS]


async def test_a_caller_that_talks_nonsense_is_none(spans: list[Span]) -> None:
    """A header that is no `traceparent` changes nothing."""
    for header in ("x", CALLER.upper(), "00-" + "0" * 32 + CALLER[35:], "ff" + CALLER[2:], CALLER + CALLER):
        await asked(Change, header, mailing="m1")
    assert [span.parent for span in spans] == [tracing.whole("m1")] * 5


async def test_on_nats_the_place_of_the_caller_is_a_header(
    nats_server: NatsServer, nc: Connection, spans: list[Span]
) -> None:
    """As OpenTelemetry has it for messages; a request without headers is traced as well."""
    broker = create_broker(Settings(nats_url=nats_server.url), "traced")
    broker.include_router(requests().router)
    await started(broker)
    try:
        subject, body = subjects.command("operator", Change.NAME), Request(data={"mailing": "m1"}).model_dump_json()
        for headers in ({"traceparent": CALLER}, None):
            await until(partial(_answered, nc, subject, body.encode(), headers))
    finally:
        await broker.stop()
    assert [span.parent for span in spans] == [THEIRS, tracing.whole("m1"), tracing.whole("m1")]


async def _answered(nc: Connection, subject: str, body: bytes, headers: dict[str, str] | None) -> bool:
    try:
        await nc.request(subject, body, timeout=10, headers=headers)
    except NoRespondersError:  # the server does not know of the subscription yet
        return False
    return True
