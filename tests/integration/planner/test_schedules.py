"""Starts and windows by the clock, without anybody asking."""

from datetime import timedelta

import pytest

from shared import clock
from shared.contracts import commands, subjects
from shared.contracts.mailing import SendingStarted
from tests.integration.planner.conftest import Desk
from tests.integration.planner.test_audiences import PEOPLE


async def ready(desk: Desk) -> str:
    """Return a mailing that only lacks its start."""
    await desk.imported(PEOPLE)
    mailing = await desk.drafted()
    await desk.do(commands.FreezeAudience(mailing=mailing))
    return mailing


@pytest.mark.alone
async def test_it_starts_within_a_twentieth_of_a_second_of_its_time(desk: Desk) -> None:
    """The record of the start lies less than 50 ms after the instant that was asked for."""
    mailing = await ready(desk)
    at = clock.now() + timedelta(seconds=1.5)
    await desk.do(commands.ScheduleMailing(mailing=mailing, at=at))
    await desk.happened(mailing, "SendingStarted")
    commits = await desk.log.load(subjects.mailing(mailing))
    started = next(c for c in commits if isinstance(c.events[0].event, SendingStarted))
    late = (started.recorded_at - at).total_seconds()
    print(f"started {late * 1000:.1f} ms after its time")  # noqa: T201 - a measurement
    assert 0 <= late < 0.05


async def test_a_start_that_was_withdrawn_does_not_come(desk: Desk) -> None:
    """Neither the timer nor the alarm starts it."""
    mailing = await ready(desk)
    await desk.do(commands.ScheduleMailing(mailing=mailing, at=clock.now() + timedelta(seconds=1)))
    await desk.do(commands.UnscheduleMailing(mailing=mailing))
    other = await desk.drafted()
    await desk.do(commands.FreezeAudience(mailing=other))
    await desk.do(commands.ScheduleMailing(mailing=other, at=clock.now() + timedelta(seconds=2)))
    await desk.happened(other, "SendingStarted")
    assert "SendingStarted" not in await desk.types(mailing)


async def test_windows_close_and_open_by_themselves(desk: Desk) -> None:
    """Open for two seconds, closed for another one, then open again: all unfinished chunks are hinted at."""
    mailing = await ready(desk)
    now = clock.now()
    end, start = (now + timedelta(seconds=2)).time(), (now + timedelta(seconds=3)).time()
    hours = {"start": start.isoformat(), "end": end.isoformat()}
    await desk.do(commands.ScheduleMailing.model_validate({"mailing": mailing, "hours": hours}))
    await desk.happened(mailing, "WindowOpened")
    assert (await desk.types(mailing))[2:] == ["MailingScheduled", "SendingStarted", "WindowClosed", "WindowOpened"]
    await desk.hinted(mailing, 1)


async def test_after_a_restart_a_start_comes_all_the_same(desk: Desk) -> None:
    """What fell due while no planner was there is done when one comes."""
    mailing = await ready(desk)
    await desk.do(commands.ScheduleMailing(mailing=mailing, at=clock.now() + timedelta(seconds=0.5)))
    await desk.down()
    await desk.nc.jetstream().purge_stream("TIMERS")
    await desk.up()
    await desk.happened(mailing, "SendingStarted")
    await desk.planned(mailing, 1)
