"""The log stops answering while mails go out: what cannot be recorded ends the sending."""

import asyncio

import pytest

from shared.contracts.subjects import ChunkRef
from tests.harness.nats import NatsServer
from tests.harness.sending import Sending
from tests.harness.smtp import ScriptedSmtp
from tests.harness.waiting import until
from tests.harness.witness import account_for, reached

pytestmark = pytest.mark.one_server

LINES, WINDOW = 4, 50


async def test_while_outcomes_cannot_be_recorded_no_further_window_starts(
    sending: Sending, relay: ScriptedSmtp, chunks: dict[ChunkRef, list[str]], log_streams: NatsServer
) -> None:
    """What was claimed goes out, at most W a connection, then nothing; when the log is back all goes on."""
    sending.start_sender()
    await reached(relay, 100)
    log_streams.freeze()
    before = len(relay.accepted)
    await until(lambda: still(relay), 20)
    assert len(relay.accepted) - before <= LINES * WINDOW
    log_streams.thaw()
    await sending.finished(*chunks, timeout=60)
    account = await account_for(sending, relay, chunks)
    assert account.totals == {"accepted": sum(map(len, chunks.values()))}


async def still(relay: ScriptedSmtp) -> bool:
    """Whether the relay heard nothing new for as long as two hundred mails take."""
    before = len(relay.mails)
    await asyncio.sleep(0.8)
    return len(relay.mails) == before
