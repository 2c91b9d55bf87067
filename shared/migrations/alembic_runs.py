"""What Alembic does for `shared.migrations`: brings a database to a revision, compares, writes new revisions."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Any
from weakref import WeakKeyDictionary

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, MetaData, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from sqlalchemy.schema import CreateSchema

from shared.database import in_turn, is_postgresql
from shared.migrations import NewerDatabaseError

logger = logging.getLogger(__name__)

_PATIENCE_MS = 120_000

# Alembic keeps what it works on in the module: two migrations of one process would write into one database.
_turns: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Lock] = WeakKeyDictionary()


def config_of(package: str) -> Config:
    """Return what Alembic needs to know of the revisions in `package`, e.g. `services.planner.migrations`."""
    parent, _, folder = package.rpartition(".")
    config = Config()
    config.set_main_option("script_location", "shared:migrations")
    config.set_main_option("version_locations", f"{parent}:{folder}")
    config.set_main_option("path_separator", "newline")
    config.set_main_option("file_template", "r%%(rev)s_%%(slug)s")
    return config


async def migrate(engine: AsyncEngine, package: str, revision: str = "head") -> None:
    """Bring the database to `revision`.

    Raises:
        NewerDatabaseError: It is at a revision that this program does not know.
    """
    run = _with(config_of(package), lambda config: _upgrade(config, revision))
    async with _turns.setdefault(asyncio.get_running_loop(), asyncio.Lock()):
        await _migrate(engine, run)


async def _migrate(engine: AsyncEngine, run: Callable[[Connection], Any]) -> None:
    if is_postgresql(engine):
        async with engine.begin() as conn:
            await _settle_postgresql(conn)
            await conn.run_sync(run)
        return
    async with engine.connect() as conn:
        await _pragma(conn, f"busy_timeout = {_PATIENCE_MS}")
        await _pragma(conn, "foreign_keys = OFF")  # a table that is made anew would take along what refers to it
        try:
            async with conn.begin():
                await conn.run_sync(run)
        finally:
            await conn.invalidate()  # whoever comes next gets a connection with the usual settings


async def _settle_postgresql(conn: AsyncConnection) -> None:
    """Wait for the turn, for as long as it takes, and see to the schema."""
    await conn.execute(text("SET LOCAL lock_timeout = 0"))
    await conn.execute(text("SET LOCAL statement_timeout = 0"))
    await in_turn(conn, "migrations")
    schema = str(await conn.scalar(text("SELECT current_setting('search_path')")))
    if "," in schema:  # nobody asked for a schema of our own
        return
    if not await conn.scalar(text("SELECT count(*) FROM pg_namespace WHERE nspname = :schema"), {"schema": schema}):
        await conn.execute(CreateSchema(schema))


async def _pragma(conn: AsyncConnection, pragma: str) -> None:
    """Set what can be set only outside of a transaction."""
    driver = (await conn.get_raw_connection()).driver_connection
    assert driver is not None  # noqa: S101 - a connection that was just checked out
    await driver.execute(f"PRAGMA {pragma}")


def _with(config: Config, work: Callable[[Config], Any]) -> Callable[[Connection], Any]:
    def run(connection: Connection) -> Any:  # noqa: ANN401 - whatever `work` returns
        config.attributes["connection"] = connection
        return work(config)

    return run


def _upgrade(config: Config, revision: str) -> None:
    at = MigrationContext.configure(config.attributes["connection"]).get_current_revision()
    script = ScriptDirectory.from_config(config)
    known = {each.revision for each in script.walk_revisions()}
    if at is not None and at not in known:
        raise NewerDatabaseError(f"the database is at revision {at}, this program knows {script.get_current_head()}")
    command.upgrade(config, revision)
    if at != script.get_current_head():
        logger.info("migrated from %s to %s", at or "nothing", revision)


def drift(connection: Connection, metadata: Sequence[MetaData]) -> list[Any]:
    """Return how the tables differ from what `metadata` says, as Alembic tells it; nothing where they are the same."""
    defaults = connection.dialect.name == "postgresql"  # SQLite tells them otherwise than they were given
    context = MigrationContext.configure(connection, opts={"compare_server_default": defaults})
    return list(compare_metadata(context, list(metadata)))  # type: ignore[arg-type]  # it takes several


def write_revision(connection: Connection, package: str, metadata: Sequence[MetaData], message: str) -> str:
    """Write a revision that brings a database at head to what `metadata` says; return its path."""
    config = config_of(package)
    config.attributes |= {"connection": connection, "metadata": list(metadata)}
    number = len(list(ScriptDirectory.from_config(config).walk_revisions())) + 1
    written: Any = command.revision(config, message, autogenerate=True, rev_id=f"{number:04}")
    return str(written.path)
