"""A process that projects the toys until it is killed: arguments are the server's URL and the database's."""

import asyncio
import sys

from shared.database import open_engine
from shared.eventlog.connection import connect
from shared.eventlog.store import EventLog
from tests.integration.eventlog.toys import projector


async def main(nats_url: str, database_url: str) -> None:
    """Project in small batches, so that a kill hits some point of one."""
    nc = await connect(nats_url, name="victim")
    await projector(EventLog(nc), open_engine(database_url, "views"), batch=5).run()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
