"""When windows open and close: the table in windows.txt, and that nothing goes out beside them."""

from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from services.planner.accounts.account import Account
from services.planner.mailings import orders, schedule
from services.planner.mailings.mailing import Mailing, MailingDecider
from services.planner.planning.openings import leave
from shared.contracts import windows
from shared.contracts.account import AccountAdded, AccountTested
from shared.contracts.commands import Refusal
from shared.contracts.mailing import AudienceFrozen, MailingDrafted, MailingScheduled, SendingStarted
from shared.contracts.mailing_settings import Batch, SendingHours, Span
from shared.instants import from_millis

TABLE = Path(__file__).with_name("windows.txt")
CASES = [line for line in TABLE.read_text().splitlines() if line and not line.startswith("#")]
ZONES = ["Europe/Prague", "America/St_Johns", "Australia/Lord_Howe", "America/Santiago", "Asia/Tokyo", "UTC"]
ACCOUNT = Account(
    added=AccountAdded(name="r", host="relay.example", port=587, senders=["a@example.com"]),
    tested=AccountTested(working=True, detail=""),
)
DAY = timedelta(days=1)
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def hours(spans: str, days: str = "mon-sun", off: str = "-") -> SendingHours:
    """Return sending hours as the table writes them."""
    first, *more = [
        Span.model_validate(dict(zip(("start", "end"), _ends(span), strict=True))) for span in spans.split(",")
    ]
    given_off = [] if off == "-" else off.split()
    calendars = [each for each in given_off if each[0].isalpha()]
    closed = [date.fromisoformat(each) for each in given_off if not each[0].isalpha()]
    begin, _, last = days.partition("-")
    weekdays = list(range(DAYS.index(begin), DAYS.index(last or begin) + 1))
    return SendingHours(
        start=first.start, end=first.end, more=more, weekdays=weekdays, holidays=calendars, closed=closed
    )


def _ends(span: str) -> list[str]:
    return span.replace("24:00", "00:00").split("-")


