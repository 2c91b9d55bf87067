"""Tables over the versions: each service has its revisions, and brings its database to the newest when it starts.

A package of a service holds them (`services/<name>/migrations`). Alembic runs them (alembic_runs.py); it is loaded only
where the database is not at the newest already. Of several that start at once one migrates in one transaction, the
others wait for it and find the work done; a failed migration changes nothing. A database that was made before there
were revisions has the tables of 0001, which makes only what is missing.
"""

from importlib.resources import files

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from shared.database import is_away, reading

_AT = text("SELECT version_num FROM alembic_version")


class NewerDatabaseError(RuntimeError):
    """The database was migrated by a newer program."""


async def migrate(engine: AsyncEngine, package: str, revision: str = "head") -> None:
    """Bring the database to `revision`.

    Raises:
        NewerDatabaseError: It is at a revision that this program does not know.
    """
    if revision == "head" and await _at(engine) == newest(package):
        return
    from shared.migrations import alembic_runs  # noqa: PLC0415 - Alembic is slow to load, and seldom needed

    await alembic_runs.migrate(engine, package, revision)


def newest(package: str) -> str:
    """Return the newest revision in `package`, by the numbers that start the names of its modules: `r0001_...`."""
    return max((file.name[1:5] for file in files(package).iterdir() if file.name.startswith("r")), default="")


async def _at(engine: AsyncEngine) -> str:
    """Return the revision of a database, "" where there was none yet."""
    try:
        async with reading(engine).connect() as conn:
            return str(await conn.scalar(_AT) or "")
    except DBAPIError as error:
        if is_away(error):
            raise
        return ""  # it has no such table, or no such schema yet
