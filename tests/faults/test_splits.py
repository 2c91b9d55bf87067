"""Row 30: replies cut or merged at any byte give the same results."""

import asyncio

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.sender.smtp.connection import Connection
from services.sender.smtp.link import Capabilities
from services.sender.smtp.window import Result
from tests.faults.sending import Notes, free, mails, said
from tests.harness.smtp import Act, Options, Phase, ScriptedSmtp, Session

pytestmark = pytest.mark.asyncio(loop_scope="session")

NAMES = ("ok", "reject", "spam", "later", "full", "lines", "busy")
OUTCOMES = {
    "ok": (4, 250),
    "reject": (2, 550),
    "spam": (4, 554),
    "later": (4, 451),
    "full": (2, 552),
    "lines": (4, 250),
    "busy": (2, 450),
}


class Chopped(Connection):
    """A connection to which the network hands bytes in the pieces a test asks for."""

    def __init__(self, sizes: list[int], *, pipelining: bool) -> None:
        """Take the sizes of pieces, used in turn."""
        super().__init__("chopped", Capabilities(pipelining=pipelining))
        self._sizes = sizes or [1]
        self._piece = 0

    def data_received(self, data: bytes) -> None:
        """Hand on in pieces."""
        while data:
            size = self._sizes[self._piece % len(self._sizes)]
            self._piece += 1
            piece, data = data[:size], data[size:]
            super().data_received(piece)


async def _send(server: ScriptedSmtp, sizes: list[int], names: list[str], *, pipelining: bool) -> list[Result]:
    loop = asyncio.get_running_loop()
    greeted = loop.create_future()

    class Greeter(asyncio.Protocol):
        def data_received(self, data: bytes) -> None:
            if not greeted.done():
                greeted.set_result(data)

    transport, _ = await loop.create_connection(Greeter, "127.0.0.1", server.port)
    await greeted
    connection = Chopped(sizes, pipelining=pipelining)
    transport.set_protocol(connection)
    connection.connection_made(transport)
    results = await connection.send(mails(*names), free, Notes())
    connection.abort()
    return results


def _lines(session: Session, phase: Phase) -> Act | bytes | None:
    if phase == "dot" and session.recipient.startswith("lines"):
        return b"250-2.0.0 first line\r\n250-2.0.0 second\r\n250 2.0.0 Ok: queued as LINES12345\r\n"
    return None


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    names=st.lists(st.sampled_from(NAMES), min_size=1, max_size=8),
    sizes=st.lists(st.integers(1, 40), max_size=12),
    pipelining=st.booleans(),
    separate=st.booleans(),
)
async def test_30_replies_cut_at_any_byte_give_the_same_results(
    server: ScriptedSmtp, names: list[str], sizes: list[int], *, pipelining: bool, separate: bool
) -> None:
    """However the bytes of the replies come, each recipient gets its own outcome and text."""
    server.clear()
    server.script = _lines
    server.options = Options(pipelining=pipelining, separate=separate)
    results = await _send(server, sizes, names, pipelining=pipelining)
    assert said(results) == [OUTCOMES[name] for name in names]
    for name, result in zip(names, results, strict=True):
        if name == "lines":
            assert result.text == "first line second Ok: queued as LINES12345"
            assert result.queue_id == "LINES12345"


@pytest.mark.parametrize("pipelining", [True, False])
async def test_30_replies_byte_by_byte_over_the_network(server: ScriptedSmtp, *, pipelining: bool) -> None:
    """A server that writes single bytes gets the same results as one that writes whole replies."""

    def script(session: Session, phase: Phase) -> Act | bytes | None:
        del session
        if phase == "rcpt":
            return Act(b"250 2.1.5 Ok\r\n", trickle=True)
        return Act(b"250-2.0.0 one\r\n250 2.0.0 two\r\n", trickle=True) if phase == "dot" else None

    server.script = script
    server.options = Options(pipelining=pipelining)
    results = await _send(server, [4096], ["ok", "ok", "ok"], pipelining=pipelining)
    assert said(results) == [(4, 250)] * 3
    assert {result.text for result in results} == {"one two"}


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(noise=st.binary(min_size=1, max_size=200), phase=st.sampled_from(["mail", "rcpt", "data", "dot"]))
async def test_29_no_noise_breaks_the_bookkeeping(server: ScriptedSmtp, noise: bytes, phase: Phase) -> None:
    """Whatever a relay says instead of a reply, every mail has one result and only a dot can be in doubt."""
    server.clear()
    hit = Act(noise, then="close", accept=False)
    server.script = lambda session, at: hit if at == phase and session.count == 1 else None
    results = await _send(server, [7], ["ok", "ok", "ok"], pipelining=True)
    assert [result.index for result in results] == [0, 1, 2]
    assert results[0].phase == 4
    if phase != "dot":
        assert all(result.code or result.phase == 0 for result in results[1:])
