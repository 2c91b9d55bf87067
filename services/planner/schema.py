"""The planner's tables share this metadata; each table stands in the module that owns it.

Everything here is reference data (contacts, lists), a cache of the log and its objects, or a mark of what was done:
statuses of mailings are never decided from it.
"""

import asyncio
import logging
import sqlite3
import time
from collections.abc import AsyncIterator, Collection, Iterator, Sequence
from contextlib import asynccontextmanager, nullcontext
from typing import Any, TypeVar, cast

from sqlalchemy import ColumnElement, Executable, MetaData, Select, Table, bindparam, event
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from shared import metrics
from shared.bulk import among
from shared.database import is_postgresql

METADATA = MetaData()
logger = logging.getLogger(__name__)

_SECONDS = (0.005, 0.01, 0.02, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 1.0, 2.0, 5.0)
_TRANSACTIONS = metrics.histogram(
    "posthaste_write_transaction_seconds", "Time a writing transaction was open", buckets=_SECONDS
)


_PRAGMAS = (
    "PRAGMA cache_size = -8000",  # imports touch pages all over an index
    "PRAGMA wal_autocheckpoint = 50000",  # a safety net only: `checkpoints` comes first
)
_CHECKPOINT = "PRAGMA wal_checkpoint(PASSIVE)"
_CHECKPOINT_S = 1.0
_PASSES = 2
_IN_ONE = 500
_Key = TypeVar("_Key")


class FairEngine(AsyncEngine):
    """An engine that measures its writing transactions; on SQLite they take turns, first come, first served.

    SQLite has one writer, and who waits for it in SQLite polls: a long import would keep the others out for seconds. It
    also lets the commit that fills its log of changes bring the log into the file, fsync included. Here `checkpoints`
    does that, beside the writers.
    """

    def __init__(self, engine: AsyncEngine) -> None:
        super().__init__(engine.sync_engine)
        self._sqlite = not is_postgresql(engine)
        self._turn = asyncio.Lock() if self._sqlite else nullcontext()
        self._wrote = asyncio.Event()
        if self._sqlite:
            event.listen(engine.sync_engine, "connect", _prepare)

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[AsyncConnection]:
        """Wait for the turn, then begin a transaction."""
        began = 0.0
        async with self._turn:
            try:
                async with super().begin() as conn:
                    began = time.perf_counter()
                    yield conn
            finally:
                if began:
                    _TRANSACTIONS.observe(time.perf_counter() - began)
        if self._sqlite:
            self._wrote.set()

    async def checkpoints(self) -> None:
        """Bring what was written into the file, for ever, every second in which there is something (SQLite)."""
        while True:
            await self._wrote.wait()
            self._wrote.clear()
            try:
                await self._checkpoint()
            except (SQLAlchemyError, sqlite3.Error) as error:  # the log of changes grows until it works again
                logger.warning("no checkpoint: %s", error)
                self._wrote.set()
            await asyncio.sleep(_CHECKPOINT_S)

    async def _checkpoint(self) -> None:
        async with self.connect() as conn:
            driver: Any = (await conn.get_raw_connection()).driver_connection  # no transaction is begun
            for _ in range(_PASSES):
                await driver.execute_fetchall(_CHECKPOINT)
            async with self._turn:  # nobody adds to it now: the next writer begins the log of changes anew
                await driver.execute_fetchall(_CHECKPOINT)


def _prepare(connection: Any, _record: object) -> None:  # noqa: ANN401 - the driver's connection has no type
    cursor = connection.cursor()
    for pragma in _PRAGMAS:
        cursor.execute(pragma)
    cursor.close()


def insert(conn: AsyncConnection, table: Table) -> sqlite.Insert:
    """Return an insert that knows ON CONFLICT, which SQLite and PostgreSQL spell alike."""
    if conn.dialect.name == "postgresql":
        return cast("sqlite.Insert", postgresql.insert(table))
    return sqlite.insert(table)


async def execute_many(conn: AsyncConnection, statement: Executable, rows: Sequence[tuple[Any, ...]]) -> None:
    """Run `statement` once for each row of plain values, given in the order of its parameters.

    It skips what the ORM layer does for each row, which costs more than SQLite itself.
    """
    if rows:
        compiled = statement.compile(dialect=conn.dialect)  # type: ignore[attr-defined]  # every statement compiles
        await conn.exec_driver_sql(str(compiled), list(rows))


def values_of(table: Table, *columns: str) -> dict[str, Any]:
    """Return named parameters for `Insert.values`, in the order in which rows hold them."""
    return {name: bindparam(name, type_=table.c[name].type) for name in columns}


def portions(keys: Sequence[_Key]) -> Iterator[Sequence[_Key]]:
    """Yield keys a few hundred at a time: what a statement may hold has an end."""
    for start in range(0, len(keys), _IN_ONE):
        yield keys[start : start + _IN_ONE]


async def rows_in(
    conn: AsyncConnection, query: Select[Any], column: ColumnElement[Any], keys: Collection[str]
) -> list[Any]:
    """Return the rows of a query whose column is one of the keys, however many these are."""
    return list(await conn.execute(query.where(among(conn, column, keys)))) if keys else []
