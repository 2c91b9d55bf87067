"""A broker with all streams, a scripted relay in this process, senders as real processes."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from nats.aio.client import Client

from tests.harness.nats import NatsServer
from tests.harness.sending import Sending
from tests.harness.smtp import ScriptedSmtp


@pytest.fixture
async def relay() -> AsyncIterator[ScriptedSmtp]:
    """Yield a polite relay; recipients choose another behaviour by their local part."""
    server = await ScriptedSmtp().start()
    yield server
    await server.stop()


@pytest.fixture
async def sending(log_streams: NatsServer, nc: Client, relay: ScriptedSmtp, tmp_path: Path) -> AsyncIterator[Sending]:
    """Yield the sender's world with a tested account."""
    rig = Sending(nc, log_streams.url, relay.port, tmp_path / "data")
    rig.folder.mkdir()
    await rig.add_account()
    yield rig
    rig.stop()
