"""Following the log in memory: in order, once, through outages, and never trusting a view that stands still."""

import asyncio

import pytest
from nats.aio.client import Client

from shared.contracts.mailing import MailingResumed
from shared.eventlog.errors import EventLogError, HistoryGapError, LogBehindViewError
from shared.eventlog.follow import Follower
from shared.eventlog.store import EventLog
from shared.eventlog.tail import Tail
from tests.harness.nats import NatsServer
from tests.harness.waiting import until
from tests.integration.eventlog.toys import append, write


async def test_a_follower_applies_what_matches_in_order(log: EventLog) -> None:
    """Commits from before and after the start come once and in order; others do not come."""
    seen: list[int] = []
    first = await write(log, 50)
    await append(log, [MailingResumed()], "evt.chunk.m0.1")
    follower = Follower(log, ["evt.mailing.*"], lambda commit: seen.append(commit.seq))
    await follower.start()
    await follower.wait_for(first, 5)
    last = await append(log, [MailingResumed()])
    await follower.wait_for(last, 5)
    assert seen == [*range(1, first + 1), last]
    assert follower.position == last
    await follower.stop()


async def test_a_follower_starts_behind_a_position(log: EventLog) -> None:
    """What lies before the start is not applied."""
    seen: list[int] = []
    last = await write(log, 10)
    follower = Follower(log, ["evt.mailing.*"], lambda commit: seen.append(commit.seq))
    await follower.start(after=7)
    await follower.wait_for(last, 5)
    assert seen == [8, 9, 10]
    await follower.stop()


async def test_a_follower_survives_kills_and_lost_consumers(nats_server: NatsServer, log: EventLog, nc: Client) -> None:
    """Killed servers and deleted consumers leave no gap, no repetition and no disorder."""
    seen: list[int] = []
    follower = Follower(log, ["evt.mailing.*"], lambda commit: seen.append(commit.seq))
    await follower.start()
    last = 0
    for disturbance in range(4):
        writing = asyncio.create_task(write(log, 150, seed=disturbance))
        await until(lambda already=disturbance * 150: len(seen) > already + 20)  # type: ignore[misc]
        if disturbance % 2:
            for info in await nc.jetstream().consumers_info("EVENTS"):
                await nc.jetstream().delete_consumer("EVENTS", info.name)
        else:
            await asyncio.to_thread(nats_server.restart, kill=True)
        last = await writing
    await follower.wait_for(last, 10)
    assert seen == sorted(set(seen))
    assert len(seen) >= 600
    await follower.stop()


async def test_the_last_commit_before_an_outage_is_not_missed(nats_server: NatsServer, log: EventLog) -> None:
    """A commit that was on the wire when the connection broke is applied although nothing follows it."""
    seen: list[int] = []
    follower = Follower(log, ["evt.mailing.*"], lambda commit: seen.append(commit.seq))
    await follower.start()
    await follower.wait_for(await append(log, [MailingResumed()]), 5)
    writing = asyncio.create_task(write(log, 20))
    await asyncio.to_thread(nats_server.restart, kill=True)
    await follower.wait_for(await writing, 10)
    assert seen == list(range(1, seen[-1] + 1))
    await follower.stop()


async def test_waiting_ends_at_its_deadline(log: EventLog) -> None:
    """Who waits for a commit that does not come is told after the timeout, and others go on waiting."""
    follower = Follower(log, ["evt.mailing.*"], lambda _commit: None)
    await follower.start()
    longer = asyncio.create_task(follower.wait_for(1, 5))
    with pytest.raises(TimeoutError, match="at seq 0, not at 1"):
        await follower.wait_for(1, 0.05)
    await append(log, [MailingResumed()])
    await longer
    await follower.stop()


async def test_an_unknown_event_stops_a_follower(log: EventLog, nc: Client) -> None:
    """A commit that cannot be decoded ends it; everybody who asks is told why."""
    follower = Follower(log, ["evt.mailing.*"], lambda _commit: None)
    await follower.start()
    waiting = asyncio.create_task(follower.wait_for(2, 5))
    event = b'[{"id": "x.0", "type": "mailing.paused/99", "source": "s", "time": "2026-01-01T00:00:00Z", "data": {}}]'
    await nc.jetstream().publish("evt.mailing.m0", event)
    with pytest.raises(EventLogError, match="paused/99"):
        await waiting
    with pytest.raises(EventLogError, match="paused/99"):
        await follower.wait_for(1, 5)
    assert follower.failure is not None
    await follower.stop()


async def test_removed_history_stops_a_follower(log: EventLog, nc: Client) -> None:
    """A follower that would have to begin in the middle says so."""
    await write(log, 10)
    await nc.jetstream().purge_stream("EVENTS", keep=3)
    follower = Follower(log, ["evt.mailing.*"], lambda _commit: None)
    await follower.start()
    with pytest.raises(EventLogError, match="begins at seq 8"):
        await follower.wait_for(10, 5)
    assert isinstance(follower.failure, HistoryGapError)
    await follower.stop()


async def test_a_log_that_was_replaced_stops_a_reader(log: EventLog, nc: Client) -> None:
    """When the log comes back with other events in its place, or shorter, nothing is read on."""
    await write(log, 10)
    tail = Tail(log, ["evt.mailing.*"], name="tail", after=0)
    while tail.position < 10:
        await tail.read(100, 5)
    for commits, complaint in ((12, "the reader saw"), (3, "the log ends at seq 3")):
        await nc.jetstream().delete_stream("EVENTS")
        await nc.jetstream().add_stream(name="EVENTS", subjects=["evt.>"], allow_direct=True)
        await write(log, commits, seed=2)
        with pytest.raises(LogBehindViewError, match=complaint):
            await tail.read(100, 5)
    await tail.close()
