"""Where a test keeps its tables: SQLite files in a folder, or a database in PostgreSQL with a schema for each name.

`POSTHASTE_TEST_DATABASE=postgresql` lets the whole suite run there; otherwise everything runs on SQLite, and what
concerns SQL on both. `lay` spares services that a test starts in a new folder all their revisions, one after the other.
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
def database_of(kind: str, folder: Path) -> Iterator[Database]:
    """Yield an empty place of a kind."""
    if kind == "sqlite":
        yield Database(folder)
        return
    server = shared_server()
    url = server.create()
    try:
        yield Database(folder, url)
    finally:
        server.drop(url)


def lay(folder: Path) -> None:
    """Put empty files of the newest revision where planner and reporting will look for theirs, as a start makes them.

    To load Alembic and run all revisions costs each service 0.4 s; tests/integration/migrations is about that.
    """
    if KIND == "sqlite":
        folder.mkdir(parents=True, exist_ok=True)
        for made in Path(_made().name).glob("*.sqlite3"):
            if not (folder / made.name).exists():
                shutil.copyfile(made, folder / made.name)


@functools.cache
def _made() -> tempfile.TemporaryDirectory[str]:
    folder = tempfile.TemporaryDirectory(prefix="posthaste-tables-")
    with ThreadPoolExecutor(1) as pool:  # a loop of its own: the caller's may be running
        pool.submit(asyncio.run, _make(Path(folder.name))).result()
    return folder


async def _make(folder: Path) -> None:
    for name in ("planner", "reporting"):
        engine = Database(folder).engine(name)
        await migrate(engine, f"services.{name}.migrations")
        await engine.dispose()
