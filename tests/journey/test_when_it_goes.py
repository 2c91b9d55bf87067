"""When mails go out, and how many at a time; by command line and HTTP, up to the sink."""

import asyncio
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from typing import Any

import pytest

from shared import clock
from tests.harness.marketer import LETTER, PACKET, PATIENCE, Marketer, events_of
from tests.harness.waiting import until

pytestmark = pytest.mark.asyncio(loop_scope="package")

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
SPANS, OPEN, SHUT = 4, 3, 2
"""So many windows, and for how many units each is open, and shut after it."""
WINDOW_OPENED = "mailing.window_opened/1"


async def took(shop: Marketer, *mailings: str) -> float:
    """Return how many seconds lay between the start of some mailings and their last mail at the sink.

    Whatever is late on a busy machine makes it more, nothing makes it less than a rate allows.
    """
    began = min([datetime.fromisoformat((await shop.status(mailing))["started_at"]) for mailing in mailings])
    return max(mail.at for mailing in mailings for mail in shop.arrived(mailing)) - began.timestamp()


def spans(first: datetime, unit: timedelta) -> dict[str, Any]:
    """Return hours of a few short windows from an instant on, the same ones every day."""
    opens = [first + place * (OPEN + SHUT) * unit for place in range(SPANS)]
    found = [{"start": at.time().isoformat(), "end": (at + OPEN * unit).time().isoformat()} for at in opens]
    return found[0] | {"more": found[1:]}


async def within_windows(shop: Marketer, campaign: str, unit: timedelta) -> tuple[str, datetime]:
    """Start a mailing, a mail each unit, within short windows from now on; return it and when the first one opens."""
    mailing = await shop.draft(campaign, limits={"seconds_between": unit.total_seconds()})
    await shop.fixed(mailing)
    assert (await shop.status(mailing))["status"] == "Planned"
    now = clock.now().replace(microsecond=0)
    await shop.done("POST", f"/mailings/{mailing}/schedule", {"hours": spans(now, unit)})
    return mailing, now


async def turns_of(shop: Marketer, mailing: str, first: datetime, unit: timedelta) -> list[str]:
    """Wait until all its windows are over for this day; return how it started and stopped."""
    over = first + SPANS * (OPEN + SHUT) * unit
    await asyncio.sleep(max(0.0, (over - clock.now()).total_seconds()))
    opens = (None, f"{first + timedelta(days=1):%Y-%m-%dT%H:%M:%S}.000Z")  # None: it never started
    await shop.becomes(mailing, lambda status: status["status"] == "Scheduled" and status["opens"] in opens)
    lines = events_of((await shop.ran("mailing", "log", mailing))["rows"])
    return [line for line in lines if line.startswith(("mailing.sending", "mailing.window"))]


