"""Row 23, 24, 59: what is known after a sender was killed, and after its journal was damaged."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from services.sender.journal import journal
from services.sender.journal.area import MAX_CLAIM, read
from services.sender.journal.journal import Evidence, Journal, forget, read_evidence, sweep
from tests.faults.sending import free, mail, mails, open_to
from tests.harness.smtp import Act, Phase, ScriptedSmtp, Session
from tests.harness.waiting import until

CHILD = """
import asyncio, sys
from pathlib import Path
from services.sender.journal.journal import Journal
from tests.faults.sending import free, mail
from services.sender.smtp.transport import Relay, connect

async def main():
    journal = Journal.open(Path(sys.argv[2]), "child", 0)
    connection = await connect(Relay("127.0.0.1", int(sys.argv[1]), "none"))
    first = journal.begin("m1", 7, 100, range(5))
    connection.send([mail(i, "reject" if i == 1 else "ok") for i in range(5)], free, first)
    second = journal.begin("m1", 7, 101, range(5, 10))
    connection.send([mail(i) for i in range(5, 10)], free, second)
    await asyncio.Event().wait()

asyncio.run(main())
"""


def facts(proof: Evidence) -> tuple[set[int], set[int], set[int]]:
    """Return who was answered, who is in doubt, who is untouched."""
    return set(proof.answered), set(proof.doubtful), set(proof.untouched)


def _answers_of_first(folder: Path) -> int:
    record = read((folder / "child-0.journal").read_bytes(), 4096)
    return len(record.replies) if record is not None else 0


async def _killed_at(server: ScriptedSmtp, folder: Path, when: Phase, recipient: str) -> list[Evidence]:
    """Start a sender, kill it when the server is at `when` for `recipient`, return what its journal tells."""
    reached = asyncio.Event()

    def script(session: Session, phase: Phase) -> Act | None:
        if phase == when and session.recipient.startswith(recipient):
            reached.set()
            return Act(then="hang", accept=True)
        return None

    server.script = script
    child = subprocess.Popen([sys.executable, "-c", CHILD, str(server.port), str(folder)])  # noqa: ASYNC220
    try:
        await asyncio.wait_for(reached.wait(), 20)
        assert read_evidence(folder, "m1", 7) == []
        if when == "data":  # the replies before it may still be on their way
            await until(lambda: _answers_of_first(folder) == 3)
    finally:
        child.send_signal(signal.SIGKILL)
        child.wait()
    return read_evidence(folder, "m1", 7)


@pytest.mark.asyncio(loop_scope="session")
async def test_23_killed_after_a_dot_leaves_one_mail_in_doubt(server: ScriptedSmtp, tmp_path: Path) -> None:
    """Of two open claims what was answered is known, what was not begun too; one dot alone is in doubt."""
    first, second = await _killed_at(server, tmp_path, "dot", "ok-3")
    assert {index: reply.code for index, reply in first.answered.items()} == {0: 250, 1: 550, 2: 250}
    assert first.answered[1].enhanced == "5.1.1"
    assert first.answered[0].queue_id == "QA000001"
    assert facts(first)[1:] == ({3}, {4})
    assert second.seq == 101
    assert facts(second) == (set(), set(), {5, 6, 7, 8, 9})


@pytest.mark.asyncio(loop_scope="session")
async def test_24_killed_before_a_body_leaves_no_doubt(server: ScriptedSmtp, tmp_path: Path) -> None:
    """While DATA is unanswered nothing of the message is out."""
    first, _ = await _killed_at(server, tmp_path, "data", "ok-3")
    assert facts(first) == ({0, 1, 2}, set(), {3, 4})


def test_a_living_owner_is_no_evidence(tmp_path: Path) -> None:
    """As long as the lock is held nothing can be said, even by the owner's own process."""
    with Journal.open(tmp_path, "w", 0) as owner:
        owner.begin("m", 1, 5, [0, 1]).dot(0)
        assert read_evidence(tmp_path, "m", 1) == []
    assert [proof.doubtful for proof in read_evidence(tmp_path, "m", 1)] == [{0}]


