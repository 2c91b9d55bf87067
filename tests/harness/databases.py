"""Where a test keeps its tables: SQLite files in a folder, or a database in PostgreSQL with a schema for each name.

`POSTHASTE_TEST_DATABASE=postgresql` lets the whole suite run there; otherwise everything runs on SQLite, and what
concerns SQL on both. `lay` and `laid` spare services that a test starts all their revisions, one after the other: 0.4 s
of each start, and tests/integration/migrations is about that.
"""

import asyncio
import functools
import os
import shutil
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy.ext.asyncio import AsyncEngine

from shared.database import open_engine
from shared.migrations import migrate
from tests.harness.postgres import shared_server

KIND = os.environ.get("POSTHASTE_TEST_DATABASE", "sqlite")
"""Where the whole suite runs."""
KINDS = ("postgresql",) if KIND == "postgresql" else ("sqlite", "postgresql")
"""Where tests run that concern SQL."""


@dataclass(frozen=True)
class Database:
    """One empty place; `url` is what services get as POSTHASTE_DATABASE_URL, "" for SQLite in their data folder."""

    folder: Path
    url: str = ""

    def url_of(self, name: str) -> str:
        """Return the URL under which the tables called `name` are."""
        return self.url or f"sqlite:///{self.folder / name}.sqlite3"

    def engine(self, name: str = "views") -> AsyncEngine:
        """Return an engine for the tables called `name`; the schema has still to be made, see `fresh`."""
        return open_engine(self.url_of(name), name)

    async def fresh(self, name: str = "views") -> AsyncEngine:
        """Return an engine for new tables."""
        engine = self.engine(name)
        if self.url:
            async with engine.begin() as conn:
                await conn.exec_driver_sql(f"CREATE SCHEMA IF NOT EXISTS {name}")
        return engine


@contextmanager
def database_of(kind: str, folder: Path, *, laid: bool = False) -> Iterator[Database]:
    """Yield a place of a kind, empty or, with `laid`, with the empty tables of planner and reporting."""
    if kind == "sqlite":
        if laid:
            lay(folder)
        yield Database(folder)
        return
    server = shared_server()
    url = server.create(_model() if laid else "")
    try:
        yield Database(folder, url)
    finally:
        server.drop(url)


def lay(folder: Path) -> None:
    """Put empty files of the newest revision where planner and reporting will look for theirs."""
    folder.mkdir(parents=True, exist_ok=True)
    for made in Path(_made().name).glob("*.sqlite3"):
        if not (folder / made.name).exists():
            shutil.copyfile(made, folder / made.name)


@functools.cache
def _made() -> tempfile.TemporaryDirectory[str]:
    folder = tempfile.TemporaryDirectory(prefix="posthaste-tables-")
    _filled(Database(Path(folder.name)))
    return folder


@functools.cache
def _model() -> str:
    """Return the URL of a database that others are copied from."""
    url = shared_server().create()
    _filled(Database(Path(), url))
    return url


def _filled(database: Database) -> None:
    with ThreadPoolExecutor(1) as pool:  # a loop of its own: the caller's may be running
        pool.submit(asyncio.run, _fill(database)).result()


async def _fill(database: Database) -> None:
    for name in ("planner", "reporting"):
        engine = database.engine(name)
        await migrate(engine, f"services.{name}.migrations")
        await engine.dispose()
