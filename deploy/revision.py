"""`python -m deploy.revision SERVICE "what changes"`: write the revision that brings a service's tables up to date.

An empty SQLite database is brought to head and compared with the tables in the code; the difference becomes a file in
`services/<service>/migrations`. Read it before it is committed: data is not moved by itself, and a renamed column looks
like one that went and one that came.
"""

import argparse
import asyncio
import importlib
import sys
import tempfile
from pathlib import Path
from typing import Any

from shared.database import open_engine
from shared.eventlog import checkpoints
from shared.migrations import migrate
from shared.migrations.alembic_runs import write_revision

METADATA = {"planner": ("services.planner.schema", "METADATA"), "reporting": ("services.reporting.tables", "metadata")}


def metadata_of(service: str) -> list[Any]:
    """Return all tables of a service, those of its checkpoints included."""
    importlib.import_module(f"services.{service}.app")  # with it come all modules that own a table
    module, name = METADATA[service]
    return [getattr(importlib.import_module(module), name), checkpoints.METADATA]


async def write(service: str, message: str) -> str:
    """Write the revision; return its path."""
    package = f"services.{service}.migrations"
    with tempfile.TemporaryDirectory() as folder:
        engine = open_engine(f"sqlite:///{Path(folder) / 'head.sqlite3'}")
        try:
            await migrate(engine, package)
            async with engine.connect() as conn:
                return await conn.run_sync(write_revision, package, metadata_of(service), message)
        finally:
            await engine.dispose()


def main() -> None:
    """Write what is asked for."""
    parser = argparse.ArgumentParser(prog="python -m deploy.revision", description=__doc__)
    parser.add_argument("service", choices=METADATA)
    parser.add_argument("message", help="what changes, in a few words")
    asked = parser.parse_args()
    sys.stdout.write(asyncio.run(write(asked.service, asked.message)) + "\n")


if __name__ == "__main__":
    main()
