"""Core statements run for many rows at once, given as tuples: one statement, one call of the driver.

SQLAlchemy writes the SQL once per dialect; the rows go to the driver as they are, which costs a third of what named
parameters cost (measured on SQLite). Values must therefore be what the driver takes: int, float, str, bytes, None.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from sqlalchemy import Table, bindparam, case, func, update
from sqlalchemy.engine import Dialect
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql.base import Executable
from sqlalchemy.sql.elements import ColumnElement

from shared.bulk import Row, columns_of, from_arrays, insert_into
from shared.database import is_postgresql

Merge = Literal["replace", "add", "least", "most"]


class _Bulk:
    """A statement compiled once per dialect."""

    _columns: list[str] | None = None  # an insert takes its columns from here, an update says them itself

    def __init__(self, table: Table, names: Sequence[str]) -> None:
        self.table = table
        self.names = tuple(names)
        self._sql: dict[str, str] = {}

    def _statement(self, dialect: Dialect) -> Executable:
        raise NotImplementedError

    def _compiled(self, dialect: Dialect) -> str:
        if dialect.name not in self._sql:
            statement: Any = self._statement(dialect)
            compiled = statement.compile(dialect=dialect, column_keys=self._columns)
            order = tuple(name.removeprefix("p_") for name in compiled.positiontup)
            if order != self.names:
                raise ValueError(f"{self.table.name}: rows are given as {self.names}, the statement takes {order}")
            self._sql[dialect.name] = str(compiled)
        return self._sql[dialect.name]

    async def run(self, conn: AsyncConnection, rows: Sequence[Row]) -> None:
        """Run it for each row, in order; nothing happens where there is none."""
        if rows:
            await conn.exec_driver_sql(self._compiled(conn.dialect), list(rows))


class Upsert(_Bulk):
    """Insert rows; where the key is there already, merge as `merge` says for each column, or do nothing."""

    def __init__(self, table: Table, names: Sequence[str], merge: Mapping[str, Merge] | None = None) -> None:
        super().__init__(table, names)
        self._columns = list(names)
        self._merge = merge or {}
        self._keys = len(table.primary_key.columns)
        self._arrays = ""
        if tuple(names[: self._keys]) != tuple(table.primary_key.columns.keys()):
            raise ValueError(f"{table.name}: rows begin with the key")

    def _merged(self, name: str, new: ColumnElement[Any]) -> ColumnElement[Any]:
        old = self.table.c[name]
        match self._merge[name]:
            case "add":
                return old + new
            case "least":
                return case((old < new, old), else_=new)
            case "most":
                return case((old > new, old), else_=new)
            case _:
                return new

    async def run(self, conn: AsyncConnection, rows: Sequence[Row]) -> None:
        """Run it for each row, in order; on PostgreSQL all rows are one statement, unless two have the same key."""
        many = len(rows) > 1 and is_postgresql(conn)
        if not many or (self._merge and len({row[: self._keys] for row in rows}) < len(rows)):
            await super().run(conn, rows)
            return
        if not self._arrays:
            source = from_arrays(insert_into(conn.dialect, self.table), self.table, self.names)
            self._arrays = str(self._on_conflict(source).compile(dialect=conn.dialect))
        await conn.exec_driver_sql(self._arrays, columns_of(rows))

    def _statement(self, dialect: Dialect) -> Executable:
        statement: Executable = self._on_conflict(insert_into(dialect, self.table))
        return statement

    def _on_conflict(self, insert: Any) -> Any:  # noqa: ANN401 - of either dialect
        if not self._merge:
            return insert.on_conflict_do_nothing()
        return insert.on_conflict_do_update(
            index_elements=list(self.table.primary_key.columns),
            set_={name: self._merged(name, insert.excluded[name]) for name in self._merge},
        )


class Settle(_Bulk):
    """Update rows by their key: `sets` are replaced, `keeps` replaced unless None is given, `adds` added to."""

    def __init__(
        self, table: Table, *, sets: Sequence[str] = (), keeps: Sequence[str] = (), adds: Sequence[str] = ()
    ) -> None:
        keys = [column.name for column in table.primary_key.columns]
        super().__init__(table, [*sets, *keeps, *adds, *keys])
        self._sets, self._keeps, self._adds, self._keys = sets, keeps, adds, keys

    def _bound(self, name: str) -> Any:  # noqa: ANN401 - a bind of whatever type the column has
        return bindparam(f"p_{name}", type_=self.table.c[name].type)

    def _statement(self, dialect: Dialect) -> Executable:  # noqa: ARG002 - the same in both
        column = self.table.c
        values = (
            [(column[name], self._bound(name)) for name in self._sets]
            + [(column[name], func.coalesce(self._bound(name), column[name])) for name in self._keeps]
            + [(column[name], column[name] + self._bound(name)) for name in self._adds]
        )
        return (
            update(self.table).ordered_values(*values).where(*(column[key] == self._bound(key) for key in self._keys))
        )


async def insert_new(conn: AsyncConnection, table: Table, rows: Sequence[Mapping[str, Any]]) -> set[Row]:
    """Insert the rows whose key is not there yet and return the keys of those: facts count once, however often told."""
    if not rows:
        return set()
    keys = list(table.primary_key.columns)
    statement = insert_into(conn.dialect, table).on_conflict_do_nothing().returning(*keys)
    return {tuple(row) for row in await conn.execute(statement, list(rows))}
