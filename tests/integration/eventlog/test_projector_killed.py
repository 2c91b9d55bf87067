"""The laws of projection once more, with processes that are really killed."""

import asyncio
import random
import sys
from pathlib import Path

from sqlalchemy.ext.asyncio import AsyncEngine

from shared.eventlog.store import EventLog
from tests.harness.databases import Database
from tests.harness.nats import NatsServer
from tests.harness.waiting import until
from tests.integration.eventlog.test_projector import checkpoint, made_at_once, running
from tests.integration.eventlog.toys import content, projector, write


async def test_killed_projectors_add_up_to_one_that_was_not(
    nats_server: NatsServer, log: EventLog, engine: AsyncEngine, database: Database, tmp_path: Path
) -> None:
    """Two processes project into one database and are killed at random moments; the tables are as if nothing was."""
    last = await write(log, 1500)
    rng = random.Random(7)
    async with running(projector(log, engine, batch=1)) as one:  # makes the tables
        await one.wait_for(1, 30)
    for _ in range(3):
        started = (await checkpoint(engine, "rates")).seq
        victims = [
            await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "tests.integration.eventlog.projecting",
                nats_server.url,
                database.url_of("views"),
            )
            for _ in range(2)
        ]
        goal = min(last, started + rng.randint(20, 300))

        async def reached(goal: int = goal) -> bool:
            return (await checkpoint(engine, "rates")).seq >= goal

        await until(reached, 60, every=0.002)
        for victim in victims:
            victim.kill()
            await victim.wait()
    async with running(projector(log, engine)) as one:
        await one.wait_for(last, 60)
    assert await content(engine) == await made_at_once(log, tmp_path, last)