@pytest.mark.timeout(300)
@pytest.mark.feature("G1", "G2", "G6", "M4", "P3", "P5", "A9")
async def test_each_goes_out_at_its_time_and_at_its_pace(shop: Marketer, tmp_path: Path) -> None:
    """Start, business days, hours, interval, smooth rate, shared rate, packets: all by what the installation runs.

    Nobody is faster than allowed; a mailing is Scheduled again while its window is closed, and goes on by itself.
    """
    for name, count in (("few", 4), ("many", 30), ("dozen", PACKET + 4)):
        await shop.told(*({"id": f"{name}{number}", "lists": [name]} for number in range(count)))
    assert {each.partition("-")[0] for each in shop.system.local.programs} <= {
        *("nats", "planner", "sender", "tracker", "reporting", "catcher"),
    }
    campaign, many, dozen = [await shop.campaign(name, name=name) for name in ("few", "many", "dozen")]

    unit = timedelta(seconds=1)
    windowed, now = await within_windows(shop, many, unit)

    timed = await shop.draft(campaign)
    await shop.fixed(timed)
    begins = clock.now().replace(microsecond=0) + timedelta(seconds=4)
    tokyo = (begins + timedelta(hours=9)).replace(tzinfo=None).isoformat()
    await shop.ran("mailing", "schedule", timed, "--at", tokyo, "--zone", "Asia/Tokyo")

    noon = (24 - now.hour) % 24 - 12  # a zone in which midnight is far away
    zone = f"Etc/GMT{-noon:+d}"
    today = (now + timedelta(hours=noon)).date()
    free = DAYS[today.weekday()]
    business = await shop.draft(campaign)
    await shop.fixed(business)
    days = ("--days", ",".join(day for day in DAYS if day != free), "--hours", "00:00-23:59", "--zone", zone)
    closed = ("--closed", str(today + timedelta(days=1)))
    await shop.ran("mailing", "schedule", business, *days, *closed)
    opens = datetime.combine(today + timedelta(days=2), time(), UTC) - timedelta(hours=noon)
    foreseen = await shop.ran("mailing", "forecast", business)
    assert datetime.fromisoformat(foreseen["starts_at"]) == opens
    await shop.becomes(business, lambda status: status["status"] == "Scheduled")

    draft = ("--name", "x", "--campaign", campaign, "--account", "relay", "--from", LETTER["sender_address"])
    (tmp_path / "letter.txt").write_text("Hello {{ name }}")
    letter = ("--subject", "Hi", "--text", str(tmp_path / "letter.txt"))

    async def goes(*options: str) -> str:
        mailing = str((await shop.ran("mailing", "draft", *draft, *letter, *options))["mailing"])
        await shop.ran("mailing", "audience", mailing)
        await shop.ran("mailing", "schedule", mailing)
        return mailing

    smooth = await goes("--per-hour", "3600")
    paused = await goes("--seconds-between", "1")
    packet = await goes("--batch", "2/60")
    packets = await shop.begun(dozen)
    limited = {"name": "limited", "host": "127.0.0.1", "port": shop.system.relay.port, "tls": "none"}
    limited |= {"senders": ["news@shop.example"], "limits": {"per_minute": 60}}
    shared = (await shop.done("POST", "/accounts", limited))["account"]
    await shop.ran("account", "test", shared)
    pair = [await shop.begun(campaign, account=shared, name=f"Pair {place}") for place in range(2)]

    for mailing in (timed, smooth, paused, *pair):
        assert len(await shop.completed(mailing)) == 4
    assert min(mail.at for mail in shop.arrived(timed)) >= begins.timestamp()
    assert "mailing.scheduled/1" in events_of((await shop.ran("mailing", "log", timed))["rows"])
    # The first of a rate may be late by an interval.
    assert await took(shop, smooth) > 1.5, "four at one a second take three seconds"
    assert await took(shop, paused) > 2
    assert await took(shop, *pair) > 5, "eight at one a second, together"
    for mailing, size, rest in ((packet, 2, 2), (packets, PACKET, 4)):
        status = await shop.becomes(mailing, lambda status, size=size: status["sent"] == size)
        assert (status["status"], status["to_send"]) == ("Sending", rest)
        ends = (await shop.ran("mailing", "forecast", mailing))["finishes_at"]
        assert datetime.fromisoformat(ends) > clock.now() + timedelta(minutes=50)

    turns = await turns_of(shop, windowed, now, unit)
    if WINDOW_OPENED not in turns or not shop.arrived(windowed):  # the machine slept: once more, with longer windows
        await shop.ran("mailing", "cancel", windowed)
        windowed, now = await within_windows(shop, many, 4 * unit)
        turns = await turns_of(shop, windowed, now, 4 * unit)
    assert turns[0] == "mailing.sending_started/1"
    assert turns[1:4:2] == ["mailing.window_closed/1"] * len(turns[1:4:2])
    assert WINDOW_OPENED in turns
    assert not shop.arrived(business)
    await shop.done("POST", f"/mailings/{business}/unschedule", {})
    assert (await shop.status(business))["status"] == "Planned"
    await shop.ran("mailing", "schedule", business, "--days", free, "--zone", zone)
    assert len(await shop.completed(business)) == 4
    await shop.becomes(windowed, lambda status: status["sent"] == len(shop.arrived(windowed)))
    some = len(shop.arrived(windowed))
    assert 0 < some < 30
    assert [len(shop.arrived(mailing)) for mailing in (packet, packets)] == [2, PACKET], "no more within the hour"

    wanted = LETTER | {"campaign": campaign, "name": "y", "account": shop.system.account}
    assert await shop.denied("PUT", f"/mailings/{timed}", wanted) == "mailing_started"
    assert await shop.fails("mailing", "edit", timed, *draft, *letter) == "mailing_started"
    assert (len(shop.arrived(windowed)), (await shop.status(windowed))["sent"]) == (some, some), "nothing while closed"
    for mailing in (windowed, packet, packets):
        await shop.ran("mailing", "cancel", mailing)


@pytest.mark.feature("B12")
async def test_nobody_is_written_to_at_night_or_too_late(shop: Marketer) -> None:
    """In the hours of each recipient's own zone; what was not sent before the deadline expires."""
    now = clock.now()
    here = (24 - now.hour) % 24 - 12  # noon here, midnight there
    there = here + 12 if here < 0 else here - 12
    zones = {"east": f"Etc/GMT{-here:+d}", "west": f"Etc/GMT{-there:+d}"}
    await shop.told(*({"id": name, "lists": ["Zones"], "fields": {"time_zone": zones[name]}} for name in zones))
    campaign = await shop.campaign("Zones")
    mailing = await shop.draft(campaign, recipient_time=True)
    await shop.fixed(mailing)
    await shop.ran("mailing", "schedule", mailing, "--hours", "09:00-16:00", "--zone", zones["east"])
    await shop.becomes(mailing, lambda status: status["sent"] == 1)
    late = await shop.draft(campaign, limits={"seconds_between": 60})
    await shop.ran("mailing", "audience", late, "--add", "dora@two.example")
    for seconds in (6, 20, 40):  # refused where it is past by the time that a busy machine reads it
        ends = (clock.now() + timedelta(seconds=seconds)).replace(tzinfo=None).isoformat()
        reply = await shop.asked("POST", f"/mailings/{late}/schedule", {"deadline": ends})
        if reply.status_code == 200:
            break
    await shop.completed(late)
    status = await shop.ran("mailing", "status", late)
    assert status["sent"] + status["expired"] == 3
    assert status["expired"] >= 2
    assert len(shop.arrived(late)) == status["sent"]
    assert [mail.recipient for mail in shop.arrived(mailing)] == ["east@one.example"]
    await shop.ran("mailing", "cancel", mailing)


