"""A sender is told to end while mails are on the wire."""

import signal

from shared.contracts.subjects import ChunkRef
from tests.harness.sending import Sending
from tests.harness.smtp import ScriptedSmtp
from tests.harness.witness import account_for, reached


async def test_sigterm_leaves_no_doubt(
    sending: Sending, relay: ScriptedSmtp, chunks: dict[ChunkRef, list[str]]
) -> None:
    """Open dots get their reply, the rest goes back at once: nothing lost, doubled or in doubt; exit status 0."""
    for count in (100, 400):
        sender = sending.start_sender()
        await reached(relay, count)
        sender.kill(signal.SIGTERM)
        assert await sender.ended() == 0, sender.log.read_text()
    sending.start_sender()
    await sending.finished(*chunks, timeout=60)
    account = await account_for(sending, relay, chunks)
    assert account.totals == {"accepted": 800}
