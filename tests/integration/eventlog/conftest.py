"""A fresh log, and databases for views of it."""

from collections.abc import AsyncIterator

import pytest
from nats.aio.client import Client
from sqlalchemy.ext.asyncio import AsyncEngine

from shared.eventlog.store import EventLog
from tests.harness.databases import Database


@pytest.fixture
async def log(nc: Client) -> EventLog:
    """Return the event log on a fresh EVENTS stream, which a test may damage."""
    await nc.jetstream().add_stream(name="EVENTS", subjects=["evt.>"], allow_direct=True)
    return EventLog(nc)


@pytest.fixture
async def engine(database: Database) -> AsyncIterator[AsyncEngine]:
    """Yield an engine for an empty database."""
    engine = await database.fresh()
    yield engine
    await engine.dispose()
