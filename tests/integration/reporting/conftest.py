"""An empty database with the tables of reporting."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from services.reporting import tables
from shared.database import create_tables, open_engine


@pytest.fixture
async def engine(tmp_path: Path) -> AsyncIterator[AsyncEngine]:
    """Yield an engine whose tables are there and empty."""
    engine = open_engine(f"sqlite:///{tmp_path / 'reporting.sqlite3'}")
    await create_tables(engine, tables.metadata)
    yield engine
    await engine.dispose()
