"""Windows of mails on a connection: guards, pacing, several windows, and callbacks that fail."""

import asyncio
import time

import pytest

from services.sender.smtp.habits import End
from services.sender.smtp.link import Timeouts
from services.sender.smtp.window import Result
from tests.faults.sending import Notes, free, mail, mails, open_to, said
from tests.harness.smtp import Act, Options, Phase, ScriptedSmtp, Session
from tests.harness.waiting import until

pytestmark = pytest.mark.asyncio(loop_scope="session")

ACCEPTED = (4, 250)
LEFT = (0, 0)
BOTH = pytest.mark.parametrize("pipelining", [True, False])


class Gate:
    """A guard that closes for some mails at their n-th question."""

    def __init__(self, closed: dict[int, int]) -> None:
        """Take index -> number of the question at which the answer is no."""
        self.closed = closed
        self.asked: list[int] = []

    def __call__(self, index: int) -> str | None:
        """Answer."""
        self.asked.append(index)
        return "paused" if self.asked.count(index) >= self.closed.get(index, 99) else None


def arrived(server: ScriptedSmtp) -> list[str]:
    """Return the recipients the server has."""
    return [entry.recipient.partition("@")[0] for entry in server.accepted]


@BOTH
async def test_a_mail_held_back_before_its_envelope_leaves_no_trace(server: ScriptedSmtp, *, pipelining: bool) -> None:
    """The relay never hears of a mail whose guard says no, and the others go."""
    server.options = Options(pipelining=pipelining)
    connection = await open_to(server)
    gate = Gate({0: 1, 2: 1, 4: 1})
    results = await connection.send(mails("a", "b", "c", "d", "e"), gate, Notes())
    assert said(results) == [LEFT, ACCEPTED, LEFT, ACCEPTED, LEFT]
    assert [result.reason for result in results] == ["paused", "", "paused", "", "paused"]
    assert len(server.mails) == 2
    assert not connection.botched
    await connection.quit()


async def test_a_guard_that_closes_before_the_body_drops_the_connection(server: ScriptedSmtp) -> None:
    """With the envelope written ahead and DATA taken, only dropping the connection keeps the mail from going out."""
    connection = await open_to(server)
    results = await connection.send(mails("a", "b", "c"), Gate({1: 2}), Notes())
    assert said(results) == [ACCEPTED, LEFT, LEFT]
    assert results[1].reason == "paused"
    assert arrived(server) == ["a-0"]
    assert connection.botched
    await connection.quit()


async def test_without_pipelining_a_guard_that_closes_before_data_costs_a_reset(server: ScriptedSmtp) -> None:
    """Where DATA is not yet written, RSET ends the transaction and the connection goes on."""
    server.options = Options(pipelining=False)
    connection = await open_to(server)
    results = await connection.send(mails("a", "b", "c"), Gate({1: 2}), Notes())
    assert said(results) == [ACCEPTED, LEFT, ACCEPTED]
    assert arrived(server) == ["a-0", "c-2"]
    await connection.quit()


@BOTH
async def test_a_refused_recipient_is_ended_even_when_the_guard_closes(
    server: ScriptedSmtp, *, pipelining: bool
) -> None:
    """Once refused there is nothing to hold back: the refusal stands and the connection lives."""
    server.options = Options(pipelining=pipelining)
    connection = await open_to(server)
    results = await connection.send(mails("a", "reject", "c"), Gate({1: 2}), Notes())
    assert said(results) == [ACCEPTED, (2, 550), ACCEPTED]
    await connection.quit()


@BOTH
async def test_no_envelope_is_written_before_its_time(server: ScriptedSmtp, *, pipelining: bool) -> None:
    """Mails with a time wait for it, also when the one before is done long since."""
    server.options = Options(pipelining=pipelining)
    connection = await open_to(server)
    loop = asyncio.get_running_loop()
    start = loop.time() + 0.05
    window = [mail(index, not_before=start + 0.1 * index) for index in range(4)]
    began = loop.time()
    results = await connection.send(window, free, Notes())
    assert said(results) == [ACCEPTED] * 4
    assert loop.time() - began >= 0.34
    due = time.time() - loop.time() + start
    assert all(at >= due + 0.1 * index - 0.01 for index, (at, _) in enumerate(server.mails))
    await connection.quit()


async def test_a_mail_whose_time_has_come_goes_ahead_while_a_reply_is_awaited(server: ScriptedSmtp) -> None:
    """Pacing does not wait for a slow reply: the next envelope follows the body when its time comes."""
    server.slow = 0.8
    connection = await open_to(server, Timeouts())
    loop = asyncio.get_running_loop()
    window = [mail(0, "slow"), mail(1, not_before=loop.time() + 0.1)]
    done = connection.send(window, free, Notes())
    await until(lambda: connection._ahead is not None)
    assert not server.accepted or len(server.mails) == 1
    assert said(await done) == [ACCEPTED, ACCEPTED]
    await connection.quit()


