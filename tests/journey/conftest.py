"""Everything on one machine, and the command line pointed at it; one for all journeys of marketers."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from deploy.local import Local
from tests.harness.hooked import SECRET
from tests.harness.installations import Quick, running
from tests.harness.marketer import PACKET, Marketer, at_work
from tests.harness.posthaste import Posthaste


@pytest.fixture
async def local(tmp_path: Path) -> AsyncIterator[Local]:
    """Yield a running installation with quick retries."""
    quick = {"POSTHASTE_RETRY_FIRST": "2", "POSTHASTE_RETRY_LONGEST": "6", "POSTHASTE_ACK_WAIT": "3"}
    async with Quick(tmp_path / "data", ports="free", extra=quick) as running:
        yield running


@pytest.fixture
async def posthaste(local: Local) -> Posthaste:
    """Return the command line of that installation."""
    return Posthaste(local.folder.path)


@pytest_asyncio.fixture(scope="package", loop_scope="package")
async def shop(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Marketer]:
    """Yield a marketer at one installation for all tests of this folder that ask for it: each has lists of its own."""
    folder = tmp_path_factory.mktemp("shop") / "data"
    told = {"POSTHASTE_BATCH_SIZE": str(PACKET), "POSTHASTE_BATCH_MINUTES": "60"}
    told |= {"POSTHASTE_NOTIFY_SECRET": SECRET, "POSTHASTE_NOTIFY_PRIVATE": "true", "POSTHASTE_RECORD_KINDS": "partner"}
    async with (
        running(folder, script=lambda _session, _phase: None, extra=told) as system,
        at_work(system) as marketer,
    ):
        yield marketer