def utc(text: str) -> datetime:
    """Return an instant."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize("case", CASES)
def test_the_next_window(case: str) -> None:
    """Each line of the table."""
    zone, spans, days, off, asked, opens, closes = (part.strip() for part in case.split("|"))
    at = datetime.fromisoformat(asked).replace(tzinfo=ZoneInfo(zone))
    window = windows.next_window(hours(spans, days, off), zone, at)
    assert (window.opens, window.closes) == (utc(opens), utc(closes))


def test_the_table_is_long_enough() -> None:
    """Sixty cases, five zones with their jumps, five countries."""
    zones = {case.split("|")[0].strip() for case in CASES}
    countries = {part[:2] for case in CASES for part in case.split("|")[3].split() if part[0].isalpha()}
    assert len(CASES) >= 60
    assert zones >= set(ZONES[:4]) | {"America/New_York"}
    assert len(countries) >= 5


@pytest.mark.parametrize(
    ("wanted", "code"),
    [
        (hours("09:00-17:00").model_copy(update={"weekdays": []}), "weekdays_invalid"),
        (hours("09:00-17:00").model_copy(update={"weekdays": [7]}), "weekdays_invalid"),
        (hours("09:00-17:00", off="XX"), "calendar_unknown"),
        (hours("09:00-17:00", off="DE-ZZ"), "calendar_unknown"),
        (hours("09:00-17:00", off="Germany"), "calendar_unknown"),
        (SendingHours(start=time(9, tzinfo=UTC), end=time(17)), "hours_invalid"),
        (
            hours("09:00-17:00").model_copy(update={"more": [Span(start=time(18), end=time(19, tzinfo=UTC))]}),
            "hours_invalid",
        ),
    ],
)
def test_hours_that_cannot_be_kept_are_refused(wanted: SendingHours, code: str) -> None:
    """By the field that is wrong."""
    refusal = schedule.problem(wanted, "UTC")
    assert refusal is not None
    assert refusal.code == code


def test_hours_without_any_window_are_refused() -> None:
    """Every Sunday closed for longer than one looks ahead; one Sunday less is enough."""
    at = utc("2026-01-01 00:00")
    sundays = [date(2026, 1, 4) + timedelta(weeks=week) for week in range(60)]
    wanted = hours("09:00-17:00", "sun").model_copy(update={"closed": sundays})
    refusal = schedule.closed(wanted, "UTC", at)
    assert isinstance(refusal, Refusal)
    assert refusal.code == "hours_empty"
    assert schedule.closed(wanted.model_copy(update={"closed": sundays[:50] + sundays[51:]}), "UTC", at) is None


def test_a_window_vanished_by_the_clock_is_passed_over_for_years() -> None:
    """Where the only window of the year does not exist that year, the next one is found all the same."""
    window = windows.next_window(hours("02:00-03:00", "sun"), "America/New_York", utc("2026-03-07 12:00"))
    assert window.opens == utc("2026-03-15 06:00")


some_hours = st.builds(
    lambda spans, days, closed: SendingHours(
        start=spans[0].start, end=spans[0].end, more=spans[1:], weekdays=sorted(days), closed=closed
    ),
    st.lists(st.builds(Span, start=st.times(), end=st.times()), min_size=1, max_size=3),
    st.sets(st.integers(0, 6), min_size=1),
    st.lists(st.dates(date(2026, 1, 1), date(2026, 12, 31)), max_size=5),
)
instants = st.datetimes(datetime(2026, 1, 1), datetime(2026, 12, 20), timezones=st.just(UTC))  # noqa: DTZ001
zones = st.sampled_from(ZONES)


def on_the_wall(wanted: SendingHours, zone: str, at: datetime) -> bool:
    """Tell by the clock on the wall alone whether `at` is within the hours."""
    local = at.astimezone(ZoneInfo(zone))

    def opened(day: date) -> bool:
        return day.weekday() in wanted.weekdays and day not in wanted.closed

    def within(span: Span) -> bool:
        clock, today, before = local.time(), opened(local.date()), opened(local.date() - DAY)
        if span.start < span.end:
            return today and span.start <= clock < span.end
        return (today and clock >= span.start) or (before and clock < span.end)

    return any(within(span) for span in (wanted, *wanted.more))


def plain(zone: str, at: datetime) -> bool:
    """Tell whether no clock jumps around `at`."""
    offsets = {(at + shift).astimezone(ZoneInfo(zone)).utcoffset() for shift in (-2 * DAY, timedelta(0), 2 * DAY)}
    return len(offsets) == 1


@given(some_hours, zones, instants)
def test_a_window_is_what_the_clock_on_the_wall_says(wanted: SendingHours, zone: str, at: datetime) -> None:
    """Open exactly while a clock there shows one of the hours of an open day."""
    assume(plain(zone, at))
    assert windows.next_window(wanted, zone, at).holds(at) == on_the_wall(wanted, zone, at)


@given(some_hours, zones, instants)
def test_a_window_is_not_over_and_opens_when_it_says(wanted: SendingHours, zone: str, at: datetime) -> None:
    """It is not over at the instant asked for, and open at the instant it opens."""
    window = windows.next_window(wanted, zone, at)
    assert window.closes is not None
    assert max(window.opens, at) < window.closes
    assert window.closes - window.opens < timedelta(days=windows.LONGEST_DAYS + 2)
    if window.opens > at:
        assert windows.next_window(wanted, zone, window.opens).holds(window.opens)


def started(wanted: SendingHours, zone: str, at: datetime, *, of: tuple[str, ...] = ()) -> Mailing:
    """Return a mailing that is scheduled; with `of` at its recipients' time, who live in these zones."""
    drafted = MailingDrafted(
        campaign="c", name="m", account="a", content="0" * 64, subject="s", recipient_time=bool(of)
    )
    frozen = AudienceFrozen(
        object="1" * 64, recipients=1, chunks=1, lanes={"rest": 1}, position=1, zones=dict.fromkeys(of, 1)
    )
    state, decider = Mailing(), MailingDecider()
    for event in (drafted, frozen, MailingScheduled(at=at, zone=zone, hours=wanted)):
        state = decider.evolve(state, event)
    return state


steps = st.lists(st.timedeltas(timedelta(0), timedelta(hours=20)), min_size=1, max_size=25)
of_zones = st.lists(st.sampled_from([*ZONES, ""]), unique=True, max_size=4).map(tuple)


