"""SQL engines of the services: an SQLite file for each, or the PostgreSQL database that `POSTHASTE_DATABASE_URL` names.

On SQLite every transaction takes the write lock when it begins, so none is refused half-way because another wrote
meanwhile; it waits up to five seconds for its turn. The log of changes survives a killed process; a power cut may cost
the last transactions, which the views make again from the event log.

On PostgreSQL each service has a schema of its own name. Who reads and then writes what it read takes turns with others
by `in_turn`; what one process alone may do at a time it does under `alone`. On both, what only reads uses
`reading(engine)`, sees one snapshot and waits for nobody. Errors that pass by themselves are told by `is_away`.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from sqlalchemy import BigInteger, Connection, MetaData, cast, event, func, select
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import DBAPIError, DisconnectionError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from shared.settings import Settings

_PRAGMAS = (
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = NORMAL",
    "PRAGMA busy_timeout = 5000",
    "PRAGMA foreign_keys = ON",
)
_CONNECT_S = 10.0
_ANSWER_S = 90.0  # beyond what the server itself allows: the line is dead
_SERVER_SETTINGS = {
    "jit": "off",
    "lock_timeout": "10s",
    "statement_timeout": "60s",
    "idle_in_transaction_session_timeout": "5min",
    "timezone": "UTC",
}
_SQLITE_AWAY = ("locked", "busy", "disk", "full", "unable to open", "readonly")
_POSTGRES_AWAY = ("08", "40", "53", "57", "58")  # connection, lost race, resources, operator, system
_POSTGRES_AWAY_STATES = frozenset({"25006", "25P03", "55P03"})  # read-only standby, idle too long, lock not available


def create_engine(settings: Settings, name: str) -> AsyncEngine:
    """Return the engine for the tables of the service `name`."""
    if settings.database_url:
        return open_engine(settings.database_url, name, connections=settings.database_connections)
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    return open_engine(f"sqlite:///{settings.data_dir.resolve() / name}.sqlite3")


def open_engine(database_url: str, schema: str = "", *, connections: int = 10) -> AsyncEngine:
    """Return an engine for the URL with its asynchronous driver; on PostgreSQL its tables are in `schema`."""
    url = make_url(database_url)
    match url.get_backend_name():
        case "postgresql":
            return _open_postgresql(url, schema, connections)
        case "sqlite":
            from shared.sqlite import connect  # noqa: PLC0415 - PostgreSQL needs no driver of SQLite

            engine = create_async_engine(
                url.set(drivername="sqlite+aiosqlite"),
                pool_use_lifo=True,  # few warm caches
                connect_args={"async_creator_fn": connect},
            )
            event.listen(engine.sync_engine, "connect", _prepare_sqlite)
            event.listen(engine.sync_engine, "begin", _begin_sqlite)
            return engine
        case other:
            raise ValueError(f"POSTHASTE_DATABASE_URL is for {other}: only sqlite and postgresql are known")


def _open_postgresql(url: URL, schema: str, connections: int) -> AsyncEngine:
    if "sslmode" in url.query:  # as libpq spells it
        url = url.update_query_dict({"ssl": url.query["sslmode"]}).difference_update_query(["sslmode"])
    server_settings = {**_SERVER_SETTINGS, "application_name": f"posthaste {schema}".strip()}
    if schema:
        server_settings["search_path"] = schema
    engine = create_async_engine(
        url.set(drivername="postgresql+asyncpg"),
        pool_size=connections,
        max_overflow=0,
        connect_args={"timeout": _CONNECT_S, "command_timeout": _ANSWER_S, "server_settings": server_settings},
    )
    event.listen(engine.sync_engine, "checkout", _refuse_closed)
    return engine


def is_postgresql(database: AsyncEngine | AsyncConnection) -> bool:
    """Return whether it is PostgreSQL rather than SQLite."""
    return database.dialect.name == "postgresql"


def reading(engine: AsyncEngine) -> AsyncEngine:
    """Return the same engine for transactions that only read (on SQLite they take the lock when they first write)."""
    if is_postgresql(engine):
        return engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
    return engine.execution_options(begin="BEGIN")


def is_away(error: BaseException) -> bool:
    """Return whether an error is the database's and passes, so that the same work may be tried again."""
    if isinstance(error, OSError | PoolTimeoutError):  # nobody listens, or nobody answers
        return True
    cause = error.orig if isinstance(error, DBAPIError) else error
    if "sqlite" in type(cause).__module__:
        return any(word in str(cause) for word in _SQLITE_AWAY)
    state = getattr(cause, "sqlstate", None) or ""
    no_line = isinstance(error, DBAPIError) and (error.connection_invalidated or error.statement is None)
    return no_line or state.startswith(_POSTGRES_AWAY) or state in _POSTGRES_AWAY_STATES


async def in_turn(conn: AsyncConnection, what: str) -> None:
    """Wait until no other transaction that said the same is open; on SQLite none is, by how transactions begin."""
    if is_postgresql(conn):
        await conn.execute(select(func.pg_advisory_xact_lock(_lock_of(what))))


@asynccontextmanager
async def alone(engine: AsyncEngine, what: str) -> AsyncIterator[bool]:
    """Hold the right to do `what`, and yield whether it is ours: another process of the same service may have it.

    The right ends with its connection, so nobody has to clean up after a process that died. The file of SQLite has one
    process, whose right it always is.
    """
    if not is_postgresql(engine):
        yield True
        return
    async with engine.execution_options(isolation_level="AUTOCOMMIT").connect() as conn:
        held = bool(await conn.scalar(select(func.pg_try_advisory_lock(_lock_of(what)))))
        try:
            yield held
        finally:
            if held:
                await _let_go(conn, what)


async def _let_go(conn: AsyncConnection, what: str) -> None:
    try:
        await conn.execute(select(func.pg_advisory_unlock(_lock_of(what))))
    except SQLAlchemyError:  # the end of the connection lets go as well
        await conn.invalidate()
    except BaseException:
        await conn.invalidate()
        raise


def _lock_of(what: str) -> Any:  # noqa: ANN401 - an SQL expression
    return func.hashtextextended(func.current_setting("search_path") + f".{what}", cast(0, BigInteger))


async def create_tables(engine: AsyncEngine, metadata: MetaData) -> None:
    """Create the tables that are not there yet."""
    async with engine.begin() as conn:
        await in_turn(conn, "tables")
        await conn.run_sync(metadata.create_all)


def _refuse_closed(connection: Any, _record: object, _proxy: object) -> None:  # noqa: ANN401 - as below
    """Have the pool replace a connection that ended; the loop saw its end, so nobody need be asked (three ways)."""
    if connection.driver_connection.is_closed():
        raise DisconnectionError


def _prepare_sqlite(connection: Any, _record: object) -> None:  # noqa: ANN401 - the driver's connection has no type
    connection.isolation_level = None  # transactions begin where SQLAlchemy says so, not where the driver guesses
    cursor = connection.cursor()
    for pragma in _PRAGMAS:
        cursor.execute(pragma)
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    connection.exec_driver_sql(connection.get_execution_options().get("begin", "BEGIN IMMEDIATE"))
