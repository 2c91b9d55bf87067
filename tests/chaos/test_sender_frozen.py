"""A sender is frozen past the validity of its claims while another takes over; then it wakes."""

import signal

from shared.contracts.subjects import ChunkRef
from tests.harness.sending import Sending
from tests.harness.smtp import ScriptedSmtp
from tests.harness.waiting import until
from tests.harness.witness import account_for, reached


async def test_a_frozen_sender_sends_nothing_when_it_wakes(
    sending: Sending, relay: ScriptedSmtp, chunks: dict[ChunkRef, list[str]]
) -> None:
    """Its claims are over and its appends are fenced: nothing doubled, whatever it had claimed is accounted for."""
    frozen = sending.start_sender()
    await reached(relay, 200)
    frozen.kill(signal.SIGSTOP)
    sending.start_sender()
    await sending.finished(*chunks, timeout=40)
    frozen.kill(signal.SIGCONT)
    await until(lambda: "fenced" in frozen.log.read_text() or "lane" in frozen.log.read_text(), 20)
    account = await account_for(sending, relay, chunks)
    assert len(account.in_doubt) <= 4 * 50
