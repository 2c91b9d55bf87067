"""Starts and windows by the clock, without anybody asking."""

from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest

from shared import clock
from shared.contracts import commands, subjects
from shared.contracts.envelope import Commit
from shared.contracts.mailing import SendingStarted
from tests.integration.planner.conftest import Desk
from tests.integration.planner.test_audiences import PEOPLE


async def ready(desk: Desk) -> str:
    """Return a mailing that only lacks its start."""
    await desk.imported(PEOPLE)
    mailing = await desk.drafted()
    await desk.do(commands.FreezeAudience(mailing=mailing))
    return mailing


@pytest.mark.feature("G1", "B20")
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


@pytest.mark.feature("P3", "P5")
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


@pytest.mark.feature("B12")
async def test_at_the_recipients_time_each_zone_is_planned_when_it_opens(desk: Desk) -> None:
    """It is midday where the mailing is at home, in Tokyo the hours begin in some seconds, elsewhere not for long."""
    await desk.imported(
        b"email,time_zone\na@x.example,Asia/Tokyo\nb@x.example,\nc@x.example,Mars/Base\nd@x.example,Asia/Kathmandu\n"
    )
    mailing = await desk.drafted(recipient_time=True)
    assert (await desk.do(commands.FreezeAudience(mailing=mailing)))["chunks"] == 3
    now, tokyo = clock.now(), ZoneInfo("Asia/Tokyo")
    opens = now.replace(microsecond=0) + timedelta(seconds=6)
    hours = {
        "start": (now - timedelta(minutes=1)).time(),
        "end": (now + timedelta(minutes=10)).time(),
        "more": [
            {"start": opens.astimezone(tokyo).time(), "end": (opens + timedelta(minutes=1)).astimezone(tokyo).time()}
        ],
    }
    at = (now - timedelta(seconds=1)).replace(tzinfo=None)
    await desk.do(commands.ScheduleMailing.model_validate({"mailing": mailing, "at": at, "hours": hours}))
    await desk.planned(mailing, 2)
    planned: dict[str, Commit] = {}
    async for commits in desk.log.scan([subjects.plans_of(mailing)]):
        planned |= {commit.events[0].event.zone: commit for commit in commits}  # type: ignore[attr-defined]  # a plan
    assert list(planned) == ["UTC", "Asia/Tokyo"]
    assert planned["UTC"].recorded_at < opens <= planned["Asia/Tokyo"].recorded_at


@pytest.mark.feature("G2", "A9")
async def test_a_batch_is_planned_at_once_and_no_more_in_its_period(desk: Desk) -> None:
    """Two of five in the first minute, though nothing else holds back the others."""
    await desk.imported(PEOPLE)
    mailing = await desk.drafted(batch={"size": 2, "minutes": 1})
    assert (await desk.do(commands.FreezeAudience(mailing=mailing)))["chunks"] == 3
    await desk.do(commands.ScheduleMailing(mailing=mailing))
    (chunk,) = await desk.planned(mailing, 1)
    assert len(chunk.contacts) == 2
    await desk.finish(chunk)
    await desk.facts_seen(subjects.chunk(mailing, chunk.n))
    other = await desk.drafted()
    await desk.do(commands.FreezeAudience(mailing=other))
    await desk.do(commands.ScheduleMailing(mailing=other, at=clock.now() + timedelta(seconds=1.5)))
    await desk.planned(other, 1)  # a sweep later
    assert len(await desk.plans(mailing)) == 1


@pytest.mark.feature("G6")
async def test_after_a_restart_a_start_comes_all_the_same(desk: Desk) -> None:
    """What fell due while no planner was there is done when one comes."""
    mailing = await ready(desk)
    await desk.do(commands.ScheduleMailing(mailing=mailing, at=clock.now() + timedelta(seconds=0.5)))
    await desk.down()
    await desk.nc.jetstream().purge_stream("TIMERS")
    await desk.up()
    await desk.happened(mailing, "SendingStarted")
    await desk.planned(mailing, 1)
