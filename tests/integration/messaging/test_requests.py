"""Requests over real NATS: typed in, typed out, refused with the place at fault, shared by instances."""

import asyncio
from collections.abc import AsyncIterator
from typing import ClassVar

import pytest
from nats.aio.client import Client as Connection
from pydantic import Field

from shared.contracts.api import Endpoint
from shared.contracts.commands import Answer, Command, Query, Refusal
from shared.eventlog.errors import UnknownOutcomeError
from shared.messaging.answers import Asked, Caller, CommandRouter
from shared.messaging.broker import create_broker
from shared.messaging.client import Client, UnansweredError
from shared.settings import Settings
from tests.harness.brokers import started
from tests.harness.nats import NatsServer
from tests.harness.waiting import until


class Inner(Command):
    """A part of a command."""

    NAME: ClassVar[str] = "inner"

    per_hour: int = Field(default=1, ge=1)


class Echo(Command):
    """Say it back."""

    NAME: ClassVar[str] = "test.echo"

    text: str = ""
    limits: Inner = Inner()


class Knock(Command):
    """What anybody may."""

    NAME: ClassVar[str] = "test.knock"


class Mine(Command):
    """What everybody may who is known."""

    NAME: ClassVar[str] = "test.mine"


class Size(Query):
    """Return that many bytes."""

    NAME: ClassVar[str] = "test.size"

    bytes: int


ENDPOINTS = (
    Endpoint(Echo, "planner", "POST", "/echo", "send"),
    Endpoint(Size, "planner", "GET", "/size", "view"),
    Endpoint(Knock, "planner", "POST", "/knock", None),
    Endpoint(Mine, "planner", "POST", "/mine", "own"),
)


class Instance:
    """One instance of an echo service."""

    def __init__(self, server: NatsServer) -> None:
        self.callers: list[Caller] = []
        self.broker = create_broker(Settings(nats_url=server.url), "echo")
        self.audited: list[tuple[Asked, Answer]] = []
        self._requests = CommandRouter("echo", endpoints=ENDPOINTS, audit=self.audit)
        self._requests.command(Echo)(self.echo)
        self._requests.query(Size)(self.size)
        self._requests.command(Knock)(self.done)
        self._requests.command(Mine)(self.done)
        self.broker.include_router(self._requests.router)

    async def echo(self, command: Echo, caller: Caller) -> Answer | Refusal:
        """Say it back, or fail in the way that is asked for."""
        self.callers.append(caller)
        if command.text == "no":
            return Refusal(code="not_wanted", message="No.")
        if command.text == "boom":
            raise RuntimeError("unforeseen")
        if command.text == "unknown":
            raise UnknownOutcomeError
        return Answer(ok=True, position=7, data={"text": command.text})

    async def audit(self, asked: Asked, answer: Answer) -> None:
        """Keep it; fail where the text says so."""
        self.audited.append((asked, answer))
        if asked.data.get("text") == "no audit":
            raise OSError("disk full")

    async def done(self, _: Command, caller: Caller) -> Answer | Refusal:
        """Say who asked."""
        return Answer(ok=True, data={"principal": caller.principal})

    async def size(self, query: Size, _caller: Caller) -> Answer | Refusal:
        """Return that many bytes."""
        return Answer(ok=True, data={"text": "x" * query.bytes})


@pytest.fixture
async def instance(nats_server: NatsServer) -> AsyncIterator[Instance]:
    """Yield a running instance."""
    running = Instance(nats_server)
    await started(running.broker)
    yield running
    await running.broker.stop()


@pytest.fixture
def client(nc: Connection) -> Client:
    """Return a client that asks as `operator`."""
    return Client(nc, "operator", seconds=5)


async def test_a_command_reaches_its_handler_typed(instance: Instance, client: Client) -> None:
    """The handler gets the model, who asked by the subject, and the key; its answer comes back."""
    answer = await client.command(Echo(text="hello"), key="k1")
    assert answer == Answer(ok=True, position=7, data={"text": "hello"})
    assert (instance.callers[0].principal, instance.callers[0].key) == ("operator", "k1")


async def test_the_same_body_has_the_same_digest(instance: Instance, client: Client) -> None:
    """The digest tells a repeated request from another one under the same key."""
    for text in ("a", "a", "b"):
        await client.command(Echo(text=text), key="k")
    first, second, third = (caller.digest for caller in instance.callers)
    assert first == second != third


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b'{"data": {"limits": {"per_hour": 0}}}', "limits.per_hour"),
        (b'{"data": {"txet": "typo"}}', "txet"),
        (b'{"at_least": "soon"}', "at_least"),
        (rb'{"data": {"text": "a\u0000b"}}', "text"),
        (b"not json", ""),
        (b"[]", ""),
    ],
)
async def test_a_body_that_does_not_fit_is_refused_with_its_field(
    instance: Instance, nc: Connection, body: bytes, field: str
) -> None:
    """The refusal names the path; no handler is called."""
    answer = Answer.model_validate_json((await nc.request("cmd.operator.test.echo", body, timeout=5)).data)
    assert answer.refusal is not None
    assert (answer.ok, answer.refusal.code, answer.refusal.field) == (False, "invalid", field)
    assert instance.callers == []


