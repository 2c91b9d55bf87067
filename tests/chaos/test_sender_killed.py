"""A sender dies by SIGKILL with mails on the wire; the next one takes its chunks over."""

import random

import pytest

from shared.contracts.subjects import ChunkRef
from tests.harness.sending import Sending
from tests.harness.smtp import ScriptedSmtp
from tests.harness.waiting import until
from tests.harness.witness import account_for, reached

LINES = 4


@pytest.mark.feature("B2")
@pytest.mark.parametrize("seed", range(2))
async def test_with_its_journal_at_most_one_mail_a_connection_is_in_doubt(
    sending: Sending, relay: ScriptedSmtp, chunks: dict[ChunkRef, list[str]], seed: int
) -> None:
    """Nothing lost, nothing doubled; in doubt only what had its dot and no reply."""
    deaths = random.Random(seed).sample(range(50, 600), 2)
    for count in sorted(deaths):
        sender = sending.start_sender()
        await reached(relay, count)
        sender.kill()
    sending.start_sender()
    await sending.finished(*chunks, timeout=60)
    account = await account_for(sending, relay, chunks)
    assert len(account.in_doubt) <= LINES * len(deaths)
    assert account.totals["accepted"] + account.totals["in_doubt"] == 800


async def test_without_its_journal_the_whole_claim_is_in_doubt_and_nothing_is_doubled(
    sending: Sending, relay: ScriptedSmtp, chunks: dict[ChunkRef, list[str]]
) -> None:
    """The disk is gone with the sender: every claimed recipient is named as in doubt, at most W a connection."""
    sender = sending.start_sender()
    await reached(relay, 200)
    sender.kill()
    for journal in (sending.folder / "journals").glob("*"):
        journal.unlink()
    sending.start_sender()
    await sending.finished(*chunks, timeout=60)
    account = await account_for(sending, relay, chunks)
    assert 0 < len(account.in_doubt) <= LINES * 50


@pytest.mark.feature("B2")
async def test_under_resend_every_doubt_is_sent_again(
    sending: Sending, relay: ScriptedSmtp, chunks: dict[ChunkRef, list[str]]
) -> None:
    """Policy `resend`: all accepted in the end; what came twice is the same bytes and Message-ID, and bounded."""
    del chunks
    await sending.start_mailing("m2", doubt="resend")
    addresses = [f"bob{i}@example.com" for i in range(300)]
    ref = await sending.plan("m2", 0, addresses, doubt="resend")
    sender = sending.start_sender()
    await until(lambda: sum(mail.recipient.startswith("bob") for mail in relay.accepted) >= 100, 30)
    sender.kill()
    for journal in (sending.folder / "journals").glob("*"):
        journal.unlink()
    sending.start_sender()
    assert await sending.finished(ref, timeout=60) == {"accepted": 300}
    copies: dict[str, list[tuple[str, str]]] = {}
    for mail in relay.accepted:
        if mail.recipient.startswith("bob"):
            copies.setdefault(mail.recipient, []).append((mail.message_id, mail.digest))
    assert set(copies) == set(addresses)
    assert all(len(set(seen)) == 1 for seen in copies.values())
    assert sum(len(seen) - 1 for seen in copies.values()) <= 50
