"""Writing rules of the event log: one winner, no loss, nothing twice, every outcome known or named unknown."""

import asyncio

import pytest

from shared.contracts import codec
from shared.eventlog.errors import EventLogError, UnknownOutcomeError, WrongVersionError
from shared.eventlog.store import EventLog
from shared.ids import new_id
from tests.contract.conftest import Connect, Servers
from tests.contract.facts import closed, opened, origin
from tests.harness.waiting import until
from tests.harness.wire import Wire

SUBJECT = "evt.campaign.c1"


async def test_what_was_appended_is_loaded_with_its_origin(log: EventLog) -> None:
    """A commit comes back with all its events, their ids and who caused them."""
    cause = origin("cmd1")
    seq = await log.append(SUBJECT, [opened(), closed()], expected=0, origin=cause)
    (commit,) = await log.load(SUBJECT)
    assert (commit.seq, commit.subject) == (seq, SUBJECT)
    assert [record.event for record in commit.events] == [opened(), closed()]
    assert [record.id for record in commit.events] == ["cmd1.0", "cmd1.1"]
    assert {(record.time, record.principal, record.correlation_id) for record in commit.events} == {
        (cause.time, "me", "corr")
    }


async def test_a_stale_expectation_is_refused_and_names_the_present_version(log: EventLog) -> None:
    """Who decided on an old state learns where the entity stands now."""
    first = await log.append(SUBJECT, [opened()], expected=0, origin=origin())
    with pytest.raises(WrongVersionError) as caught:
        await log.append(SUBJECT, [closed()], expected=0, origin=origin())
    assert (caught.value.expected, caught.value.actual) == (0, first)
    with pytest.raises(WrongVersionError):
        await log.append(SUBJECT, [closed()], expected=first + 7, origin=origin())


async def test_a_command_that_was_refused_may_be_appended_with_the_right_expectation(log: EventLog) -> None:
    """The message id of a refused append is not taken for stored."""
    first = await log.append(SUBJECT, [opened()], expected=0, origin=origin())
    again = origin()
    with pytest.raises(WrongVersionError):
        await log.append(SUBJECT, [closed()], expected=0, origin=again)
    assert await log.append(SUBJECT, [closed()], expected=first, origin=again) > first


async def test_the_same_command_again_answers_the_sequence_of_its_commit(log: EventLog) -> None:
    """Repeating an append, with the old expectation or the new one, stores nothing."""
    cause = origin()
    seq = await log.append(SUBJECT, [opened()], expected=0, origin=cause)
    assert await log.append(SUBJECT, [opened()], expected=0, origin=cause) == seq
    assert await log.append(SUBJECT, [opened()], expected=seq, origin=cause) == seq
    later = await log.append(SUBJECT, [closed()], expected=seq, origin=origin())
    assert await log.append(SUBJECT, [opened()], expected=0, origin=cause) == seq
    assert [commit.seq for commit in await log.load(SUBJECT)] == [seq, later]


async def test_of_two_writers_exactly_one_wins(servers: Servers, log: EventLog, connected: Connect) -> None:
    """In 600 races of two connections for the first commit there is one winner and one commit each."""
    rival = EventLog(await connected(servers.nodes[-1].url))
    lanes = asyncio.Semaphore(60)

    async def race(number: int) -> None:
        subject = f"evt.campaign.race{number}"
        async with lanes:
            outcomes = await asyncio.gather(
                log.append(subject, [opened("A")], expected=0, origin=origin()),
                rival.append(subject, [opened("B")], expected=0, origin=origin()),
                return_exceptions=True,
            )
        wins = [outcome for outcome in outcomes if isinstance(outcome, int)]
        assert len(wins) == 1, outcomes
        assert sum(isinstance(outcome, WrongVersionError) for outcome in outcomes) == 1, outcomes
        assert [commit.seq for commit in await log.load(subject)] == wins

    await asyncio.gather(*(race(number) for number in range(600)))


async def test_writers_of_one_entity_that_read_and_retry_lose_no_commit(
    servers: Servers, log: EventLog, connected: Connect
) -> None:
    """Ten writers that append ten commits each to one entity leave a hundred."""
    logs = [log, EventLog(await connected(servers.nodes[-1].url))]

    async def write(number: int) -> None:
        for _ in range(10):
            cause = origin()
            while True:
                try:
                    mine = logs[number % 2]
                    await mine.append(SUBJECT, [opened()], expected=await mine.last_seq(SUBJECT), origin=cause)
                except WrongVersionError:  # somebody else was faster: read again
                    continue
                break

    await asyncio.gather(*(write(number) for number in range(10)))
    assert len(await log.load(SUBJECT)) == 100


