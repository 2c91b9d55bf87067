"""SQL engines of the services: one SQLite file for each, or the database that `POSTHASTE_DATABASE_URL` names.

On SQLite every transaction takes the write lock when it begins, so none is refused half-way because another wrote
meanwhile; it waits up to five seconds for its turn. What only reads uses `reading(engine)`, sees one snapshot and waits
for nobody. The log of changes survives a killed process; a power cut may cost the last transactions, which the views
make again from the event log.
"""

from typing import Any

from sqlalchemy import Connection, MetaData, event
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from shared.settings import Settings

_PRAGMAS = (
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = NORMAL",
    "PRAGMA busy_timeout = 5000",
    "PRAGMA foreign_keys = ON",
)


def create_engine(settings: Settings, name: str) -> AsyncEngine:
    """Return the engine for the tables of the service `name`."""
    if settings.database_url:
        return open_engine(settings.database_url)
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    return open_engine(f"sqlite:///{settings.data_dir.resolve() / name}.sqlite3")


def open_engine(database_url: str) -> AsyncEngine:
    """Return an engine for the URL; a plain `sqlite:` URL gets its asynchronous driver."""
    url = make_url(database_url)
    if url.get_backend_name() != "sqlite":
        return create_async_engine(url, pool_pre_ping=True)
    engine = create_async_engine(url.set(drivername="sqlite+aiosqlite"))
    event.listen(engine.sync_engine, "connect", _prepare_sqlite)
    event.listen(engine.sync_engine, "begin", _begin_sqlite)
    return engine


def reading(engine: AsyncEngine) -> AsyncEngine:
    """Return the same engine for transactions that only read (on SQLite they take the lock when they first write)."""
    return engine.execution_options(begin="BEGIN")


async def create_tables(engine: AsyncEngine, metadata: MetaData) -> None:
    """Create the tables that are not there yet."""
    async with engine.begin() as conn:
        await conn.run_sync(metadata.create_all)


def _prepare_sqlite(connection: Any, _record: object) -> None:  # noqa: ANN401 - the driver's connection has no type
    connection.isolation_level = None  # transactions begin where SQLAlchemy says so, not where the driver guesses
    cursor = connection.cursor()
    for pragma in _PRAGMAS:
        cursor.execute(pragma)
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    connection.exec_driver_sql(connection.get_execution_options().get("begin", "BEGIN IMMEDIATE"))
