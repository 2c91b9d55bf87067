"""Reading rules of the event log: the own writes are seen, order is the order of the log, nothing is left out."""

import asyncio

import pytest

from shared.contracts.codec import UnknownEventError
from shared.contracts.envelope import Commit
from shared.eventlog.reader import Reader, Stored
from shared.eventlog.store import EventLog
from tests.contract.conftest import Connect, Servers
from tests.contract.facts import closed, opened, origin

SUBJECT = "evt.campaign.c1"


async def _fill(log: EventLog, count: int) -> None:
    await asyncio.gather(
        *(log.append_journal(f"evt.{_KINDS[n % 3]}.{n % 5}", [opened(str(n))], origin=origin()) for n in range(count))
    )


_KINDS = ("mailing", "campaign", "consent")


async def _scanned(log: EventLog, *filters: str, **bounds: int) -> list[Commit]:
    return [commit async for chunk in log.scan(filters, **bounds) for commit in chunk]


async def test_an_empty_log_reads_as_empty(log: EventLog) -> None:
    """Nothing is there and nothing fails."""
    assert await log.load(SUBJECT) == []
    assert await log.last_seq("evt.>") == 0
    assert await log.get(1) is None
    assert (await log.bounds()).last_seq == 0
    assert await _scanned(log, "evt.>") == []


async def test_every_load_sees_the_append_before_it(servers: Servers, log: EventLog, connected: Connect) -> None:
    """Whatever node is asked, an acknowledged commit is read."""
    readers = [EventLog(await connected(node.url)) for node in servers.nodes]
    last = 0
    for number in range(100):
        last = await log.append(SUBJECT, [opened(str(number))], expected=last, origin=origin())
        commits = await readers[number % len(readers)].load(SUBJECT)
        assert len(commits) == number + 1
        assert commits[-1].seq == last
        assert await readers[number % len(readers)].last_seq("evt.campaign.*") == last


async def test_a_load_continues_after_a_position(log: EventLog) -> None:
    """Only what came later is read."""
    first = await log.append(SUBJECT, [opened()], expected=0, origin=origin())
    await log.append("evt.campaign.other", [opened()], expected=0, origin=origin())
    second = await log.append(SUBJECT, [closed()], expected=first, origin=origin())
    assert [commit.seq for commit in await log.load(SUBJECT, after=first)] == [second]
    assert await log.load(SUBJECT, after=second) == []


async def test_an_entity_longer_than_a_batch_is_loaded_whole(log: EventLog) -> None:
    """Twelve hundred commits come in order."""
    await asyncio.gather(*(log.append_journal("evt.consent.1", [opened()], origin=origin()) for _ in range(1200)))
    commits = await log.load("evt.consent.1")
    assert len(commits) == 1200
    assert [commit.seq for commit in commits] == sorted(commit.seq for commit in commits)


async def test_a_replica_that_lags_hides_nothing(log: EventLog, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where direct reads answer with less than the leader has, the leader is asked for the rest."""
    last = 0
    for _ in range(10):
        last = await log.append(SUBJECT, [opened()], expected=last, origin=origin())
    honest = Reader.batch

    async def lagging(self: Reader, subject_filter: str, start: int, count: int) -> list[Stored]:
        return [stored for stored in await honest(self, subject_filter, start, count) if stored.seq <= 7]

    monkeypatch.setattr(Reader, "batch", lagging)
    assert [commit.seq for commit in await log.load(SUBJECT)] == list(range(1, 11))
    assert [commit.seq for commit in await _scanned(log, "evt.campaign.*", "evt.mailing.*")] == list(range(1, 11))


async def test_a_scan_gives_all_that_matches_in_the_order_of_the_log(log: EventLog) -> None:
    """Several filters are merged; what matches two of them comes once."""
    await _fill(log, 900)
    everything = await _scanned(log, "evt.>", batch=100)
    assert [commit.seq for commit in everything] == list(range(1, 901))
    wanted = [c.seq for c in everything if c.subject.startswith("evt.mailing") or c.subject == "evt.consent.2"]
    for filters in (("evt.mailing.*", "evt.consent.2"), ("evt.consent.2", "evt.mailing.>", "evt.mailing.*")):
        assert [commit.seq for commit in await _scanned(log, *filters, batch=50)] == wanted
    assert await _scanned(log, "evt.nobody.*") == []
    assert await _scanned(log) == []


async def test_a_scan_keeps_to_its_bounds(log: EventLog) -> None:
    """First and last position count in; what is appended during a scan without end is not read."""
    await _fill(log, 60)
    assert [commit.seq for commit in await _scanned(log, "evt.>", start=11, stop=20, batch=3)] == list(range(11, 21))
    assert [commit.seq for commit in await _scanned(log, "evt.>", start=55, stop=1000)] == list(range(55, 61))
    seen = []
    async for chunk in log.scan(["evt.>"], batch=10):
        seen += [commit.seq for commit in chunk]
        await log.append_journal("evt.consent.1", [opened()], origin=origin())
    assert seen == list(range(1, 61))


async def test_an_event_this_program_does_not_know_stops_the_reader(log: EventLog, connected: Connect) -> None:
    """Nothing is skipped: an older program says that it is too old."""
    body = b'[{"id":"x.0","type":"campaign.opened/99","source":"t","time":"2026-01-01T00:00:00Z","data":{}}]'
    await (await connected()).request(SUBJECT, body)
    with pytest.raises(UnknownEventError, match=r"campaign\.opened/99"):
        await log.load(SUBJECT)
    with pytest.raises(UnknownEventError):
        await _scanned(log, "evt.>")


async def test_a_question_is_called_off_at_any_moment(log: EventLog) -> None:
    """Also at the moment at which its answer comes: the one who asks ends at once, and all others are answered."""

    async def ask() -> None:
        while True:
            await log.reader.at(1)

    for number in range(60):
        asking = asyncio.create_task(ask())
        for _ in range(number % 10):
            await log.bounds()
        asking.cancel()
        await asyncio.wait([asking], timeout=1)
        assert asking.cancelled()