@BOTH
async def test_a_second_window_follows_without_a_gap(server: ScriptedSmtp, *, pipelining: bool) -> None:
    """Windows handed over while one is under way are sent in order, each with its own results."""
    server.options = Options(pipelining=pipelining)
    connection = await open_to(server)
    notes = [Notes(), Notes(), Notes()]
    windows = [[mail(index + 3 * place) for index in range(3)] for place in range(3)]
    futures = [connection.send(window, free, note) for window, note in zip(windows, notes, strict=True)]
    for place, future in enumerate(futures):
        results = await future
        assert [result.index for result in results] == [3 * place, 3 * place + 1, 3 * place + 2]
        assert said(results) == [ACCEPTED] * 3
        assert len(notes[place].told) == 6
    assert [entry.message_id for entry in server.accepted] == [f"<m{index}@example.com>" for index in range(9)]
    await connection.quit()


async def test_the_loss_of_a_connection_ends_all_its_windows(server: ScriptedSmtp) -> None:
    """Each window handed over comes back complete."""
    connection = await open_to(server)
    first = connection.send(mails("a", "drop", "c"), free, Notes())
    second = connection.send(mails("d", "e"), free, Notes())
    assert said(await first) == [ACCEPTED, LEFT, LEFT]
    assert said(await second) == [LEFT, LEFT]
    await connection.quit()


async def test_the_witness_hears_of_a_dot_before_it_is_written(server: ScriptedSmtp) -> None:
    """Evidence comes first: when a body leaves, its dot is noted; replies are noted in their order."""
    connection = await open_to(server)
    notes = Notes()
    heard: list[list[tuple[object, ...]]] = []

    def script(session: Session, phase: Phase) -> Act | bytes | None:
        del session
        if phase == "dot":
            heard.append(list(notes.told))
        return None

    server.script = script
    await connection.send(mails("a", "reject", "c"), free, notes)
    assert [told[-1] for told in heard] == [("dot", 0), ("dot", 2)]
    assert notes.told == [("dot", 0), ("reply", 0, 250, 4), ("reply", 1, 550, 2), ("dot", 2), ("reply", 2, 250, 4)]
    await connection.quit()


class Failing(Notes):
    """A witness whose disk is gone."""

    def dot(self, index: int) -> None:
        """Fail at the second mail."""
        if index == 1:
            raise OSError("no space left")

    def reply(self, index: int, code: int, enhanced: str, text: str, phase: int = 4) -> None:
        """Fail always."""
        super().reply(index, code, enhanced, text, phase)
        raise OSError("no space left")


async def test_no_body_goes_out_that_cannot_be_witnessed(server: ScriptedSmtp) -> None:
    """A journal that fails ends the connection before the body; what was answered stands."""
    connection = await open_to(server)
    results = await connection.send(mails("a", "b", "c"), free, Failing())
    assert said(results) == [ACCEPTED, LEFT, LEFT]
    assert arrived(server) == ["a-0"]
    await connection.quit()


async def test_a_guard_that_fails_ends_the_connection(server: ScriptedSmtp) -> None:
    """A fault of the program gives every mail back, it hangs nobody."""

    def guard(index: int) -> str | None:
        if index == 1:
            raise RuntimeError("a bug")
        return None

    connection = await open_to(server)
    loop = asyncio.get_running_loop()
    window = [mail(0), mail(1, not_before=loop.time() + 0.05), mail(2)]
    assert said(await connection.send(window, guard, Notes())) == [ACCEPTED, LEFT, LEFT]
    await connection.quit()


async def test_an_owner_is_told_once_that_a_connection_ended(server: ScriptedSmtp) -> None:
    """A pool learns of the loss when it happens, not at the next mail."""
    connection = await open_to(server)
    lost: list[End] = []
    connection.on_lost = lost.append
    for session in list(server.sessions):
        session.close()
    await connection.closed
    connection.abort()
    assert lost == [connection.end]


async def test_quit_says_goodbye(server: ScriptedSmtp) -> None:
    """A connection at rest ends by QUIT."""
    connection = await open_to(server)
    session = next(iter(server.sessions))
    await connection.quit()
    assert session.commands[-1] == b"QUIT"


async def test_quit_does_not_wait_for_ever(server: ScriptedSmtp) -> None:
    """A relay that does not answer QUIT is left after a short time."""
    server.script = lambda _session, phase: Act(then="hang") if phase == "quit" else None
    connection = await open_to(server)
    await asyncio.wait_for(connection.quit(), 2)


async def test_an_empty_window_is_done_at_once(server: ScriptedSmtp) -> None:
    """Nothing to send has no results."""
    connection = await open_to(server)
    nothing: list[Result] = await connection.send([], free, Notes())
    assert nothing == []
    await connection.quit()
