"""Timers of the server: on time, one for each subject, alive through crashes."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from shared.eventlog.reader import Reader, Stored
from shared.eventlog.timers import Timers
from tests.contract.conftest import Connect, Servers
from tests.harness.waiting import until

TIMER, DUE = "timer.retry.a.rest.m.1", "due.retry.a.rest.m.1"


@pytest.fixture
async def timers(servers: Servers, connected: Connect) -> Timers:
    """Return the timers of a fresh TIMERS stream."""
    nc = await connected()
    await servers.create(nc, "TIMERS")
    return Timers(nc)


@pytest.fixture
async def reader(connected: Connect) -> Reader:
    """Return a reader of what fires."""
    return Reader(await connected(), "TIMERS")


def _in(seconds: float) -> datetime:
    return datetime.now(UTC) + timedelta(seconds=seconds)


async def _fired(reader: Reader, target: str = DUE) -> Stored:
    stored = await until(lambda: reader.last(target))
    assert stored is not None
    return stored


@pytest.mark.alone
async def test_a_timer_fires_within_fifty_milliseconds(timers: Timers, reader: Reader) -> None:
    """It is never early, and hardly late."""
    at = _in(0.4)
    await timers.arm(TIMER, DUE, at)
    late = (await _fired(reader)).recorded_at - at
    assert timedelta(milliseconds=-1) <= late < timedelta(milliseconds=50)


@pytest.mark.alone
async def test_timers_that_are_close_together_fire_within_a_third_of_a_second(timers: Timers, reader: Reader) -> None:
    """After one fired the server looks again after a quarter of a second; none is early."""
    dues = {n: _in(0.4 + n / 50) for n in range(20)}
    await asyncio.gather(*(timers.arm(f"timer.start.m{n}", f"due.start.m{n}", at) for n, at in dues.items()))
    for n, at in dues.items():
        late = (await _fired(reader, f"due.start.m{n}")).recorded_at - at
        assert timedelta(milliseconds=-1) <= late < timedelta(milliseconds=330)


async def test_a_timer_whose_time_is_past_fires_at_once(timers: Timers, reader: Reader) -> None:
    """Arming late is as good as firing, and the body comes along."""
    await timers.arm(TIMER, DUE, _in(-60), b"why")
    assert (await _fired(reader)).data == b"why"


async def test_arming_again_replaces_the_timer(timers: Timers, reader: Reader) -> None:
    """Later or earlier: only the last time counts, and it fires once."""
    await timers.arm(TIMER, DUE, _in(0.2), b"first")
    await timers.arm(TIMER, DUE, _in(3600), b"second")
    at = _in(0.5)
    await timers.arm(TIMER, DUE, at, b"third")
    fired = await _fired(reader)
    assert fired.data == b"third"
    assert fired.recorded_at >= at - timedelta(milliseconds=1)
    assert [await reader.next(DUE, 1), await reader.last(TIMER)] == [fired, None]


async def test_a_disarmed_timer_does_not_fire(timers: Timers, reader: Reader) -> None:
    """A later timer fires and the disarmed one did not."""
    await timers.arm(TIMER, DUE, _in(0.3))
    await timers.arm("timer.start.m", "due.start.m", _in(0.6))
    await timers.disarm(TIMER)
    await timers.disarm("timer.start.never_armed")
    await _fired(reader, "due.start.m")
    assert await reader.last(DUE) is None


async def test_what_is_fired_by_hand_is_due_now(timers: Timers, reader: Reader) -> None:
    """The sweep of the planner needs no schedule; a due that is fired leaves an armed timer alone."""
    await timers.arm(TIMER, DUE, _in(3600))
    await timers.fire(DUE, b"now")
    assert (await _fired(reader)).data == b"now"
    assert await reader.last(TIMER) is not None


async def test_timers_survive_the_death_of_all_servers(servers: Servers, timers: Timers, reader: Reader) -> None:
    """After kill -9 an armed timer fires at its time, or at once where that is past."""
    at = _in(6 if servers.replicas > 1 else 1.5)
    await timers.arm(TIMER, DUE, at, b"later")
    await timers.arm("timer.start.m", "due.start.m", _in(0.3), b"soon")
    for node in servers.nodes:
        await asyncio.to_thread(node.kill)
    for node in servers.nodes:
        await asyncio.to_thread(node.start, wait=False)
    assert (await until(lambda: reader.last("due.start.m"), 30)).data == b"soon"  # type: ignore[union-attr]
    fired = await until(lambda: reader.last(DUE), 30)
    assert fired is not None
    assert fired.data == b"later"
    assert fired.recorded_at >= at - timedelta(milliseconds=1)


async def test_what_fired_is_not_kept_for_ever(timers: Timers, reader: Reader) -> None:
    """Fired messages carry the time after which the server removes them."""
    await timers.arm(TIMER, DUE, _in(-1))
    assert (await _fired(reader)).headers["Nats-TTL"] == "168h"
    await timers.fire("due.start.m")
    assert (await _fired(reader, "due.start.m")).headers["Nats-TTL"] == "168h"