@pytest.mark.feature("B12")
async def test_holidays_of_a_country_are_closed(shop: Marketer) -> None:
    """A start on New Year's Day waits for the day after where that is a holiday, by command line and over HTTP."""
    await shop.told({"id": "kit", "lists": ["Holidays"]})
    campaign = await shop.campaign("Holidays")
    first = datetime(clock.now().year + 1, 1, 1, 9, 0)  # noqa: DTZ001 - local in the zone it is sent with
    at = first.isoformat(timespec="minutes")
    hours = {"start": "08:00", "end": "18:00"}
    nowhere = {"at": at, "zone": "Europe/Prague", "hours": hours | {"holidays": ["XX"]}}
    await shop.fixed(mailing := await shop.draft(campaign))
    assert await shop.denied("POST", f"/mailings/{mailing}/schedule", nowhere) == "calendar_unknown"
    assert await shop.fails("mailing", "schedule", mailing, "--at", at, "--holidays", "XX") == "calendar_unknown"
    mailings = [mailing, *[await shop.draft(campaign) for _ in range(2)]]
    for each in mailings[1:]:
        await shop.fixed(each)
    at_nine = ("--at", at, "--zone", "Europe/Prague", "--hours", "08:00-18:00", "--holidays", "CZ")
    await shop.ran("mailing", "schedule", mailing, *at_nine)
    for each, closed in zip(mailings[1:], (["CZ"], []), strict=True):
        wanted = {"at": at, "zone": "Europe/Prague", "hours": hours | {"holidays": closed}}
        await shop.done("POST", f"/mailings/{each}/schedule", wanted)
    day_after = datetime(first.year, 1, 2, 7, 0, tzinfo=UTC)
    for each, opens in zip(mailings, (day_after, day_after, first.replace(hour=8, tzinfo=UTC)), strict=True):
        foreseen = await shop.done("GET", f"/mailings/{each}/forecast")
        assert datetime.fromisoformat(foreseen["starts_at"]) == opens
        assert (await shop.status(each))["status"] == "Scheduled"
    assert (await shop.ran("mailing", "status", mailing))["hours"]["holidays"] == ["CZ"]
    for each in mailings:
        await shop.done("POST", f"/mailings/{each}/unschedule", {})


@pytest.mark.feature("B12")
async def test_a_series_comes_round_by_itself(shop: Marketer, tmp_path: Path) -> None:
    """Opened by the command line, moved over HTTP to a moment from now: its mailing is made, sent and reported."""
    await shop.told({"id": "lia", "lists": ["Round"]})
    campaign = await shop.campaign("Round")
    (text := tmp_path / "x.txt").write_text("Hello {{ name }}")
    draft = ("--name", "Weekly", "--campaign", campaign, "--account", "relay", "--from", "news@shop.example")
    draft += ("--subject", "News", "--text", str(text))
    round_ = ("--every", "week", "--on", "mon,thu", "--at", "09:00", "--in", "Europe/Prague", "--times", "3")
    opened = await shop.ran("series", "open", *draft, *round_, "--only-new")
    assert opened["next_at"].endswith(("T07:00:00Z", "T08:00:00Z"))
    series = opened["series"]
    await shop.ran("series", "edit", series, *draft, "--every", "month", "--day", "31")
    (row,) = [row for row in (await shop.done("GET", "/series"))["series"] if row["series"] == series]
    assert (row["rhythm"]["every"], row["only_new"], row["made"]) == ("month", False, 0)

    wanted = {"campaign": campaign, "name": "Daily", "account": shop.system.account} | LETTER
    for seconds in (2, 6, 20, 40):  # it is tomorrow's where it is past by the time that a busy machine reads it
        at = clock.now() + timedelta(seconds=seconds)
        rhythm = {"every": "day", "at": at.time().isoformat(timespec="seconds"), "zone": "UTC"}
        edited = await shop.done("PUT", f"/series/{series}", {"draft": wanted, "rhythm": rhythm})
        comes = datetime.fromisoformat(edited["next_at"])
        if comes - clock.now() < timedelta(minutes=2):
            break

    async def made() -> str:
        times = (await shop.done("GET", f"/series/{series}"))["times"]
        return str(times[0]["mailing"]) if times else ""

    mailing = await until(made, PATIENCE, every=0.2)
    assert set(await shop.completed(mailing)) == {"lia@one.example"}
    assert min(mail.at for mail in shop.arrived(mailing)) >= comes.timestamp()
    status = await shop.status(mailing)
    assert (status["name"], status["sent"]) == (f"Daily {comes.date()}", 1)
    assert (await shop.ran("series", "stop", series))["next_at"] == ""
    times = (await shop.ran("series", "show", series))["times"]
    assert [(row["mailing"], row["reason"]) for row in times] == [(mailing, "")]
