"""One scripted SMTP server for all rows of the fault table; each row finds it as new."""

from collections.abc import AsyncIterator

import pytest_asyncio

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
