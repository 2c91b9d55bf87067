"""Tables over the versions: each service has its revisions, and brings its database to the newest when it starts.

A package of a service holds them (`services/<name>/migrations`). Alembic runs them (alembic_runs.py); it is loaded only
where the database is not at the newest already, since it takes 12 MiB for ever. A file of SQLite that holds nothing
gets the tables of today at once, and the number of the newest revision; a test holds them to what the revisions make.
Of several that start at once one migrates in one transaction, the others wait for it and find the work done; a failed
migration changes nothing. A database that was made before there were revisions has the tables of 0001, which makes
only what is missing.
"""

from collections.abc import Sequence
from importlib.resources import files

from sqlalchemy import Column, MetaData, String, Table, insert, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from shared.database import is_away, is_postgresql, reading

_AT = text("SELECT version_num FROM alembic_version")
_MADE = text("SELECT count(*) FROM sqlite_master")
_VERSION = Table("alembic_version", MetaData(), Column("version_num", String(32), primary_key=True, nullable=False))


class NewerDatabaseError(RuntimeError):
    """The database was migrated by a newer program."""


async def migrate(
    engine: AsyncEngine, package: str, revision: str = "head", *, tables: Sequence[MetaData] = ()
) -> None:
    """Bring the database to `revision`; `tables`: all of the service as the newest makes them.

    Raises:
        NewerDatabaseError: It is at a revision that this program does not know.
    """
    if revision == "head":
        if (at := await _at(engine)) == newest(package):
            return
        if not at and tables and not is_postgresql(engine) and await _made(engine, package, tables):
            return
    from shared.migrations import alembic_runs  # noqa: PLC0415 - Alembic is slow to load, and seldom needed

    await alembic_runs.migrate(engine, package, revision)


def newest(package: str) -> str:
    """Return the newest revision in `package`, by the numbers that start the names of its modules: `r0001_...`."""
    return max((file.name[1:5] for file in files(package).iterdir() if file.name.startswith("r")), default="")


async def _made(engine: AsyncEngine, package: str, tables: Sequence[MetaData]) -> bool:
    """Make all tables in a file that holds nothing; False where it holds something."""
    async with engine.begin() as conn:
        if await conn.scalar(_MADE):
            return False
        for metadata in (*tables, _VERSION.metadata):
            await conn.run_sync(metadata.create_all)
        await conn.execute(insert(_VERSION).values(version_num=newest(package)))
    return True


async def _at(engine: AsyncEngine) -> str:
    """Return the revision of a database, "" where there was none yet."""
    try:
        async with reading(engine).connect() as conn:
            return str(await conn.scalar(_AT) or "")
    except DBAPIError as error:
        if is_away(error):
            raise
        return ""  # it has no such table, or no such schema yet
