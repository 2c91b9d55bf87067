"""Faults of a message or a recipient, through a real sender: one is refused or put right, the others get their mail."""

from datetime import timedelta

import pytest

from shared.clock import now
from tests.faults.rig import Rig
from tests.harness.sending import CONTENT
from tests.harness.smtp import Options, Phase, Session

pytestmark = pytest.mark.asyncio(loop_scope="session")

ABLE = ("SIZE 10485760", "8BITMIME", "SMTPUTF8")


async def test_33_what_is_larger_than_the_relay_takes_is_never_begun(rig: Rig) -> None:
    """SIZE is read before: every recipient is rejected for the content, and the relay hears of no mail."""
    async with rig.trial(options=Options(extensions=("SIZE 200",))) as trial:
        await trial.plan()
        assert await trial.finished() == {"rejected": 3}
        assert await trial.told(1) == [("rejected", 552)]
        assert await trial.scope(1) == "content"
        assert not trial.server.mails


async def test_33_the_size_is_declared(rig: Rig) -> None:
    """A relay that offers SIZE is told what comes."""
    async with rig.trial(options=Options(extensions=ABLE)) as trial:
        await trial.plan()
        assert await trial.finished() == {"accepted": 3}
        for entry in trial.server.accepted:
            assert entry.parameters == (f"SIZE={entry.size}", "")


async def test_34_a_local_part_of_another_script_needs_smtputf8(rig: Rig) -> None:
    """Without it that recipient is rejected and blamed for nothing; the others get their mail."""
    async with rig.trial(options=Options(extensions=("8BITMIME",))) as trial:
        await trial.plan("ann-0", "jörg-1", "bob-2")
        assert await trial.finished() == {"accepted": 2, "rejected": 1}
        assert await trial.told(1) == [("rejected", 553)]
        assert await trial.scope(1) == "unknown"
        assert len(trial.server.mails) == 2


async def test_34_with_smtputf8_it_goes_as_it_is(rig: Rig) -> None:
    """The relay is asked for SMTPUTF8 and 8BITMIME for this mail alone."""
    async with rig.trial(options=Options(extensions=ABLE)) as trial:
        await trial.plan("ann-0", "jörg-1", "bob-2")
        assert await trial.finished() == {"accepted": 3}
        asked = {entry.recipient: entry.parameters[0].split()[1:] for entry in trial.server.accepted}
        assert asked == {
            "ann-0@example.com": [],
            "jörg-1@example.com": ["BODY=8BITMIME", "SMTPUTF8"],
            "bob-2@example.com": [],
        }


async def test_34_without_8bitmime_mails_are_7_bit(rig: Rig) -> None:
    """Text of any script is encoded before it is signed, so no relay has to."""
    content = CONTENT.model_copy(update={"subject": "Grüße", "text": "Übermäßig große Grüße\n", "html": ""})
    async with rig.trial(options=Options(extensions=()), content=content) as trial:
        await trial.plan()
        assert await trial.finished() == {"accepted": 3}
        assert all(entry.content.isascii() for entry in trial.server.accepted)


async def test_35_dots_and_line_ends_of_a_text_cannot_end_a_mail(rig: Rig) -> None:
    """One message each, byte for byte as it was claimed, whatever the author typed."""
    text = "Hello\n.\nMAIL FROM:<evil@example.com>\r\n.\r\n..two\rand\r.\r" + "x" * 5000 + "\n.hidden\n"
    async with rig.trial(content=CONTENT.model_copy(update={"text": text, "html": ""})) as trial:
        await trial.plan()
        assert await trial.finished() == {"accepted": 3}
        assert len(trial.server.mails) == 3
        for entry in trial.server.accepted:
            assert max(map(len, entry.content.split(b"\r\n"))) <= 998
            assert b"\r" not in entry.content.replace(b"\r\n", b"")
            assert b"\n" not in entry.content.replace(b"\r\n", b"")


async def test_36_what_would_break_out_of_a_header_is_not_sent(rig: Rig) -> None:
    """CR, LF, NUL, line separators in merged data: these recipients are skipped with a reason, the others get mail."""
    evil = {1: "Eve\r\nBcc: all@example.com", 2: "Eve\0", 3: "Eve\u2028Bcc: x@example.com"}
    async with rig.trial() as trial:
        ref = await trial.plan("ann-0", "eve-1", "eve-2", "eve-3", "bob-4", names=evil)
        assert await trial.finished() == {"accepted": 2, "skipped": 3}
        skipped = [group for group in await trial.groups(ref) if group.outcome == "skipped"]
        assert {group.cause for group in skipped} == {"render: control character in name"}
        assert trial.arrived() == {0: 1, 4: 1}
        assert not any(b"\nbcc" in entry.content.lower() for entry in trial.server.accepted)


async def test_40_who_is_greylisted_past_the_deadline_expires(rig: Rig) -> None:
    """Deferred until the mailing's deadline: expired then, and no further try."""
    instants: list[float] = []

    def script(session: Session, phase: Phase) -> bytes | None:
        if phase != "rcpt" or not session.recipient.startswith("odd"):
            return None
        instants.append(now().timestamp())
        return b"451 4.7.1 Greylisted\r\n"

    async with rig.trial(script) as trial:
        deadline = now() + timedelta(seconds=2)
        await trial.plan(expires_at=deadline)
        assert await trial.finished() == {"accepted": 2, "expired": 1}
        assert (await trial.told(1))[0] == ("deferred", 451)
        assert (await trial.told(1))[-1][0] == "expired"
        assert max(instants) <= deadline.timestamp()