async def test_an_append_whose_ack_was_lost_answers_its_sequence(
    servers: Servers, log: EventLog, connected: Connect
) -> None:
    """The server stored the commit and the answer never came: after reconnecting the writer finds its own events."""
    async with Wire(servers.nodes[0].port) as wire:
        writer = EventLog(await connected(f"nats://127.0.0.1:{wire.port}"))
        first = await writer.append(SUBJECT, [opened()], expected=0, origin=origin())
        wire.swallow_answers = True
        append = asyncio.create_task(writer.append(SUBJECT, [closed()], expected=first, origin=origin()))
        stored = await until(lambda: _after(log, first))
        wire.cut()
        assert await append == stored
    assert len(await log.load(SUBJECT)) == 2


async def test_an_append_whose_ack_was_lost_is_found_behind_later_commits(
    servers: Servers, log: EventLog, connected: Connect
) -> None:
    """Others appended in the meantime: the writer still finds its commit in the middle."""
    async with Wire(servers.nodes[0].port) as wire:
        writer = EventLog(await connected(f"nats://127.0.0.1:{wire.port}"))
        await writer.bounds()
        wire.swallow_answers = True
        append = asyncio.create_task(writer.append(SUBJECT, [opened()], expected=0, origin=origin()))
        stored = await until(lambda: _after(log, 0))
        await log.append(SUBJECT, [closed()], expected=stored, origin=origin())
        wire.cut()
        assert await append == stored


async def test_an_append_that_a_rival_overtook_while_its_ack_was_lost_is_refused(
    servers: Servers, log: EventLog, connected: Connect
) -> None:
    """Neither stored nor ever to be stored: the writer is told to decide again."""
    async with Wire(servers.nodes[0].port) as wire:
        writer = EventLog(await connected(f"nats://127.0.0.1:{wire.port}"))
        await writer.bounds()
        rival = await log.append(SUBJECT, [closed()], expected=0, origin=origin())
        wire.swallow_answers = True
        append = asyncio.create_task(writer.append(SUBJECT, [opened()], expected=0, origin=origin()))
        await until(lambda: writer._publisher._waiting)
        wire.cut()
        with pytest.raises(WrongVersionError):
            await append
    assert [commit.seq for commit in await log.load(SUBJECT)] == [rival]


async def _after(log: EventLog, seq: int) -> int:
    last = await log.last_seq(SUBJECT)
    return last if last > seq else 0


async def test_a_journal_append_repeated_is_one_commit(servers: Servers, log: EventLog, connected: Connect) -> None:
    """A fact whose ack was lost stands once in its journal."""
    async with Wire(servers.nodes[0].port) as wire:
        writer = EventLog(await connected(f"nats://127.0.0.1:{wire.port}"))
        await writer.bounds()
        wire.swallow_answers = True
        cause = origin()
        append = asyncio.create_task(writer.append_journal("evt.consent.3", [opened()], origin=cause))
        stored = await until(lambda: log.last_seq("evt.consent.3"))
        wire.cut()
        assert await append == stored
        assert await writer.append_journal("evt.consent.3", [opened()], origin=cause) == stored
    assert len(await log.load("evt.consent.3")) == 1


async def test_one_command_id_on_two_subjects_is_a_mistake_that_is_named(log: EventLog) -> None:
    """Ids of events derive from the command id, so a second subject needs an id of its own."""
    cause = origin()
    await log.append_journal("evt.consent.1", [opened()], origin=cause)
    with pytest.raises(EventLogError, match="was used"):
        await log.append_journal("evt.consent.2", [opened()], origin=cause)


async def test_a_commit_that_the_server_would_not_take_is_refused_before_it_is_sent(log: EventLog) -> None:
    """Too large a commit is an error at once and does not cost the connection."""
    with pytest.raises(EventLogError, match="more than the server takes"):
        await log.append(SUBJECT, [opened(size=2**20 - 300)], expected=0, origin=origin())
    with pytest.raises(EventLogError, match="at least one event"):
        await log.append(SUBJECT, [], expected=0, origin=origin())
    assert await log.append(SUBJECT, [opened(size=2**19)], expected=0, origin=origin())


async def test_a_commit_carries_no_headers_but_id_and_expectation(log: EventLog) -> None:
    """Headers halve the throughput: a commit has two."""
    await log.append(SUBJECT, [opened()], expected=0, origin=origin("cmd9"))
    stored = await log.reader.last(SUBJECT)
    assert stored is not None
    assert stored.headers == {"Nats-Msg-Id": "cmd9", "Nats-Expected-Last-Subject-Sequence": "0"}
    assert codec.event_ids(stored.data) == ("cmd9.0",)


async def test_appends_go_through_a_window_without_losing_one(log: EventLog) -> None:
    """Two thousand entities appended at once are all there."""
    await asyncio.gather(
        *(log.append(f"evt.campaign.{new_id()}", [opened()], expected=0, origin=origin()) for _ in range(2000))
    )
    assert (await log.bounds()).last_seq == 2000


async def test_without_a_stream_an_append_ends_as_unknown_within_its_budget(connected: Connect) -> None:
    """Nobody takes the commit: the writer is told so in time, and not that it is stored."""
    log = EventLog(await connected(), budget=0.5)
    with pytest.raises(UnknownOutcomeError):
        await log.append(SUBJECT, [opened()], expected=0, origin=origin())
