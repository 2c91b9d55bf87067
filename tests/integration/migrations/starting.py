"""A process that migrates, as a service does when it starts: arguments are the database's URL and the package."""

import asyncio
import sys

from shared.database import open_engine
from shared.migrations import migrate


async def main(url: str, package: str) -> None:
    """Migrate, twice: the second time finds it done."""
    engine = open_engine(url, "tables")
    for _ in range(2):
        await migrate(engine, package)
    await engine.dispose()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
