"""Databases of every released version become those of today, whoever starts, and however many at once.

`released/<service>-<revision>.sql` is a dump of what that release made on SQLite, with rows in every table. Add one for
each release, change none.
"""

import asyncio
import sqlite3
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, MetaData, inspect, select, text
from sqlalchemy.ext.asyncio import AsyncEngine

from deploy.revision import METADATA, metadata_of
from shared.database import open_engine
from shared.migrations import NewerDatabaseError, migrate, newest
from shared.migrations.alembic_runs import config_of, drift, write_revision
from tests.harness.databases import Database

RELEASED = sorted((Path(__file__).parent / "released").glob("*.sql"))
FAILING = "tests.integration.migrations.failing"
Rows = dict[str, list[dict[str, Any]]]


def package(service: str) -> str:
    """Return the package that holds the revisions of a service."""
    return f"services.{service}.migrations"


@pytest.fixture
async def engine(database: Database) -> AsyncIterator[AsyncEngine]:
    """Yield an engine for a database in which nothing was ever made."""
    engine = database.engine("tables")
    yield engine
    await engine.dispose()


def dumped(dump: Path) -> Rows:
    """Return the rows of a dump, by table."""
    base = sqlite3.connect(":memory:")
    base.row_factory = sqlite3.Row
    base.executescript(dump.read_text())
    names = [row[0] for row in base.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    return {name: [dict(row) for row in base.execute(f'SELECT * FROM "{name}"')] for name in names}  # noqa: S608


async def restore(engine: AsyncEngine, dump: Path, database: Database) -> None:
    """Make the database as the release left it."""
    service, revision = dump.stem.split("-")
    if not database.url:
        with sqlite3.connect(engine.url.database or "") as base:
            base.executescript(await asyncio.to_thread(dump.read_text))
        return
    await migrate(engine, package(service), revision)
    async with engine.begin() as conn:
        tables = MetaData()
        await conn.run_sync(tables.reflect)
        rows = dumped(dump)
        for table in tables.sorted_tables:
            if table.name != "alembic_version":
                kinds = {column.name: column.type.python_type for column in table.columns}
                given = [{name: _as(kinds[name], value) for name, value in row.items()} for row in rows[table.name]]
                await conn.execute(table.insert(), given)


def _as(kind: type, value: object) -> object:
    return bool(value) if kind is bool else value


async def rows_of(engine: AsyncEngine) -> Rows:
    """Return all rows of a database, by table."""
    tables = MetaData()
    async with engine.connect() as conn:
        await conn.run_sync(tables.reflect)
        return {
            name: [dict(row) for row in (await conn.execute(select(table))).mappings()]
            for name, table in tables.tables.items()
        }


@pytest.mark.parametrize("dump", RELEASED, ids=lambda dump: dump.stem)
async def test_a_database_of_every_release_becomes_one_of_today(
    dump: Path, engine: AsyncEngine, database: Database
) -> None:
    """All rows that are still kept are there, and the tables are those that the code expects."""
    service = dump.stem.partition("-")[0]
    await restore(engine, dump, database)
    await migrate(engine, package(service))
    now = await rows_of(engine)
    for name, before in dumped(dump).items():
        if name not in now or name == "alembic_version":
            continue
        if name == "directory_position":  # none: a revision has PEOPLE read anew
            assert now[name] == []
            continue
        assert len(now[name]) == len(before) == 2, name
        for was in before:
            assert any(all(row[column] == was[column] for column in row.keys() & was) for row in now[name]), (name, was)
    async with engine.connect() as conn:
        assert await conn.run_sync(drift, metadata_of(service)) == []


@pytest.mark.parametrize("service", METADATA)
async def test_the_newest_revision_makes_the_tables_of_the_code(service: str, engine: AsyncEngine) -> None:
    """Whoever changes a table without a revision fails here: `make revision` writes it."""
    await migrate(engine, package(service))
    async with engine.connect() as conn:
        assert await conn.run_sync(drift, metadata_of(service)) == []


def made_of(file: str) -> dict[str, Any]:
    """Return all that a file of SQLite consists of: tables, their columns and keys, indexes, references, triggers."""
    base = sqlite3.connect(file)
    found: dict[str, Any] = {}
    for _, name, kind, _, unkeyed, strict in base.execute("PRAGMA table_list").fetchall():
        ask = "SELECT * FROM pragma_{}(?)".format  # one row a column
        columns = {row[1]: row[2:] for row in base.execute(ask("table_xinfo"), (name,))}
        indexes = {
            (row[1] if row[3] == "c" else row[3], *row[2:]): [
                part[2:] for part in base.execute(ask("index_xinfo"), (row[1],)) if part[5] or part[2] is not None
            ]
            for row in base.execute(ask("index_list"), (name,))
        }
        references = sorted(row[2:] for row in base.execute(ask("foreign_key_list"), (name,)))
        found[name] = (kind, unkeyed, strict, columns, indexes, references)
    found["triggers"] = base.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").fetchall()
    found["partial"] = sorted(base.execute("SELECT name FROM sqlite_master WHERE sql LIKE '%INDEX%WHERE%'"))
    found["version"] = base.execute("SELECT version_num FROM alembic_version").fetchall()
    return found


@pytest.mark.parametrize("service", METADATA)
async def test_a_file_that_holds_nothing_gets_what_the_revisions_make(service: str, tmp_path: Path) -> None:
    """The short way to the tables of today leads to the same tables, and says so by the same number."""
    files = [str(tmp_path / name) for name in ("short.sqlite3", "long.sqlite3")]
    for file, tables in zip(files, (metadata_of(service), []), strict=True):
        engine = open_engine(f"sqlite:///{file}")
        await migrate(engine, package(service), tables=tables)
        await engine.dispose()
    short, long = map(made_of, files)
    assert short == long


@pytest.mark.parametrize("service", METADATA)
def test_the_newest_revision_has_the_highest_number(service: str) -> None:
    """By which a start knows, without Alembic, that nothing is to be done."""
    assert ScriptDirectory.from_config(config_of(package(service))).get_current_head() == newest(package(service))


@pytest.mark.parametrize("service", METADATA)
async def test_several_that_start_at_once_migrate_once(service: str, engine: AsyncEngine, database: Database) -> None:
    """Each process finds the tables of today, none fails."""
    command = ("-m", "tests.integration.migrations.starting", database.url_of("tables"), package(service))
    starting = [await asyncio.create_subprocess_exec(sys.executable, *command) for _ in range(3)]
    assert [await process.wait() for process in starting] == [0, 0, 0]
    async with engine.connect() as conn:
        assert len((await conn.execute(text("SELECT version_num FROM alembic_version"))).all()) == 1
        assert await conn.run_sync(drift, metadata_of(service)) == []


async def test_a_migration_that_fails_changes_nothing(engine: AsyncEngine) -> None:
    """The database stays at the revision it was at, without half of the next."""
    await migrate(engine, FAILING, "0001")
    with pytest.raises(ZeroDivisionError):
        await migrate(engine, FAILING)
    async with engine.connect() as conn:
        assert await conn.run_sync(_tables) == {"alembic_version", "good"}
        assert await conn.scalar(text("SELECT version_num FROM alembic_version")) == "0001"


def _tables(connection: Connection) -> set[str]:
    return set(inspect(connection).get_table_names())


async def test_a_database_of_a_newer_program_is_refused(engine: AsyncEngine) -> None:
    """The older program does not start on tables it does not know."""
    await migrate(engine, package("planner"))
    async with engine.begin() as conn:
        await conn.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(NewerDatabaseError, match="revision 9999"):
        await migrate(engine, package("planner"))


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
async def test_a_new_revision_is_written_from_the_code(
    engine: AsyncEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the tables in the code have beyond the last revision becomes the next, which then leaves no difference."""
    folder = tmp_path / "written" / "migrations"
    folder.mkdir(parents=True)
    for each in (folder, folder.parent):
        (each / "__init__.py").touch()
    monkeypatch.syspath_prepend(str(tmp_path))
    wanted = metadata_of("planner")
    await migrate(engine, "written.migrations")
    async with engine.connect() as conn:
        path = await conn.run_sync(write_revision, "written.migrations", wanted, "All of it")
    assert Path(path).name == "r0001_all_of_it.py"
    await migrate(engine, "written.migrations")
    async with engine.connect() as conn:
        assert await conn.run_sync(drift, wanted) == []
