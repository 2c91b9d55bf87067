"""The databases that `POSTHASTE_DATABASE_URL` names: out into a backup and back from one, as portable dumps.

Apart from deploy/backup.py because SQLAlchemy and Alembic take most of a second to load, which only these need.
"""

from pathlib import Path

from shared.database import open_engine
from shared.database_dump import DumpError, dump, load
from shared.migrations import migrate

__all__ = ("DumpError", "dump_database", "load_database")


async def dump_database(url: str, service: str, path: Path) -> None:
    """Write the tables of a service into the file."""
    engine = open_engine(url, service)
    try:
        await dump(engine, path)
    finally:
        await engine.dispose()


async def load_database(url: str, service: str, path: Path) -> None:
    """Make the tables of a service and fill them from the file.

    Raises:
        DumpError: The database is not empty, or the dump is of another revision.
    """
    engine = open_engine(url, service)
    try:
        await migrate(engine, f"services.{service}.migrations")
        await load(engine, path)
    finally:
        await engine.dispose()
