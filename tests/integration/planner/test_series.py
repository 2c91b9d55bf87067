"""Recurring mailings as the planner makes them, over restarts, times that were missed, and campaigns that end."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from shared import clock
from shared.contracts import commands, subjects
from shared.contracts.mailing import MailingDrafted
from shared.contracts.series import OccurrenceMade, OccurrenceSkipped, SeriesEdited, SeriesOpened
from tests.harness.waiting import until
from tests.integration.planner.conftest import LETTER, Desk

PEOPLE = b"email,name\nann@x.example,Ann\nbob@x.example,Bob\n"


def _round(at: datetime, **more: object) -> dict[str, Any]:
    """Return a rhythm that comes round daily at this time of day."""
    return {"every": "day", "at": at.time().isoformat(), "zone": "UTC"} | more


async def _wanted(desk: Desk) -> dict[str, Any]:
    """Return what a series drafts."""
    await desk.imported(PEOPLE)
    opened = await desk.do(commands.OpenCampaign(name="c", lists=["readers"]))
    draft = {"campaign": opened["campaign"], "name": "News", "account": await desk.account()}
    return LETTER | draft | {"sender_address": "a@example.com"}


async def _opened(desk: Desk, **more: object) -> str:
    """Open a series that comes round in two hours."""
    rhythm = _round(clock.now() + timedelta(hours=2))
    wanted = {"draft": await _wanted(desk), "rhythm": rhythm} | more
    series: str = (await desk.do(commands.OpenSeries.model_validate(wanted)))["series"]
    return series


async def _shown(desk: Desk, series: str) -> dict[str, Any]:
    rows = (await desk.ask(commands.AllSeries()))["series"]
    found: dict[str, Any] = next(row for row in rows if row["series"] == series)
    return found


async def _told(desk: Desk, series: str, many: int) -> list[OccurrenceMade | OccurrenceSkipped]:
    """Wait until something became of so many times."""

    async def enough() -> list[OccurrenceMade | OccurrenceSkipped]:
        events = await desk.events(subjects.series(series))
        found = [event for event in events if isinstance(event, OccurrenceMade | OccurrenceSkipped)]
        return found if len(found) >= many else []

    return await until(enough, 20)


async def _edited(desk: Desk, series: str, **changes: object) -> None:
    """Let a series have been otherwise, since whenever."""
    before = (await desk.events(subjects.series(series)))[0]
    assert isinstance(before, SeriesOpened)
    await desk.write(subjects.series(series), SeriesEdited.model_validate(before.model_dump() | changes))


async def _comes(desk: Desk, series: str, at: datetime) -> None:
    """Let it come round at an instant, which may be past by the time it is read."""
    await _edited(desk, series, rhythm=_round(at), since=at - timedelta(hours=1))


@pytest.mark.feature("B12")
async def test_a_mailing_is_made_when_it_comes_round_and_once(desk: Desk) -> None:
    """Drafted, frozen, scheduled, started; a restart makes it no second time; stopped it makes no other."""
    series = await _opened(desk)
    assert (await _shown(desk, series))["made"] == 0
    await _comes(desk, series, clock.now() + timedelta(seconds=1.5))
    made = (await _told(desk, series, 1))[0]
    assert isinstance(made, OccurrenceMade)
    await desk.happened(made.mailing, "SendingStarted")
    assert (await desk.types(made.mailing))[:4] == [
        "MailingDrafted",
        "AudienceFrozen",
        "MailingScheduled",
        "SendingStarted",
    ]
    draft = (await desk.events(subjects.mailing(made.mailing)))[0]
    assert isinstance(draft, MailingDrafted)
    assert draft.name == f"News {made.at.date()}"
    assert len(await desk.planned(made.mailing, 1)) == 1
    await desk.down()
    await desk.up()
    shown = await _shown(desk, series)
    assert (shown["made"], shown["last_mailing"]) == (1, made.mailing)
    assert shown["next_at"] == (made.at + timedelta(days=1)).isoformat().replace("+00:00", "Z")
    assert (await desk.do(commands.StopSeries(series=series)))["next_at"] == ""
    assert len(await _told(desk, series, 1)) == 1
    shown = await desk.ask(commands.ShowSeries(series=series))
    assert (shown["stopped"], shown["draft"]["name"], shown["sources"]) == (True, "News", None)
    assert [(row["mailing"], row["reason"]) for row in shown["times"]] == [(made.mailing, "")]


@pytest.mark.feature("B12")
@pytest.mark.parametrize(
    ("ago", "late", "became"),
    [
        (timedelta(minutes=5), "skip", "SendingStarted"),
        (timedelta(hours=1), "send", "SendingStarted"),
        (timedelta(hours=1), "ask", "waits"),
        (timedelta(hours=1), "skip", "late"),
    ],
)
async def test_of_times_that_were_missed_the_last_one_counts(
    desk: Desk, ago: timedelta, late: str, became: str
) -> None:
    """The others are skipped; it goes out, waits for somebody, or is left out, as the late rule says."""
    series = await _opened(desk)
    await desk.down()
    now = clock.now()
    await _edited(desk, series, rhythm=_round(now - ago), since=now - ago - timedelta(days=2, hours=1), late=late)
    await desk.up()
    *missed, last = await _told(desk, series, 3)
    assert [event.reason for event in missed if isinstance(event, OccurrenceSkipped)] == ["missed", "missed"]
    if isinstance(last, OccurrenceSkipped):
        assert last.reason == became
        return
    if became == "waits":
        assert last.waits
        assert await desk.types(last.mailing) == ["MailingDrafted", "AudienceFrozen"]
        return
    assert not last.waits
    await desk.happened(last.mailing, became)


@pytest.mark.feature("B12")
async def test_where_nobody_is_new_nothing_is_made(desk: Desk) -> None:
    """The mailing that nobody new would get is gone; with somebody new the next one goes to everybody."""
    series = await _opened(desk, only_new=True)
    await _comes(desk, series, clock.now())
    (made,) = await _told(desk, series, 1)
    await _comes(desk, series, clock.now())
    _, skipped = await _told(desk, series, 2)
    assert isinstance(skipped, OccurrenceSkipped)
    assert skipped.reason == "nobody_new"
    await desk.imported(PEOPLE + b"cy@x.example,Cy\n")
    await _comes(desk, series, clock.now())
    other = (await _told(desk, series, 3))[-1]
    assert isinstance(made, OccurrenceMade)
    assert isinstance(other, OccurrenceMade)
    frozen = (await desk.ask(commands.Audience(mailing=other.mailing)))["recipients"]
    assert (frozen, other.mailing != made.mailing) == (3, True)


@pytest.mark.feature("B12")
async def test_what_is_refused_skips_the_time_and_a_campaign_that_is_over_ends_it(desk: Desk) -> None:
    """Tried when it is opened; later refusals stand in the list with their code."""
    wanted = await _wanted(desk)
    later = _round(clock.now() + timedelta(hours=2))

    def opening(**more: object) -> commands.OpenSeries:
        return commands.OpenSeries.model_validate({"draft": wanted | more, "rhythm": later})

    assert await desk.refused(opening(text="{{ nobody }}")) == "unknown_placeholder"
    assert await desk.refused(opening(sender_address="x@other.example")) == "sender_not_allowed"
    assert await desk.refused(opening(campaign="nothing")) == "campaign_unknown"
    series = (await desk.do(opening()))["series"]
    await desk.do(commands.CloseCampaign(campaign=wanted["campaign"]))
    await _comes(desk, series, clock.now())
    (skipped,) = await _told(desk, series, 1)
    assert isinstance(skipped, OccurrenceSkipped)
    assert skipped.reason == "campaign_closed"

    async def over() -> bool:
        return bool((await _shown(desk, series))["stopped"])

    await until(over)
    shown = await _shown(desk, series)
    assert (shown["reason"], shown["last_reason"], shown["next_at"]) == ("campaign_closed", "campaign_closed", "")
