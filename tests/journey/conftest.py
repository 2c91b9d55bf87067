"""Everything on one machine, and the command line pointed at it."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from deploy.local import Local
from tests.harness.installations import Quick
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
