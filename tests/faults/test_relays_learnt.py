"""Rows 18, 26, 28, 32, 41: a line gets over stale, spent and misled connections by itself, and learns from them."""

import asyncio
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from services.sender.journal.journal import Journal
from services.sender.smtp.connection import Connection
from services.sender.smtp.habits import Habits
from services.sender.smtp.line import Line
from services.sender.smtp.reach import Address, reach
from services.sender.smtp.transport import Relay, connect
from tests.faults.sending import ACCOUNT, SHORT, Notes, free, mail, mails, said
from tests.harness.smtp import Act, Options, Phase, ScriptedSmtp, Session

pytestmark = pytest.mark.asyncio(loop_scope="session")

ACCEPTED = (4, 250)
LEFT = (0, 0)


@pytest.fixture
def habits() -> Habits:
    """Return what is known of the relay: nothing."""
    return Habits()


@pytest.fixture
def line(server: ScriptedSmtp, habits: Habits, tmp_path: Path) -> Iterator[Line]:
    """Yield a line to the server."""

    async def opened() -> Connection:
        return await connect(Relay("127.0.0.1", server.port, "none"), timeout=2, timeouts=SHORT, habits=habits)

    line = Line(opened, lambda: Journal.open(tmp_path, "test", 0), lambda: ACCOUNT)
    yield line
    line.journal.close()


async def sent(line: Line, count: int) -> list[tuple[int, int]]:
    """Send so many mails and return what became of them."""
    return said(await line.carry([mail(index) for index in range(count)], free, Notes()))


async def test_26_a_connection_that_went_stale_is_replaced_unseen(server: ScriptedSmtp, line: Line) -> None:
    """The relay closed what idled in the pool: the mails go over a fresh connection, each at its first try."""
    assert await sent(line, 1) == [ACCEPTED]
    for session in list(server.sessions):
        session.close()
    await asyncio.sleep(0.01)
    assert await sent(line, 3) == [ACCEPTED] * 3
    assert len(server.accepted) == 4
    await line.close()


@pytest.mark.parametrize("act", [Act(b"421 4.4.2 timeout\r\n", then="close"), Act(then="close"), Act(then="reset")])
async def test_26_so_is_one_that_ends_at_the_first_command(server: ScriptedSmtp, line: Line, act: Act) -> None:
    """421, EOF or a reset in reply to the first MAIL after a rest costs nobody anything."""
    assert await sent(line, 1) == [ACCEPTED]
    stale = next(iter(server.sessions)).number
    server.script = lambda session, phase: act if phase == "mail" and session.number == stale else None
    assert await sent(line, 3) == [ACCEPTED] * 3
    assert len(server.accepted) == 4
    await line.close()


async def test_26_a_relay_that_takes_nothing_is_not_asked_for_ever(server: ScriptedSmtp, line: Line) -> None:
    """A fresh connection that ends the same way is no stale one: the mails come back as not sent."""
    before = server.connections
    server.script = lambda _session, phase: Act(then="close") if phase == "mail" else None
    assert await sent(line, 3) == [LEFT] * 3
    assert server.connections == before + 1
    await line.close()


async def test_18_what_was_pipelined_behind_a_421_goes_first_on_the_next_connection(
    server: ScriptedSmtp, line: Line
) -> None:
    """The relay closes in the middle of a window: the mails behind it keep their order and go out at once."""

    def script(session: Session, phase: Phase) -> Act | None:
        closing = phase == "rcpt" and session.recipient.startswith("ok-2") and session.count == 2
        return Act(b"421 4.3.2 closing\r\n", then="close") if closing else None

    server.script = script
    results = said(await line.carry(mails(*["ok"] * 5), free, Notes()))
    assert results == [ACCEPTED, ACCEPTED, (2, 421), ACCEPTED, ACCEPTED]
    assert [entry.message_id for entry in server.accepted] == [f"<m{index}@example.com>" for index in (0, 1, 3, 4)]
    await line.close()


async def test_28_the_limit_of_messages_is_learnt_and_kept_before_the_relay_says_it(
    server: ScriptedSmtp, line: Line, habits: Habits
) -> None:
    """After two connections that ended alike, each is changed in time, with a goodbye; every mail goes out once."""
    dismissed: list[int] = []
    goodbyes: list[int] = []

    def script(session: Session, phase: Phase) -> Act | None:
        if phase == "mail" and session.count == 4:
            dismissed.append(session.number)
            return Act(b"421 4.7.0 too many messages in this connection\r\n", then="close")
        if phase == "quit":
            goodbyes.append(session.count)
        return None

    server.script = script
    assert await sent(line, 20) == [ACCEPTED] * 20
    assert len(dismissed) == 2
    assert habits.limit == 4
    assert goodbyes == [4, 4]
    assert await sent(line, 8) == [ACCEPTED] * 8
    assert len(dismissed) == 2
    assert len(server.accepted) == 28
    await line.close()


