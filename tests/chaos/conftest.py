"""The sender's world for faults: many small chunks on few lines, a relay that takes a moment for each mail."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from nats.aio.client import Client

from shared.contracts.subjects import ChunkRef
from tests.harness.nats import NatsServer
from tests.harness.sending import Sending
from tests.harness.smtp import Act, Phase, ScriptedSmtp, Session


def unhurried(_session: Session, phase: Phase) -> Act | None:
    """Take two milliseconds for every mail, so that a fault finds work under way."""
    if phase == "dot":
        return Act(b"250 2.0.0 Ok: queued as ABCDEF12\r\n", delay=0.002)
    return None


@pytest.fixture
async def relay() -> AsyncIterator[ScriptedSmtp]:
    """Yield the unhurried relay."""
    server = await ScriptedSmtp(unhurried).start()
    yield server
    await server.stop()


@pytest.fixture
async def sending(log_streams: NatsServer, nc: Client, relay: ScriptedSmtp, tmp_path: Path) -> AsyncIterator[Sending]:
    """Yield the sender's world with a tested account of four lines."""
    rig = Sending(nc, log_streams.url, relay.port, tmp_path / "data")
    rig.folder.mkdir()
    await rig.add_account()
    yield rig
    rig.stop()


@pytest.fixture
async def chunks(sending: Sending) -> dict[ChunkRef, list[str]]:
    """Start mailing m1 and plan eight chunks of 200 for it."""
    await sending.start_mailing("m1")
    planned = {}
    for n in range(8):
        addresses = [f"ann{n}x{i}@example.com" for i in range(200)]
        planned[await sending.plan("m1", n, addresses)] = addresses
    return planned
