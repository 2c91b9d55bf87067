"""What rows of the fault table share: a scripted SMTP server for connections, a broker and a sender for the rest."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from deploy.apply import apply
from shared.eventlog.connection import close, connect
from tests.faults.rig import Rig
from tests.harness.certificates import certificate
from tests.harness.nats import NatsServer
from tests.harness.smtp import ScriptedSmtp


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def shared_server() -> AsyncIterator[ScriptedSmtp]:
    """Yield the server of the run."""
    async with ScriptedSmtp() as server:
        yield server


@pytest_asyncio.fixture(loop_scope="session")
async def server(shared_server: ScriptedSmtp) -> AsyncIterator[ScriptedSmtp]:
    """Yield the server without script, memory or clients."""
    shared_server.clear()
    yield shared_server
    shared_server.clear()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def rig(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Rig]:
    """Yield a broker with all streams and a sender with short time-outs."""
    folder = tmp_path_factory.mktemp("rig")
    broker = NatsServer.started(folder / "nats")
    nc = await connect(broker.url, name="faults")
    await apply(nc)
    rig = Rig(nc, broker.url, folder, certificate(folder / "tls"))
    await rig.start()
    yield rig
    rig.stop()
    await close(nc)
    broker.kill()
