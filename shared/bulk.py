"""Many rows at once, given as tuples, each database by its fastest way (measured; decision 0014).

PostgreSQL takes rows that are surely new by COPY, others as one array a column; SQLite takes both from its driver, row
by row. Values must be what the driver takes: int, float, str, bytes, None.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import ARRAY, Table, bindparam, func, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Dialect
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.database import is_postgresql

Row = tuple[Any, ...]


def insert_into(dialect: Dialect, table: Table) -> Any:  # noqa: ANN401 - the two dialects share no base that has on_conflict
    """Return the dialect's insert, which knows `on_conflict_do_...`."""
    return (postgresql if dialect.name == "postgresql" else sqlite).insert(table)


def from_arrays(statement: Any, table: Table, names: Sequence[str]) -> Any:  # noqa: ANN401 - as above
    """Return the insert that takes its rows from one array a column (PostgreSQL)."""
    columns = [func.unnest(bindparam(f"p_{name}", type_=ARRAY(table.c[name].type))) for name in names]
    return statement.from_select(list(names), select(*columns))


async def append_rows(conn: AsyncConnection, table: Table, rows: Sequence[Row]) -> None:
    """Insert rows that are not there yet, in the order of the table's columns; `conn` has executed something before."""
    if not rows:
        return
    if is_postgresql(conn):
        # The driver knows nothing of a transaction that only SQLAlchemy has begun, hence the condition above.
        driver: Any = (await conn.get_raw_connection()).driver_connection
        await driver.copy_records_to_table(table.name, records=rows, columns=table.c.keys())
        return
    await conn.exec_driver_sql(_plain(conn.dialect, table, table.c.keys()), list(rows))


async def insert_absent(conn: AsyncConnection, table: Table, names: Sequence[str], rows: Sequence[Row]) -> None:
    """Insert rows whose key is not there yet; those that are there stay as they are."""
    if not rows:
        return
    statement = insert_into(conn.dialect, table)
    if is_postgresql(conn):
        compiled = from_arrays(statement, table, names).on_conflict_do_nothing().compile(dialect=conn.dialect)
        await conn.exec_driver_sql(str(compiled), columns_of(rows))
        return
    await conn.exec_driver_sql(f"{_plain(conn.dialect, table, names)} ON CONFLICT DO NOTHING", list(rows))


def columns_of(rows: Sequence[Row]) -> Row:
    """Return one list a column, as `from_arrays` takes them."""
    return tuple(map(list, zip(*rows, strict=True)))


def _plain(dialect: Dialect, table: Table, names: Sequence[str]) -> str:
    values: Mapping[str, Any] = {name: bindparam(name, type_=table.c[name].type) for name in names}
    return str(table.insert().values(values).compile(dialect=dialect))
