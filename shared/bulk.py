"""Many rows or keys at once, each database by its fastest way (measured; decision 0014).

PostgreSQL takes rows that are surely new by COPY, others as one array a column; SQLite takes both from its driver, row
by row. Statements are compiled once. SQLite's driver is spoken to directly: a statement is one way to its thread and
back, where SQLAlchemy takes four. Values must be what the driver takes: int, float, str, bytes, None.
"""

import sqlite3
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

import orjson
from sqlalchemy import ARRAY, ColumnElement, String, Table, Text, any_, bindparam, func, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Dialect
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.database import is_postgresql

Row = tuple[Any, ...]
_BY_INDEX = "SELECT " + ", ".join(
    f"set_config('enable_{plan}', 'off', true)" for plan in ("seqscan", "hashjoin", "mergejoin")
)
_STATEMENTS = 64  # kept compiled: compiling one takes as long as fifty rows


def insert_into(dialect: Dialect, table: Table) -> Any:  # noqa: ANN401 - the two dialects share no base that has on_conflict
    """Return the dialect's insert, which knows `on_conflict_do_...`."""
    return (postgresql if dialect.name == "postgresql" else sqlite).insert(table)


def from_arrays(statement: Any, table: Table, names: Sequence[str]) -> Any:  # noqa: ANN401 - as above
    """Return the insert that takes its rows from one array a column (PostgreSQL)."""
    columns = [func.unnest(bindparam(f"p_{name}", type_=ARRAY(table.c[name].type))) for name in names]
    return statement.from_select(list(names), select(*columns))


def inserting(dialect: Dialect, table: Table, names: Sequence[str]) -> Any:  # noqa: ANN401 - as above
    """Return the insert that takes its rows as `run_at_once` gives them."""
    statement = insert_into(dialect, table)
    if dialect.name == "postgresql":
        return from_arrays(statement, table, names)
    return statement.values({name: bindparam(name, type_=table.c[name].type) for name in names})


async def append_rows(conn: AsyncConnection, table: Table, rows: Sequence[Row]) -> None:
    """Insert rows that are not there yet, in the order of the table's columns; `conn` has executed something before."""
    if not rows:
        return
    if is_postgresql(conn):
        # The driver knows nothing of a transaction that only SQLAlchemy has begun, hence the condition above.
        await (await _driver(conn)).copy_records_to_table(table.name, records=rows, columns=table.c.keys())
        return
    await run_many(conn, _plain(conn.dialect, table, tuple(table.c.keys())), rows)


async def insert_absent(conn: AsyncConnection, table: Table, names: Sequence[str], rows: Sequence[Row]) -> None:
    """Insert rows whose key is not there yet; those that are there stay as they are."""
    if rows:
        await run_at_once(conn, _absent(conn.dialect, table, tuple(names)), rows)


async def update_rows(conn: AsyncConnection, table: Table, names: Sequence[str], rows: Sequence[Row]) -> None:
    """Change the rows whose key is the first of `names`; each key comes once."""
    if rows:
        sql = _update(conn.dialect, table, tuple(names))
        if is_postgresql(conn):
            await by_index(conn)
            await conn.exec_driver_sql(sql, columns_of(rows))
        else:
            await run_many(conn, sql, [(*row[1:], row[0]) for row in rows])


async def replace_rows(conn: AsyncConnection, table: Table, rows: Sequence[Row]) -> None:
    """Insert whole rows, in the order of the table's columns; each takes the place of the one with its key."""
    await run_many(conn, _replacing(conn.dialect, table), rows)


async def run_many(conn: AsyncConnection, sql: str, rows: Sequence[Row]) -> None:
    """Run a statement once for each row."""
    if rows and is_postgresql(conn):
        await conn.exec_driver_sql(sql, list(rows))
    elif rows:
        with _told(sql):
            await (await _driver(conn)).executemany(sql, rows)