def test_a_claim_taken_back_is_in_doubt(tmp_path: Path) -> None:
    """A reply that turned out to be another's leaves a dot without reply."""
    with Journal.open(tmp_path, "w", 0) as owner:
        claim = owner.begin("m", 1, 5, [0, 1])
        claim.dot(0)
        claim.reply(0, 250, "2.0.0", "Ok")
        claim.reply(0, 0, "", "out of step")
    (proof,) = read_evidence(tmp_path, "m", 1)
    assert facts(proof) == (set(), {0}, {1})


def test_a_fourth_claim_takes_the_place_of_the_oldest(tmp_path: Path) -> None:
    """Three claims are kept, the ones begun last; a settled one gives way first."""
    with Journal.open(tmp_path, "w", 0) as owner:
        for seq in range(1, 5):
            owner.begin("m", 1, seq, [seq])
    assert sorted(proof.seq for proof in read_evidence(tmp_path, "m", 1)) == [2, 3, 4]
    with Journal.open(tmp_path, "v", 0) as owner:
        claims = [owner.begin("k", 1, seq, [seq]) for seq in range(1, 4)]
        claims[1].end()
        owner.begin("k", 1, 4, [4])
    assert sorted(proof.seq for proof in read_evidence(tmp_path, "k", 1)) == [1, 3, 4]


def test_evidence_of_the_same_index_in_two_chunks_stays_apart(tmp_path: Path) -> None:
    """The last claim of one chunk and the first of the next are witnessed each by itself."""
    with Journal.open(tmp_path, "w", 0) as owner:
        last, first = owner.begin("m", 1, 1, [3, 4]), owner.begin("m", 2, 9, [3, 4])
        first.dot(3)
        last.reply(4, 250, "", "Ok")
    (old,), (new,) = read_evidence(tmp_path, "m", 1), read_evidence(tmp_path, "m", 2)
    assert facts(old) == ({4}, set(), {3})
    assert facts(new) == (set(), {3}, {4})