@pytest.mark.usefixtures("instance")
@pytest.mark.parametrize(("text", "code"), [("no", "not_wanted"), ("boom", "internal"), ("unknown", "unknown_outcome")])
async def test_every_failure_is_answered(client: Client, text: str, code: str) -> None:
    """A refusal, an unforeseen error and an unknown outcome each have their code; nobody waits in vain."""
    answer = await client.command(Echo(text=text))
    assert answer.refusal is not None
    assert (answer.ok, answer.refusal.code) == (False, code)


async def asked_as(nc: Connection, user: str, name: str) -> str:
    """Ask in the name of a user; return the code of the refusal, "" where there is none."""
    answer = Answer.model_validate_json((await nc.request(name.replace("*", user), b"{}", timeout=5)).data)
    return answer.refusal.code if answer.refusal else ""


async def test_nobody_gets_past_a_permission_they_lack(instance: Instance, nc: Connection) -> None:
    """A known user without it is forbidden, an unknown one is unauthenticated; no handler is called."""
    assert await asked_as(nc, "sender", "cmd.*.test.echo") == "forbidden"
    assert await asked_as(nc, "stranger", "cmd.*.test.echo") == "unauthenticated"
    assert await asked_as(nc, "sender", "query.*.test.size") == "forbidden"
    assert instance.callers == []
    assert await asked_as(nc, "producer", "cmd.*.test.echo") == ""


@pytest.mark.usefixtures("instance")
async def test_what_needs_no_permission_may_be_asked(nc: Connection) -> None:
    """Anybody may knock; what is one's own needs somebody who is known, with whatever permissions."""
    assert await asked_as(nc, "stranger", "cmd.*.test.knock") == ""
    assert await asked_as(nc, "stranger", "cmd.*.test.mine") == "unauthenticated"
    assert await asked_as(nc, "sender", "cmd.*.test.mine") == ""


async def test_every_command_is_audited_with_what_came_of_it(instance: Instance, nc: Connection) -> None:
    """Done, refused, forbidden, unforeseen; queries are not, and an audit that fails costs no answer."""
    client = Client(nc, "operator", seconds=5)
    for text in ("fine", "no", "boom", "no audit"):
        await client.command(Echo(text=text))
    await asked_as(nc, "sender", "cmd.*.test.echo")
    await client.query(Size(bytes=1))
    outcomes = [answer.refusal.code if answer.refusal else "ok" for _, answer in instance.audited]
    assert outcomes == ["ok", "not_wanted", "internal", "ok", "forbidden"]
    assert {asked.via for asked, _ in instance.audited} == {"nats"}


async def test_a_router_has_no_handler_without_a_row() -> None:
    """What has no row among the endpoints, and so no permission, cannot be registered."""
    with pytest.raises(KeyError):
        CommandRouter("echo").command(Echo)(Instance.echo)  # type: ignore[arg-type]


@pytest.mark.usefixtures("instance")
async def test_an_answer_too_large_for_the_wire_is_refused(client: Client) -> None:
    """The caller learns it instead of waiting."""
    answer = await client.query(Size(bytes=1_100_000))
    assert answer.refusal is not None
    assert answer.refusal.code == "too_large"


async def test_instances_share_the_requests(instance: Instance, nats_server: NatsServer, client: Client) -> None:
    """Each request goes to one of two instances, and both work."""
    second = Instance(nats_server)
    await started(second.broker)
    try:
        for n in range(60):
            await client.command(Echo(text=str(n)))
        assert len(instance.callers) + len(second.callers) == 60
        assert instance.callers
        assert second.callers
    finally:
        await second.broker.stop()


async def test_a_request_while_nobody_listens_is_made_when_somebody_does(
    nats_server: NatsServer, client: Client
) -> None:
    """The client bridges the restart of a service."""
    asked = asyncio.create_task(client.command(Echo(text="late")))
    late = Instance(nats_server)
    await started(late.broker)
    try:
        assert (await asked).data == {"text": "late"}
    finally:
        await late.broker.stop()


async def test_a_bare_handler_gets_the_bytes_and_its_failure_is_logged(
    nats_server: NatsServer, nc: Connection, caplog: pytest.LogCaptureFixture
) -> None:
    """JSON is not guessed at, and what a handler did not foresee is not lost."""
    broker = create_broker(Settings(nats_url=nats_server.url), "bare")

    @broker.subscriber("bare.upper", queue="bare")
    async def upper(body: bytes) -> bytes:
        if body == b"0":
            raise RuntimeError("no zero")
        return body.upper()

    await started(broker)
    try:
        await broker._connection.flush()  # the server has heard of the subscription
        assert (await nc.request("bare.upper", b'{"a": 1}', timeout=5)).data == b'{"A": 1}'
        await nc.publish("bare.upper", b"0")
        await until(lambda: "no zero" in caplog.text)
    finally:
        await broker.stop()


async def test_nobody_there_is_said(nc: Connection) -> None:
    """Without a service the error says so, and carries the key."""
    with pytest.raises(UnansweredError) as caught:
        await Client(nc, "operator", seconds=0.3).command(Echo(), key="k9")
    assert (caught.value.reached, caught.value.key) == (False, "k9")


async def test_requests_go_on_after_a_restart_of_the_server(
    instance: Instance, nats_server: NatsServer, client: Client
) -> None:
    """Broker and client reconnect by themselves."""
    await asyncio.to_thread(nats_server.restart, kill=True)

    async def answered() -> bool:
        try:
            return (await client.command(Echo(text="again"))).ok
        except Exception:  # noqa: BLE001 - not yet connected: ask again
            return False

    await until(answered, 20)
    assert instance.callers
