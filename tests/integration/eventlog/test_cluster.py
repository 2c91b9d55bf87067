"""Pulling, following and projecting on three servers whose leaders are killed."""

import asyncio

import pytest
from nats.aio.client import Client
from sqlalchemy.ext.asyncio import AsyncEngine

from shared.eventlog.connection import connect
from shared.eventlog.follow import Follower
from shared.eventlog.pull import Pull, ensure_consumer
from shared.eventlog.store import EventLog
from tests.harness.databases import KIND
from tests.harness.nats import NatsCluster
from tests.harness.waiting import until
from tests.integration.eventlog.test_projector import checkpoint, running
from tests.integration.eventlog.toys import projector, write

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.timeout(240),
    pytest.mark.parametrize("database", [KIND], indirect=True),
]
COMMITS = 300


async def pull_all(nc: Client, seen: set[int], last: int) -> None:
    """Pull and acknowledge until everything up to `last` was seen."""
    pull = Pull(nc, "EVENTS", "worker")
    while len(seen) < last:
        for message in await pull.fetch(20, 5):
            seen.add(message.seq)
            await message.ack()
    await pull.close()


async def test_readers_outlive_the_leaders_they_read_from(cluster: NatsCluster, engine: AsyncEngine) -> None:
    """A pull, a follower and a projector miss nothing when the leader of the stream is killed, twice."""
    nc = await connect(cluster.url, name="cluster")
    streams = nc.jetstream(timeout=20)
    await streams.add_stream(name="EVENTS", subjects=["evt.>"], allow_direct=True, num_replicas=3)
    durable = {"durable_name": "worker", "ack_policy": "explicit", "ack_wait": 2_000_000_000, "num_replicas": 3}
    await ensure_consumer(nc, "EVENTS", durable)
    log = EventLog(nc)
    followed: list[int] = []
    pulled: set[int] = set()
    follower = Follower(log, ["evt.mailing.*"], lambda commit: followed.append(commit.seq))
    await follower.start()
    pulling = asyncio.create_task(pull_all(nc, pulled, 2 * COMMITS))
    async with running(projector(log, engine)) as one:
        for seed in (1, 2):
            writing = asyncio.create_task(write(log, COMMITS, seed=seed))
            goal = len(followed) + 50
            await until(lambda goal=goal: len(followed) > goal, 20)  # type: ignore[misc]
            leader = await asyncio.to_thread(cluster.leader, "EVENTS")
            await asyncio.to_thread(leader.kill)
            last = await writing
            await follower.wait_for(last, 30)
            await one.wait_for(last, 30)
            await asyncio.to_thread(cluster.start)
            await until(lambda: asyncio.to_thread(cluster.healthy), 30)
        async with asyncio.timeout(60):
            await pulling
        assert (await checkpoint(engine, "pauses")).seq == last
    assert followed == list(range(1, last + 1))
    assert pulled == set(followed)
    await follower.stop()
    await nc.close()