def test_another_boot_leaves_nothing_untouched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a power cut the last writes may be missing: what was answered counts, the rest is in doubt."""
    with Journal.open(tmp_path, "w", 0) as owner:
        owner.begin("m", 1, 1, [0, 1]).reply(0, 250, "", "Ok")
    monkeypatch.setattr(journal, "_boot_id", lambda: b"another boot".ljust(36))
    (proof,) = read_evidence(tmp_path, "m", 1)
    assert facts(proof) == ({0}, {1}, set())


def test_59_a_damaged_journal_is_put_aside(tmp_path: Path) -> None:
    """Empty, cut off, foreign or with flipped bits: no evidence, no crash, and the file stays for whoever looks."""
    with Journal.open(tmp_path, "good", 0) as owner:
        owner.begin("m", 1, 1, [0, 1]).reply(0, 250, "", "Ok")
    good = (tmp_path / "good-0.journal").read_bytes()
    damaged = {
        "empty": b"",
        "short": good[:5000],
        "foreign": b"#!/bin/sh\n".ljust(len(good)),
        "header": good[:4120] + b"\xff" + good[4121:],
        "length": good[:4096] + b"\x01\x00\x00\x00" + good[4100:],
        "record": good[:4216] + bytes([good[4216] ^ 1]) + good[4217:],
    }
    for name, content in damaged.items():
        (tmp_path / f"{name}-0.journal").write_bytes(content)
    assert [proof.seq for proof in read_evidence(tmp_path, "m", 1)] == [1]
    assert {path.stem for path in tmp_path.glob("*.corrupt")} == {f"{name}-0" for name in damaged}


def test_flipped_bits_are_found_or_harmless(tmp_path: Path) -> None:
    """No single flipped bit in header, indexes or records changes what a journal says of a reply or a recipient."""
    with Journal.open(tmp_path, "w", 0) as owner:
        claim = owner.begin("m", 1, 1, [10, 11, 12])
        claim.reply(10, 250, "2.0.0", "Ok: queued as ABCDEF1")
        claim.reply(11, 550, "5.1.1", "User unknown")
    path = tmp_path / "w-0.journal"
    good = bytearray(path.read_bytes())
    (truth,) = read_evidence(tmp_path, "m", 1)
    for place in range(4096, 4096 + 240):
        for bit in (1, 128):
            good[place] ^= bit
            path.write_bytes(good)
            found = read_evidence(tmp_path, "m", 1)
            good[place] ^= bit
            (tmp_path / "w-0.corrupt").unlink(missing_ok=True)
            for proof in found:
                assert all(truth.answered[index] == reply for index, reply in proof.answered.items()), place
                assert proof.answered.keys() | proof.doubtful | proof.untouched == {10, 11, 12}


def test_what_is_settled_can_be_forgotten(tmp_path: Path) -> None:
    """A journal is deleted with the last chunk it knows of, not before, and never while its owner lives."""
    with Journal.open(tmp_path, "w", 0) as owner:
        owner.begin("m", 1, 1, [0])
        owner.begin("m", 2, 1, [0])
        forget(tmp_path, "m", 1)
    assert len(read_evidence(tmp_path, "m", 1)) == 1
    forget(tmp_path, "m", 1)
    assert read_evidence(tmp_path, "m", 1) == []
    assert len(read_evidence(tmp_path, "m", 2)) == 1
    forget(tmp_path, "m", 2)
    assert list(tmp_path.iterdir()) == []


def test_a_journal_without_open_claims_goes_with_its_owner(tmp_path: Path) -> None:
    """A clean end leaves nothing behind."""
    with Journal.open(tmp_path, "w", 0) as owner:
        owner.begin("m", 1, 1, [0]).end()
    assert list(tmp_path.iterdir()) == []


def test_old_journals_are_swept(tmp_path: Path) -> None:
    """What nobody asked for goes after its time; what an owner holds stays."""
    with Journal.open(tmp_path, "dead", 0) as dead:
        dead.begin("m", 1, 1, [0])
    (tmp_path / "x-1.corrupt").write_bytes(b"")
    with Journal.open(tmp_path, "alive", 0) as alive:
        alive.begin("m", 1, 1, [0])
        assert sweep(tmp_path, 3600) == 0
        past = time.time() - 7200
        for path in tmp_path.iterdir():
            os.utime(path, (past, past))
        assert sweep(tmp_path, 3600) == 2
        assert [path.name for path in tmp_path.iterdir()] == ["alive-0.journal"]


def test_a_slot_has_one_journal(tmp_path: Path) -> None:
    """The evidence of another life is never overwritten."""
    with Journal.open(tmp_path, "w", 0) as owner:
        owner.begin("m", 1, 1, [0])
        with pytest.raises(FileExistsError):
            Journal.open(tmp_path, "w", 0)
    with pytest.raises(FileExistsError):
        Journal.open(tmp_path, "w", 0)
    assert len(read_evidence(tmp_path, "m", 1)) == 1


def test_the_largest_claim_fits_with_the_longest_replies(tmp_path: Path) -> None:
    """Five hundred recipients, each with a reply of full length in four-byte characters."""
    with Journal.open(tmp_path, "w", 0) as owner:
        claim = owner.begin("m" * 24, 1, 1, range(MAX_CLAIM))
        for index in range(MAX_CLAIM):
            claim.dot(index)
            claim.reply(index, 550, "5.7.1234", "\N{GRINNING FACE}" * 500)
        with pytest.raises(ValueError, match="does not fit"):
            owner.begin("m", 1, 1, range(MAX_CLAIM + 1))
    (proof,) = read_evidence(tmp_path, "m" * 24, 1)
    assert len(proof.answered) == MAX_CLAIM


@pytest.mark.asyncio(loop_scope="session")
async def test_a_window_is_witnessed_by_the_journal(server: ScriptedSmtp, tmp_path: Path) -> None:
    """A claim is what `send` takes as its witness."""
    connection = await open_to(server)
    with Journal.open(tmp_path, "w", 0) as owner:
        claim = owner.begin("m", 1, 1, range(3))
        await connection.send([*mails("a", "lost"), mail(2)], free, claim)
    (proof,) = read_evidence(tmp_path, "m", 1)
    assert facts(proof) == ({0}, {1}, {2})
    await connection.quit()
