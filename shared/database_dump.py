"""The tables of one service to a file and back, the same on SQLite and PostgreSQL: one JSON line a row.

    {"revision": "0003"}                                     the state of the tables (shared.migrations)
    {"table": "contacts", "columns": ["id", "address"]}      then its rows, one list each, until the next table

What is dumped is one snapshot, while others write. It is loaded into tables that are empty and of the same revision: a
dump of an older program is loaded by that program, which is upgraded afterwards. Whoever loads checks the file first.
"""

from base64 import b64decode, b64encode
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import orjson
from sqlalchemy import Connection, Integer, MetaData, Table, func, insert, select, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from shared.database import is_postgresql, reading

_VERSIONS = "alembic_version"
_AT_ONCE = 500


class DumpError(RuntimeError):
    """A dump cannot be loaded; the message says why."""


def _tables(conn: Connection) -> MetaData:
    found = MetaData()
    found.reflect(conn)
    return found


async def _revision(conn: AsyncConnection, tables: dict[str, Table]) -> str:
    if _VERSIONS not in tables:
        return ""
    return str(await conn.scalar(select(tables[_VERSIONS].c.version_num)) or "")


async def dump(engine: AsyncEngine, target: Path) -> int:
    """Write all tables to `target`; return how many rows there are."""
    count = 0
    async with _snapshot(engine).connect() as conn:
        ordered = (await conn.run_sync(_tables)).sorted_tables
        with target.open("wb") as file:
            _line(file, {"revision": await _revision(conn, {table.name: table for table in ordered})})
            for table in (table for table in ordered if table.name != _VERSIONS):
                _line(file, {"table": table.name, "columns": [column.name for column in table.columns]})
                async for row in await conn.stream(select(table).execution_options(yield_per=_AT_ONCE)):
                    _line(file, [_plain(value) for value in row])
                    count += 1
    return count


def _snapshot(engine: AsyncEngine) -> AsyncEngine:
    if is_postgresql(engine):
        return engine.execution_options(isolation_level="REPEATABLE READ")
    return reading(engine)


def _line(file: BinaryIO, value: object) -> None:
    file.write(orjson.dumps(value) + b"\n")


def _plain(value: object) -> object:
    return {"b64": b64encode(value).decode()} if isinstance(value, bytes) else value


def _value(value: Any) -> Any:  # noqa: ANN401 - a column of any type
    return b64decode(value["b64"]) if isinstance(value, dict) else value


async def load(engine: AsyncEngine, source: Path) -> int:
    """Fill the tables of a database that was migrated and is empty; return how many rows there are now.

    Raises:
        DumpError: The database holds rows, or has tables of another revision.
    """
    count, seen = 0, set[str]()
    async with engine.begin() as conn:
        tables = {table.name: table for table in (await conn.run_sync(_tables)).tables.values()}
        with source.open("rb") as file:
            revision, here = orjson.loads(file.readline())["revision"], await _revision(conn, tables)
            if revision != here:
                raise DumpError(f"{source.name} has tables of revision {revision}, the database of {here}")
            for name, columns, rows in _pieces(file):
                if name not in tables:
                    raise DumpError(f"{source.name} has a table {name}, the database has none")
                if name not in seen and await conn.scalar(select(func.count()).select_from(tables[name])):
                    raise DumpError(f"table {name} of the database holds rows: load into an empty one")
                seen.add(name)
                await conn.execute(
                    insert(tables[name]), [dict(zip(columns, map(_value, row), strict=True)) for row in rows]
                )
                count += len(rows)
        if is_postgresql(engine):
            for name in seen:
                await _count_on(conn, tables[name])
    return count


def _pieces(file: BinaryIO) -> Iterator[tuple[str, list[str], list[list[Any]]]]:
    """Yield some rows of one table at a time: its name, its columns, the rows."""
    name, columns, rows = "", list[str](), list[list[Any]]()
    for line in file:
        value = orjson.loads(line)
        if isinstance(value, list):
            rows.append(value)
        if rows and (len(rows) == _AT_ONCE or isinstance(value, dict)):
            yield name, columns, rows
            rows = []
        if isinstance(value, dict):
            name, columns = value["table"], value["columns"]
    if rows:
        yield name, columns, rows


async def _count_on(conn: AsyncConnection, table: Table) -> None:
    """Let numbers that PostgreSQL gives by itself go on behind those that were loaded."""
    for column in table.primary_key.columns:
        if isinstance(column.type, Integer) and column.server_default is not None:
            last = await conn.scalar(select(func.max(column)))
            sequence = await conn.scalar(func.pg_get_serial_sequence(table.name, column.name).select())
            if sequence and last:
                await conn.execute(text("SELECT setval(:sequence, :last)"), {"sequence": sequence, "last": last})
