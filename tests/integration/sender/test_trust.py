"""A sender opens no lane before the log is the one it knows, and ends when the log is replaced under it."""

from collections.abc import Callable
from pathlib import Path

from nats.aio.client import Client

from services.sender.gates.memory import LogMemory
from services.sender.gates.trust import Trust
from shared.clock import now
from shared.contracts import subjects
from shared.contracts.commands import Recollection, Word
from shared.contracts.envelope import Origin
from shared.contracts.log import LogContinued
from shared.eventlog.incarnation import Memory, identify, remember
from shared.ids import new_id
from tests.harness.sending import Sending
from tests.harness.waiting import until

Answer = Callable[[Recollection], Word | None]


def _trust(sending: Sending, memory: LogMemory, answer: Answer, patience: float = 30.0) -> Trust:
    async def ask(_subject: str, body: bytes, _seconds: float) -> bytes | None:
        word = answer(Recollection.model_validate_json(body))
        return word.model_dump_json().encode() if word else None

    return Trust(sending.log, memory, "sender", ask, patience=patience)


async def _objection(trust: Trust, waited: float = 0.0) -> str:
    return await trust._objection(waited)


async def test_the_planner_and_the_own_memory_both_have_to_agree(sending: Sending, tmp_path: Path) -> None:
    """With a matching memory the planner's silence is borne for a while; without one it is not."""
    memory = LogMemory(tmp_path)
    silent = _trust(sending, memory, lambda _: None)
    assert await _objection(silent, 10_000), "who remembers nothing waits for as long as it takes"
    told: list[Recollection] = []

    def good(said: Recollection) -> Word:
        told.append(said)
        return Word(incarnation="x")

    assert not await _objection(_trust(sending, memory, good))
    assert memory.load() == await remember(sending.log)
    assert await _objection(silent, 29)
    assert not await _objection(silent, 31)
    held = _trust(sending, memory, lambda _: Word(incarnation="x", why={"database": "older"}))
    assert "older" in await _objection(held, 10_000)
    assert not told[0].incarnation


async def test_a_log_behind_the_memory_is_worked_on_only_after_the_confirmation(
    sending: Sending, tmp_path: Path
) -> None:
    """Whatever the planner says; once the name is superseded the new one is remembered."""
    memory, seen = LogMemory(tmp_path), await remember(sending.log)
    memory.begin(Memory(seen.incarnation, seen.seq + 50, "later.0"))
    trust = _trust(sending, memory, lambda _: Word(incarnation="x"))
    assert "ends at seq" in await _objection(trust)
    identity = await identify(sending.log)
    continued = LogContinued(incarnation="next", stream=identity.stream, supersedes=[identity.incarnation])
    await sending.log.append(subjects.LOG, [continued], expected=0, origin=Origin(new_id(), "planner", now()))
    assert not await _objection(trust)
    assert memory.load() == await remember(sending.log)


async def test_what_was_seen_is_on_disk_and_the_highest_is_kept(tmp_path: Path) -> None:
    """Of several senders of a machine the one that saw most is remembered; a file that cannot be read is none."""
    one, two = LogMemory(tmp_path), LogMemory(tmp_path)
    one.begin(Memory("a", 1, "x.0"))
    two.begin(Memory("a", 1, "x.0"))
    one.saw(9, "y.0")
    two.saw(5, "z.0")
    one.save()
    two.save()
    assert LogMemory(tmp_path).load() == Memory("a", 9, "y.0")
    (tmp_path / "log.json").write_text("{")
    assert LogMemory(tmp_path).load() is None


async def test_a_sender_remembers_what_it_saw(sending: Sending, nc: Client) -> None:
    """After a chunk the file beside the journals knows the log and how far it went."""
    del nc
    await sending.start_mailing("m1")
    ref = await sending.plan("m1", 0, ["ann@example.com"])
    sending.start_sender()
    await sending.finished(ref, timeout=30)
    memory = LogMemory(sending.folder / "journals")

    async def known() -> bool:
        found = memory.load()
        return found is not None and found.seq >= (await sending.log.last_seq(subjects.chunk("m1", 0)))

    await until(known, 10)
    found = memory.load()
    assert found is not None
    assert found.incarnation == (await identify(sending.log)).incarnation
