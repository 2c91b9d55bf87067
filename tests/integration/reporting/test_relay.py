"""The relay: all that integrators are told stands in OUT once and in order, whoever dies and however many there are."""

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import orjson
import pytest
from nats.aio.client import Client
from sqlalchemy.ext.asyncio import AsyncEngine

from services.reporting import feed, tables
from services.reporting.directory import Directory
from services.reporting.feed import Known
from services.reporting.relay import PLACE, Relay
from shared import clock
from shared.contracts import mailing as events
from shared.contracts import subjects
from shared.contracts.envelope import DomainEvent, Origin
from shared.contracts.log import LogContinued
from shared.contracts.sending import ChunkPlanned
from shared.eventlog.incarnation import identify
from shared.eventlog.reader import Reader, Stored
from shared.eventlog.store import EventLog
from shared.ids import new_id
from tests.harness.databases import KINDS
from tests.harness.nats import NatsServer
from tests.harness.story import Story, contact, group
from tests.harness.waiting import until
from tests.integration.reporting.tales import tale

READER = "crm"
ONE_DATABASE = pytest.mark.parametrize("database", KINDS[:1], indirect=True)
"""Where the database is only asked who people are, one of them will do."""


class Feed:
    """A log, OUT, and relays between them."""

    def __init__(self, nc: Client, engine: AsyncEngine) -> None:
        self.nc = nc
        self.engine = engine
        self.log = EventLog(nc)
        self._out = Reader(nc, subjects.OUT)
        self.ids: list[str] = []
        self.newest = datetime.min.replace(tzinfo=UTC)
        self._known = Known(plans := {}, {})
        self._plans = plans

    async def write(self, story: Story) -> None:
        """Append a story to the log and note the ids of what is to be told of it."""
        for commit in story.commits:
            origin = Origin(new_id(), "test", commit.recorded_at)
            happened: Sequence[DomainEvent] = [record.event for record in commit.events]
            seq = await self.log.append_journal(commit.subject, happened, origin=origin)
            stored = await self.log.get(seq)
            assert stored is not None
            self.newest = stored.recorded_at
            for record in stored.events:
                if isinstance(record.event, ChunkPlanned):
                    self._plans[record.event.mailing, record.event.n] = record.event
                self.ids += [message.id for message in feed.messages(record, self._known)]

    async def out(self) -> list[Stored]:
        """Return what is in OUT."""
        return await self._out.batch(subjects.ALL_OUT, 1, 10_000)

    async def told(self) -> list[str]:
        """Return the ids in OUT, in order."""
        return [orjson.loads(stored.data)["id"] for stored in await self.out()]

    async def complete(self) -> None:
        """Wait until all is told, and see that nothing is told twice or out of order."""

        async def all_told() -> bool:
            return len(await self.told()) >= len(self.ids)

        await until(all_told, 30)
        assert await self.told() == self.ids

    @asynccontextmanager
    async def relay(self) -> AsyncIterator[Relay]:
        """Run a relay, and kill it in the end."""
        directory = Directory(Reader(self.nc, subjects.PEOPLE), self.engine)
        relay = Relay(EventLog(self.nc), self.engine, directory)
        task = asyncio.create_task(relay.run())
        try:
            yield relay
        finally:
            while not task.done():
                task.cancel()
                await asyncio.wait([task], timeout=2)


@pytest.fixture
async def feeding(log_streams: NatsServer, nc: Client, engine: AsyncEngine) -> Feed:
    """Return an empty log and an empty OUT that somebody reads."""
    assert log_streams
    await nc.jetstream().add_consumer(subjects.OUT, durable_name=READER)
    return Feed(nc, engine)


@ONE_DATABASE
async def test_everything_is_told_once_in_the_order_of_the_log(feeding: Feed) -> None:
    """What was there before, and what comes while it runs."""
    await feeding.write(tale(1))
    async with feeding.relay():
        await feeding.complete()
        await feeding.write(tale(2))
        await feeding.complete()


@ONE_DATABASE
async def test_killed_anywhere_it_goes_on_where_out_ends(feeding: Feed) -> None:
    """Many relays, each killed within some moments while there is something to tell, add up to one."""
    chance = random.Random(3)
    for seed in range(12):
        await feeding.write(tale(seed, steps=20))
        async with feeding.relay():
            await asyncio.sleep(chance.random() * 0.02)
    async with feeding.relay():
        await feeding.complete()


@ONE_DATABASE
async def test_two_relays_tell_everything_once(feeding: Feed) -> None:
    """They race for each message; the loser starts again behind the winner."""
    async with feeding.relay(), feeding.relay():
        for seed in range(3):
            await feeding.write(tale(seed, steps=40))
        await feeding.complete()
    async with feeding.relay():
        await feeding.complete()