async def run_at_once(conn: AsyncConnection, sql: str, rows: Sequence[Row]) -> None:
    """Run a statement made from `inserting`: PostgreSQL is given all rows, SQLite one after the other."""
    if rows and is_postgresql(conn):
        await conn.exec_driver_sql(sql, columns_of(rows))
    else:
        await run_many(conn, sql, rows)


async def by_index(conn: AsyncConnection) -> None:
    """Have PostgreSQL find the few rows this transaction asks for by index.

    It would read whole tables until there are statistics, which come long after the first rows; and no count of what
    an array or a page holds is ever good.
    """
    if is_postgresql(conn):
        await conn.exec_driver_sql(_BY_INDEX)


def among(conn: AsyncConnection, column: ColumnElement[Any], keys: Collection[str]) -> ColumnElement[bool]:
    """Return the condition that a column of text is one of the keys: one parameter, so that any number of them goes.

    Keys are ids and digests: text without NUL, at which SQLite would cut it off. SQLAlchemy writes a parameter for each
    key into the statement of an IN, which takes longer than to look them up.
    """
    if is_postgresql(conn):
        given_keys = bindparam(None, list(keys), type_=ARRAY(String))  # with a length, longer keys would be cut off
        return column == any_(given_keys)
    given = func.json_each(bindparam(None, orjson.dumps(list(keys)).decode(), type_=Text)).table_valued("value")
    return column.in_(select(given.c.value))


async def fetch(conn: AsyncConnection, sql: str, parameters: Row) -> Iterable[Any]:
    """Return all rows of a query."""
    if is_postgresql(conn):
        return await conn.exec_driver_sql(sql, parameters)
    with _told(sql):
        rows: Iterable[Any] = await (await _driver(conn)).execute_fetchall(sql, parameters)
    return rows


async def _driver(conn: AsyncConnection) -> Any:  # noqa: ANN401 - neither driver's connection has a type here
    return (await conn.get_raw_connection()).driver_connection


@contextmanager
def _told(sql: str) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:  # who called waits or gives up by what SQLAlchemy makes of it
        raise DBAPIError.instance(sql, None, error, sqlite3.Error) from error


def columns_of(rows: Sequence[Row]) -> Row:
    """Return one list a column, as `from_arrays` takes them."""
    return tuple(map(list, zip(*rows, strict=True)))


@lru_cache(_STATEMENTS)
def _plain(dialect: Dialect, table: Table, names: tuple[str, ...]) -> str:
    values: Mapping[str, Any] = {name: bindparam(name, type_=table.c[name].type) for name in names}
    return str(table.insert().values(values).compile(dialect=dialect))


@lru_cache(_STATEMENTS)
def _replacing(dialect: Dialect, table: Table) -> str:
    put = insert_into(dialect, table).values({c.name: bindparam(c.name, type_=c.type) for c in table.c})
    changed = {column.name: put.excluded[column.name] for column in table.c if not column.primary_key}
    keys = [column.name for column in table.primary_key]
    return str(put.on_conflict_do_update(index_elements=keys, set_=changed).compile(dialect=dialect))


@lru_cache(_STATEMENTS)
def _absent(dialect: Dialect, table: Table, names: tuple[str, ...]) -> str:
    return str(inserting(dialect, table, names).on_conflict_do_nothing().compile(dialect=dialect))


@lru_cache(_STATEMENTS)
def _update(dialect: Dialect, table: Table, names: tuple[str, ...]) -> str:
    key, *changed = names
    if dialect.name != "postgresql":
        values = {name: bindparam(name, type_=table.c[name].type) for name in changed}
        one = bindparam("of", type_=table.c[key].type)
        return str(update(table).where(table.c[key] == one).values(values).compile(dialect=dialect))
    arrays = [func.unnest(bindparam(f"p_{name}", type_=ARRAY(table.c[name].type))).label(name) for name in names]
    new = select(*arrays).subquery("new")
    statement = update(table).where(table.c[key] == new.c[key]).values({name: new.c[name] for name in changed})
    return str(statement.compile(dialect=dialect))
