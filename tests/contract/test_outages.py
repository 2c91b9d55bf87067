"""The event log while servers are away: appends wait, are settled, and never stand twice."""

import asyncio

import pytest

from shared.eventlog.errors import EventLogError, UnavailableError, UnknownOutcomeError, WrongVersionError
from shared.eventlog.store import EventLog
from tests.contract.conftest import Connect, Servers
from tests.contract.facts import closed, opened, origin
from tests.harness.nats import NatsCluster
from tests.harness.waiting import until

SUBJECT = "evt.campaign.c1"

one_server = pytest.mark.parametrize("servers", ["one"], indirect=True)


@one_server
async def test_an_append_waits_for_a_server_that_restarts(servers: Servers, log: EventLog) -> None:
    """Within its budget an append outlives a crash of the server."""
    first = await log.append(SUBJECT, [opened()], expected=0, origin=origin())
    await asyncio.to_thread(servers.nodes[0].kill)
    append = asyncio.create_task(log.append(SUBJECT, [closed()], expected=first, origin=origin()))
    await asyncio.to_thread(servers.nodes[0].start)
    assert await append == first + 1
    assert [commit.seq for commit in await log.load(SUBJECT)] == [first, first + 1]


@one_server
async def test_an_append_beyond_its_budget_is_unknown_and_can_be_settled_later(
    servers: Servers, log: EventLog, connected: Connect
) -> None:
    """The buffered publish arrives after the reconnect as a ghost: the same command then answers that very commit."""
    nc = await connected()
    hasty = EventLog(nc, timeout=0.2, budget=0.5)
    await hasty.bounds()
    await asyncio.to_thread(servers.nodes[0].kill)
    await until(lambda: not nc.is_connected)
    cause = origin()
    with pytest.raises(UnknownOutcomeError):
        await hasty.append(SUBJECT, [opened()], expected=0, origin=cause)
    await asyncio.to_thread(servers.nodes[0].start)
    ghost = await until(lambda: log.last_seq(SUBJECT))
    assert await hasty.append(SUBJECT, [opened()], expected=0, origin=cause) == ghost
    assert [commit.seq for commit in await log.load(SUBJECT)] == [ghost]


@one_server
async def test_a_ghost_that_comes_after_a_rival_is_refused(servers: Servers, log: EventLog, connected: Connect) -> None:
    """A late publish with an expectation that is over changes nothing."""
    nc = await connected()
    hasty = EventLog(nc, timeout=0.2, budget=0.5)
    await hasty.bounds()
    servers.nodes[0].freeze()
    with pytest.raises(UnknownOutcomeError):
        await hasty.append(SUBJECT, [opened()], expected=0, origin=origin())
    servers.nodes[0].thaw()
    first = await until(lambda: log.last_seq(SUBJECT))
    second = await log.append(SUBJECT, [closed()], expected=first, origin=origin())
    await asyncio.to_thread(servers.nodes[0].kill)
    await until(lambda: not nc.is_connected)
    with pytest.raises(UnknownOutcomeError):
        await hasty.append(SUBJECT, [opened()], expected=first, origin=origin())
    await asyncio.to_thread(servers.nodes[0].start)
    await until(lambda: nc.is_connected)
    await nc.flush()
    with pytest.raises(WrongVersionError):
        await hasty.append(SUBJECT, [opened()], expected=first, origin=origin())
    assert [commit.seq for commit in await log.load(SUBJECT)] == [first, second]


@one_server
async def test_a_read_that_nobody_answers_is_unavailable_within_its_budget(
    servers: Servers, log: EventLog, connected: Connect
) -> None:
    """A reader is told that the log is away, not that it is empty."""
    hasty = EventLog(await connected(), timeout=0.2, budget=0.5)
    await log.append(SUBJECT, [opened()], expected=0, origin=origin())
    await asyncio.to_thread(servers.nodes[0].kill)
    with pytest.raises(UnavailableError):
        await hasty.load(SUBJECT)


@one_server
async def test_a_closed_connection_is_an_error_of_the_log(servers: Servers, connected: Connect) -> None:
    """Errors of the client library do not reach services."""
    nc = await connected()
    await servers.create(nc, "EVENTS")
    await nc.close()
    log = EventLog(nc)
    with pytest.raises(EventLogError):
        await log.append(SUBJECT, [opened()], expected=0, origin=origin())
    with pytest.raises(EventLogError):
        await log.load(SUBJECT)


@one_server
async def test_appends_through_crashes_of_the_server_are_all_there_once(servers: Servers, log: EventLog) -> None:
    """Writers go on through three kills: every acknowledged commit is in the log, at the sequence that was answered."""
    await _write_through(log, kills=lambda: _crash(servers, times=3))


async def _crash(servers: Servers, times: int) -> None:
    for _ in range(times):
        await asyncio.sleep(0.3)  # let some appends fly
        await asyncio.to_thread(servers.nodes[0].restart, kill=True)


@pytest.mark.cluster
@pytest.mark.parametrize("servers", ["three"], indirect=True)
async def test_appends_through_the_death_of_a_leader_are_all_there_once(log: EventLog, cluster: NatsCluster) -> None:
    """The leader of the stream is killed while writers append: nothing is lost and nothing doubled."""

    async def kill_leader() -> None:
        await asyncio.sleep(0.3)  # let some appends fly
        leader = await asyncio.to_thread(cluster.leader, "EVENTS")
        await asyncio.to_thread(leader.kill)
        await asyncio.to_thread(cluster.leader, "EVENTS")
        await asyncio.to_thread(leader.start)

    await _write_through(log, kills=kill_leader)


async def _write_through(log: EventLog, kills) -> None:  # type: ignore[no-untyped-def]  # noqa: ANN001
    over = asyncio.Event()
    answered: dict[str, list[int]] = {}

    async def write(subject: str) -> None:
        last = 0
        while not over.is_set():
            last = await log.append(subject, [opened()], expected=last, origin=origin())
            answered.setdefault(subject, []).append(last)

    writers = [asyncio.create_task(write(f"evt.campaign.w{number}")) for number in range(10)]
    await kills()
    progress = sum(map(len, answered.values()))
    await until(lambda: sum(map(len, answered.values())) > progress + 50, 30)
    over.set()
    await asyncio.gather(*writers)
    for subject, seqs in answered.items():
        assert [commit.seq for commit in await log.load(subject)] == seqs
    assert (await log.bounds()).last_seq == sum(map(len, answered.values()))