@ONE_DATABASE
async def test_an_empty_out_is_filled_anew_and_cursors_go_on(feeding: Feed) -> None:
    """After a purge the same facts come again under the same ids, behind the old sequences."""
    await feeding.write(tale(4, steps=30))
    async with feeding.relay():
        await feeding.complete()
    before = [stored.seq for stored in await feeding.out()]
    await feeding.nc.jetstream().purge_stream(subjects.OUT)
    async with feeding.relay():
        await feeding.complete()
    assert (await feeding.out())[0].seq == before[-1] + 1


@ONE_DATABASE
async def test_only_what_out_would_keep_is_told(feeding: Feed, monkeypatch: pytest.MonkeyPatch) -> None:
    """An OUT made anew does not begin with what is older than its retention."""
    await feeding.write(tale(5, steps=20))
    feeding.ids.clear()
    later = feeding.newest + timedelta(milliseconds=1)
    await asyncio.sleep(0.01)
    monkeypatch.setattr("services.reporting.relay.RETENTION_DAYS", 0)
    monkeypatch.setattr("services.reporting.relay.clock.now", lambda: later)
    await feeding.write(tale(6, steps=20))
    async with feeding.relay():
        await feeding.complete()


@ONE_DATABASE
async def test_another_log_holds_the_feed(feeding: Feed, monkeypatch: pytest.MonkeyPatch) -> None:
    """A log that was restored is not told on top of the other one until it is confirmed; then all of it is."""
    monkeypatch.setattr("services.reporting.relay._HELD", 0.1)
    await feeding.write(tale(7, steps=20))
    place = f"3 0 somebody.0 {(await identify(feeding.log)).incarnation}"
    await feeding.nc.jetstream().publish("out.mailing.m1", b'{"id": "x"}', headers={PLACE: place})
    async with feeding.relay() as relay:
        await until(lambda: "another log" in relay.held, 10)
        assert await feeding.told() == ["x"]
        identity = await identify(feeding.log)
        named = LogContinued(incarnation="new", supersedes=[identity.incarnation], stream=identity.stream)
        origin = Origin(new_id(), "test", clock.now())
        await feeding.log.append(subjects.LOG, [named], expected=0, origin=origin)
        feeding.ids.insert(0, "x")
        await feeding.complete()
        await until(lambda: not relay.held, 15)


@ONE_DATABASE
async def test_an_event_of_a_newer_program_holds_the_feed(feeding: Feed) -> None:
    """Nothing is left out: it waits until it is understood."""
    newer = b'[{"specversion":"1.0","id":"n.0","source":"x","type":"mailing.paused/9","subject":"evt.mailing.m1",'
    newer += b'"time":"2026-11-22T18:53:16.220Z","data":{}}]'
    await feeding.nc.jetstream().publish("evt.mailing.m1", newer)
    async with feeding.relay() as relay:
        await until(lambda: "mailing.paused/9" in relay.held, 10)


async def test_recipients_are_named_by_their_external_ids(feeding: Feed) -> None:
    """As the directory knows them, also where the plan is long past."""
    async with feeding.engine.begin() as conn:
        row = {"contact": contact(0, 1), "address": "a@x.example", "source": "crm", "external": "4711", "page": 0}
        await conn.execute(tables.people.insert(), row)
    story = Story()
    story.started("m1", 2)
    story.planned("m1", 0, 2)
    await feeding.write(story)
    async with feeding.relay():
        await feeding.complete()
    later = Story()
    later.settled("m1", 0, group("accepted", [0, 1]))
    await feeding.write(later)
    async with feeding.relay():
        await feeding.complete()
    stored = (await feeding.out())[-1]
    assert stored.subject == "out.recipient.m1"
    rows = orjson.loads(stored.data)["data"]["recipients"]
    assert [row.get("external") for row in rows] == [None, "4711"]
    assert b"x.example" not in stored.data


@ONE_DATABASE
async def test_a_mailing_is_told_under_its_subject(feeding: Feed) -> None:
    """So that an integrator hears of one mailing only."""
    story = Story()
    story.mailing("m1", events.MailingCancelled(reason="no"))
    await feeding.write(story)
    async with feeding.relay():
        await feeding.complete()
    (stored,) = await feeding.out()
    assert stored.subject == "out.mailing.m1"
    assert stored.headers["Content-Type"] == "application/cloudevents+json"


@ONE_DATABASE
async def test_what_nobody_reads_is_told_once_somebody_does(feeding: Feed) -> None:
    """Nothing is put into OUT without a reader; the first one hears all of it, and who asks by query counts."""
    await feeding.nc.jetstream().delete_consumer(subjects.OUT, READER)
    await feeding.write(tale(8, steps=20))
    async with feeding.relay() as relay:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(1.5):
                await relay.level.wait()
        assert await feeding.told() == []
        await relay.caught_up(10)
        assert relay.level.is_set()
        assert await feeding.told() == feeding.ids
    await feeding.write(tale(9, steps=20))
    async with feeding.relay():
        await feeding.nc.jetstream().add_consumer(subjects.OUT, durable_name=READER)
        await feeding.complete()
