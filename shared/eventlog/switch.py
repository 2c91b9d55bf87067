"""Put rebuilt rows in place of the live ones, in one transaction on the live database.

SQLite reads them from the attached file. PostgreSQL takes them by COPY, page by page; where the tables are of the same
version, rows are deleted rather than tables dropped, so that who reads an older snapshot still finds them.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from sqlalchemy import Table, delete, select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from shared.bulk import append_rows
from shared.database import is_postgresql, reading

_ROWS = 2000


@asynccontextmanager
async def opened(live: AsyncEngine, path: str) -> AsyncIterator[AsyncConnection]:
    """Yield a connection to the live database that can reach the file; what it has not committed is rolled back."""
    if is_postgresql(live):
        async with live.connect() as conn:
            yield conn
        return
    async with reading(live).connect() as conn:  # locks what it writes, not the attached file
        driver: Any = (await conn.get_raw_connection()).driver_connection
        await driver.execute("ATTACH DATABASE ? AS rebuilt", (path,))
        try:
            yield conn
        finally:
            await conn.rollback()  # after a commit this does nothing
            await driver.execute("DETACH DATABASE rebuilt")


async def put_in_place(
    conn: AsyncConnection, shadow: AsyncEngine, tables: Sequence[Table], *, same_version: bool
) -> None:
    """Replace the rows of `tables`, those others refer to first, by those of `shadow`."""
    keep = same_version and is_postgresql(conn)
    for table in reversed(tables):
        if keep:
            await conn.execute(delete(table))
        else:
            await conn.run_sync(table.drop, checkfirst=True)
    for table in tables:
        if not keep:
            await conn.run_sync(table.create)
        if is_postgresql(conn):
            await _copied(conn, shadow, table)
        else:
            await _moved(conn, table)


async def _copied(conn: AsyncConnection, shadow: AsyncEngine, table: Table) -> None:
    async with reading(shadow).connect() as source:
        rows = await source.stream(select(*table.c).execution_options(yield_per=_ROWS))
        async for page in rows.partitions():
            await append_rows(conn, table, [tuple(row) for row in page])


async def _moved(conn: AsyncConnection, table: Table) -> None:
    quoted = conn.dialect.identifier_preparer.quote
    columns = ", ".join(quoted(column.name) for column in table.columns)
    name = quoted(table.name)
    await conn.exec_driver_sql(
        f"INSERT INTO main.{name} ({columns}) SELECT {columns} FROM rebuilt.{name}"  # noqa: S608 - own names
    )
