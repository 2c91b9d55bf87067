"""An empty database with the tables of reporting."""

from collections.abc import AsyncIterator

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.harness.databases import Database


@pytest.fixture
def laid() -> bool:
    """Have `database` with all tables."""
    return True


@pytest.fixture
async def engine(database: Database) -> AsyncIterator[AsyncEngine]:
    """Yield an engine whose tables are there and empty."""
    engine = database.engine("reporting")
    yield engine
    await engine.dispose()