@settings(max_examples=60, deadline=None)
@given(some_hours, st.tuples(zones, of_zones), instants, steps, st.data())
def test_no_mail_is_claimed_outside_a_window(
    wanted: SendingHours,
    place: tuple[str, tuple[str, ...]],
    at: datetime,
    later: list[timedelta],
    data: st.DataObject,
) -> None:
    """Whenever the planner looks, a sender that keeps to `until` and to its chunk's zone only claims within hours.

    Planned are only chunks of zones that are open.
    """
    decider, now = MailingDecider(), at
    zone, of = place
    state = started(wanted, zone, at, of=of)
    for step in later:
        order = data.draw(st.sampled_from(["tick", "tick", "tick", "pause", "resume"]))
        command: orders.Command = orders.Tick(now, ACCOUNT)
        if order != "tick":
            command = orders.Pause() if order == "pause" else orders.Resume(now, ACCOUNT)
        decided = decider.decide(state, command)
        for event in decided if isinstance(decided, list) else []:
            state = decider.evolve(state, event)
        until = now + step
        claimed_at = now + step * data.draw(st.floats(0, 1))
        now = until
        if state.status != "sending" or (state.until is not None and claimed_at >= state.until):
            continue
        assert state.schedule is not None
        mine = data.draw(st.sampled_from(of)) or zone if of else zone
        if of and not windows.window_in(state.schedule, mine, claimed_at).holds(claimed_at):
            assert mine not in (leave(state, claimed_at, []).zones or ())
            continue
        assert windows.begins(state.schedule, mine) <= claimed_at
        if plain(mine, claimed_at):
            assert on_the_wall(wanted, mine, claimed_at)


@given(some_hours, zones, instants, of_zones.filter(bool))
def test_a_mailing_is_open_while_it_is_in_any_zone(
    wanted: SendingHours, zone: str, at: datetime, of: tuple[str, ...]
) -> None:
    """The window over all zones holds exactly where that of some zone does, and its end is no gap before the end."""
    state = started(wanted, zone, at - 2 * DAY, of=of)
    assert state.schedule is not None
    window = windows.window_of(state.schedule, state.zones, at)
    each = [windows.window_in(state.schedule, one, at) for one in state.zones]
    assert window.holds(at) == any(one.holds(at) for one in each)
    assert window.opens == min(one.opens for one in each)
    assert window.closes is not None
    last = max(window.opens, at, window.closes - timedelta(seconds=1))
    assert any(windows.window_in(state.schedule, one, last).holds(last) for one in state.zones)


def test_a_start_at_the_recipients_time_comes_zone_by_zone() -> None:
    """Nine in the morning in Tokyo is first, those without a zone have that of the mailing, New York comes last."""
    of = ("Asia/Tokyo", "America/New_York", "")
    state = started(hours("09:00-17:00"), "Europe/Prague", utc("2026-06-03 07:00"), of=of)
    assert state.due == utc("2026-06-03 00:00")
    assert state.schedule is not None
    state = MailingDecider().evolve(state, SendingStarted())
    open_at = {
        "2026-06-03 00:00": {"Asia/Tokyo"},
        "2026-06-03 07:59": {"Asia/Tokyo", ""},
        "2026-06-03 08:00": {""},
        "2026-06-03 13:00": {"", "America/New_York"},
        "2026-06-03 20:59": {"America/New_York"},
    }
    assert {at: set(leave(state, utc(at), []).zones or ()) for at in open_at} == open_at
    assert leave(state, utc("2026-06-03 08:00"), []).more_at == utc("2026-06-03 13:00")


@given(
    st.lists(st.tuples(st.integers(0, 7_200_000), st.integers(1, 400)), max_size=30),
    st.integers(1, 1000),
    st.integers(1, 120),
)
def test_no_period_holds_more_than_a_batch(asked: list[tuple[int, int]], size: int, minutes: int) -> None:
    """Whoever plans only what there is room for has at most a batch in any period; room comes when it says."""
    batch = Batch(size=size, minutes=minutes)
    state = started(hours("00:00-00:00"), "UTC", utc("1970-01-01 00:00"))
    assert state.draft is not None
    state = state.model_copy(update={"draft": state.draft.model_copy(update={"batch": batch})})
    planned: list[tuple[int, int]] = []
    for at, wanted in sorted(asked):
        found = leave(state, from_millis(at), planned)
        assert found.most is not None
        if wanted <= found.most:
            planned.append((at, wanted))
        elif found.most < size:
            assert found.more_at is not None
            assert (leave(state, found.more_at, planned).most or 0) > found.most
    for at, _ in planned:
        assert sum(each for when, each in planned if at <= when < at + minutes * 60_000) <= size
