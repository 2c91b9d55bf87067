"""A fresh log, and databases for views of it."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from nats.aio.client import Client
from sqlalchemy.ext.asyncio import AsyncEngine

from shared.database import open_engine
from shared.eventlog.store import EventLog


@pytest.fixture
async def log(nc: Client) -> EventLog:
    """Return the event log on a fresh EVENTS stream, which a test may damage."""
    await nc.jetstream().add_stream(name="EVENTS", subjects=["evt.>"], allow_direct=True)
    return EventLog(nc)


@pytest.fixture
async def engine(tmp_path: Path) -> AsyncIterator[AsyncEngine]:
    """Yield an engine for an empty database."""
    engine = open_engine(f"sqlite:///{tmp_path / 'views.sqlite3'}")
    yield engine
    await engine.dispose()
