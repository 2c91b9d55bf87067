"""Commands as spans: in the trace of their mailing, and in that of a caller who sends `traceparent`."""

from collections.abc import AsyncIterator, Iterator
from typing import Any, ClassVar

import pytest
from nats.aio.client import Client as Connection

from shared import tracing
from shared.contracts import subjects
from shared.contracts.commands import Answer, Command, Query, Refusal, Request
from shared.messaging.answers import Caller, CommandRouter
from shared.messaging.broker import create_broker
from shared.settings import Settings
from shared.tracing import Place, Span
from tests.harness.nats import NatsServer

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


class Recorded(list[Span]):
    """Keeps spans."""

    record = list.append

    def close(self) -> None:
        """Nothing is left to do."""


@pytest.fixture
def spans() -> Iterator[Recorded]:
    """Trace into a list."""
    recorded = Recorded()
    tracing.use(recorded)
    yield recorded
    tracing.turn_off()


@pytest.fixture(autouse=True)
async def service(nats_server: NatsServer) -> AsyncIterator[None]:
    """Answer those requests."""
    requests, broker = CommandRouter("traced"), create_broker(Settings(nats_url=nats_server.url), "traced")

    async def answer(request: Command | Query, _caller: Caller) -> Answer | Refusal:
        mailing = getattr(request, "mailing", "m1")
        if mailing == "m0":
            return Refusal(code="mailing_unknown", message="There is no such mailing.")
        if mailing == "m9":
            raise RuntimeError("unforeseen")
        return Answer(ok=True, data={"mailing": mailing})

    requests.command(Make)(answer)
    requests.command(Change)(answer)
    requests.query(Look)(answer)
    broker.include_router(requests.router)
    await broker.start()
    yield
    await broker.stop()


async def asked(nc: Connection, model: type[Command | Query], traceparent: str = "", **data: Any) -> None:  # noqa: ANN401 - any body
    """Ask as a program does that traces, or not."""
    subject = (subjects.command if issubclass(model, Command) else subjects.query)("operator", model.NAME)
    headers = {"traceparent": traceparent} if traceparent else None
    await nc.request(subject, Request(data=data).model_dump_json().encode(), timeout=10, headers=headers)


async def test_what_makes_a_mailing_is_the_root_of_its_trace(nc: Connection, spans: Recorded) -> None:
    """All later commands hang below it, refused ones too; queries leave no trace."""
    await asked(nc, Make)
    await asked(nc, Change, mailing="m1")
    await asked(nc, Change, mailing="m0")
    await asked(nc, Change, mailing="m9")
    await asked(nc, Look, mailing="m1")
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


async def test_a_caller_finds_its_command_in_its_own_trace(nc: Connection, spans: Recorded) -> None:
    """The command hangs below the caller's span and is linked with the mailing's trace, both ways."""
    await asked(nc, Change, CALLER, mailing="m1")
    theirs, ours = spans
    assert (theirs.name, theirs.place.trace, theirs.parent) == (Change.NAME, THEIRS.trace, THEIRS)
    assert (list(theirs.links), list(ours.links)) == ([ours.place], [THEIRS])


async def test_callers_are_recorded_whatever_share_is_chosen(nc: Connection, spans: Recorded) -> None:
    """A share of nothing records only what callers record; one that says it does not record is no caller."""
    tracing.use(spans, 0.0)
    await asked(nc, Change, mailing="m1")
    await asked(nc, Change, CALLER[:-1] + "0", mailing="m1")
    assert not spans
    await asked(nc, Change, CALLER, mailing="m1")
    assert [span.parent for span in spans] == [THEIRS]


async def test_a_caller_that_talks_nonsense_is_none(nc: Connection, spans: Recorded) -> None:
    """A header that is no `traceparent` changes nothing."""
    for header in ("x", CALLER.upper(), "00-" + "0" * 32 + CALLER[35:], "ff" + CALLER[2:], CALLER + CALLER):
        await asked(nc, Change, header, mailing="m1")
    assert [span.parent for span in spans] == [tracing.whole("m1")] * 5
