"""Where a test keeps its tables: SQLite files in a folder, or a database in PostgreSQL with a schema for each name.

`POSTHASTE_TEST_DATABASE=postgresql` lets the whole suite run there; otherwise everything runs on SQLite, and what
concerns SQL on both.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy.ext.asyncio import AsyncEngine

from shared.database import open_engine
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
