"""An empty database with the tables of reporting."""

from collections.abc import AsyncIterator

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from services.reporting import tables
from shared.database import create_tables
from tests.harness.databases import Database


@pytest.fixture
async def engine(database: Database) -> AsyncIterator[AsyncEngine]:
    """Yield an engine whose tables are there and empty."""
    engine = await database.fresh("reporting")
    await create_tables(engine, tables.metadata)
    yield engine
    await engine.dispose()
