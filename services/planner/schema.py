"""The planner's tables share this metadata; each table stands in the module that owns it.

Everything here is reference data (contacts, lists), a cache of the log and its objects, or a mark of what was done:
statuses of mailings are never decided from it.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, nullcontext
from typing import Any, cast

from sqlalchemy import Executable, MetaData, Table, bindparam
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from shared import metrics
from shared.database import is_postgresql

METADATA = MetaData()

_SECONDS = (0.005, 0.01, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.5, 1.0, 2.0, 5.0)
_TRANSACTIONS = metrics.histogram(
    "posthaste_write_transaction_seconds", "Time a writing transaction was open", buckets=_SECONDS
)


class FairEngine(AsyncEngine):
    """An engine that measures its writing transactions; on SQLite they take turns, first come, first served.

    SQLite has one writer, and who waits for it in SQLite polls: a long import would keep the others out for seconds.
    """

    def __init__(self, engine: AsyncEngine) -> None:
        super().__init__(engine.sync_engine)
        self._turn = nullcontext() if is_postgresql(engine) else asyncio.Lock()

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


async def roomy(conn: AsyncConnection) -> None:
    """Let a connection that touches pages all over an index keep 8 MB of them, and checkpoint less often (SQLite)."""
    if conn.dialect.name == "sqlite":
        await conn.exec_driver_sql("PRAGMA cache_size = -8000")
        await conn.exec_driver_sql("PRAGMA wal_autocheckpoint = 8000")