async def test_32_a_relay_that_loses_pipelined_commands_gets_one_at_a_time(
    server: ScriptedSmtp, line: Line, habits: Habits
) -> None:
    """PIPELINING is offered and broken: seen by the replies that do not come, remembered, and nobody is doubled."""
    server.options = Options(flushes=True)
    assert await sent(line, 3) == [LEFT] * 3
    assert not habits.pipelining
    assert await sent(line, 3) == [ACCEPTED] * 3
    assert len(server.accepted) == 3
    await line.close()


async def test_32_replies_lost_behind_a_message_are_noticed_too(
    server: ScriptedSmtp, line: Line, habits: Habits
) -> None:
    """Where only what follows a message is lost, its reply came and the replies to the next envelope did not."""
    lost: list[int] = []

    def script(session: Session, phase: Phase) -> Act | None:
        if phase == "mail" and session.count and not lost:
            lost.append(session.number)
        return Act() if session.number in lost and phase in ("mail", "rcpt", "data") else None

    server.script = script
    results = await line.carry([mail(index) for index in range(3)], free, Notes())
    assert said(results) == [ACCEPTED] * 3
    assert not habits.pipelining
    assert next(iter(server.sessions)).number not in lost
    await line.close()


async def test_32_a_relay_that_just_hangs_is_not_blamed(server: ScriptedSmtp, line: Line, habits: Habits) -> None:
    """Silence to everything says nothing of PIPELINING."""
    server.script = lambda _session, phase: Act(then="hang") if phase == "mail" else None
    assert await sent(line, 2) == [LEFT] * 2
    assert habits.pipelining
    await line.close()


async def test_the_guard_is_asked_again_before_a_mail_goes_over_another_connection(
    server: ScriptedSmtp, line: Line
) -> None:
    """What may not go any more stays here, though its first connection had begun it."""
    assert await sent(line, 1) == [ACCEPTED]
    hung_up = asyncio.Event()

    def script(_session: Session, phase: Phase) -> Act | None:
        if phase != "rcpt" or hung_up.is_set():
            return None
        hung_up.set()
        return Act(then="close")

    def guard(index: int) -> str | None:
        return "paused" if hung_up.is_set() and index == 6 else None

    server.script = script
    results = await line.carry([mail(5), mail(6)], guard, Notes())
    assert said(results) == [ACCEPTED, LEFT]
    assert results[1].reason == "paused"
    await line.close()


@pytest.fixture
def black_hole() -> Iterator[int]:
    """Yield a port that answers no connection: its backlog is full."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(0)
        fill = [socket.socket() for _ in range(4)]
        for sock in fill:
            sock.setblocking(False)
            sock.connect_ex(listening.getsockname())
        yield listening.getsockname()[1]
        for sock in fill:
            sock.close()


def at(*ports: int) -> list[Address]:
    """Return addresses as a resolver would."""
    return [(socket.AF_INET, ("127.0.0.1", port)) for port in ports]


async def test_41_a_dead_address_is_passed_over(server: ScriptedSmtp, black_hole: int, unused_tcp_port: int) -> None:
    """One address refuses, one never answers, the third is the relay: the connection comes about, and soon."""

    async def resolve(_host: str, _port: int) -> list[Address]:
        return at(unused_tcp_port, black_hole, server.port)

    began = asyncio.get_running_loop().time()
    with await reach("relay.example", 25, resolve=resolve, stagger=0.1) as sock:
        assert sock.getpeername()[1] == server.port
    assert asyncio.get_running_loop().time() - began < 10, "one that never answers is waited for, for minutes"


async def test_41_where_no_address_answers_the_last_error_tells_why(unused_tcp_port: int) -> None:
    """All dead is unreachable; no address at all, too."""

    async def resolve(_host: str, port: int) -> list[Address]:
        return at(unused_tcp_port, unused_tcp_port) if port else []

    with pytest.raises(ConnectionRefusedError):
        await reach("relay.example", 25, resolve=resolve)
    with pytest.raises(OSError, match="no address"):
        await reach("relay.example", 0, resolve=resolve)
