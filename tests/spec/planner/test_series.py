"""Recurring mailings: when they come round, and what becomes of each time."""

from datetime import UTC, date, datetime, time, timedelta
from itertools import islice, pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.planner.mailings import rhythm, series
from services.planner.mailings.series import Series, SeriesDecider
from shared.contracts.series import (
    OccurrenceMade,
    OccurrenceSkipped,
    Rhythm,
    SeriesEdited,
    SeriesOpened,
    SeriesStopped,
)
from tests.harness.decider_spec import Spec, spec

BEGIN = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)  # a Monday
DAILY = Rhythm(every="day", at=time(9), zone="Europe/Prague")
WANTED = {"campaign": "c1", "name": "n", "draft": "0" * 64, "rhythm": DAILY, "since": BEGIN}
OPENED = SeriesOpened.model_validate(WANTED)
FIRST = datetime(2026, 3, 3, 8, 0, tzinfo=UTC)
MADE = OccurrenceMade(at=FIRST, mailing="m1")


def opened(*events: object) -> Spec[Series, series.Command]:
    """Begin with a series to which this happened."""
    return spec(SeriesDecider()).given(OPENED, *events)  # type: ignore[arg-type]  # events all of them


def _rhythm(text: str) -> Rhythm:
    every, at, zone, *more = text.split()
    values: dict[str, object] = {"every": every, "at": at, "zone": zone}
    for part in more:
        name, _, value = part.partition("=")
        values[name] = [int(day) for day in value.split(",")] if name == "weekdays" else value
    return Rhythm.model_validate(values)


# What it is, after which instant, and the next three instants.
TABLE = """
day 09:00 UTC                               | 2026-03-02T12:00Z | 2026-03-03T09:00Z 2026-03-04T09:00Z 2026-03-05T09:00Z
day 12:00 UTC                               | 2026-03-02T12:00Z | 2026-03-03T12:00Z 2026-03-04T12:00Z 2026-03-05T12:00Z
day 09:00 Europe/Prague                     | 2026-03-28T06:00Z | 2026-03-28T08:00Z 2026-03-29T07:00Z 2026-03-30T07:00Z
day 02:30 Europe/Prague                     | 2026-03-28T00:00Z | 2026-03-28T01:30Z 2026-03-29T01:30Z 2026-03-30T00:30Z
day 02:30 Europe/Prague                     | 2026-10-24T00:00Z | 2026-10-24T00:30Z 2026-10-25T00:30Z 2026-10-26T01:30Z
day 02:30 America/New_York                  | 2026-03-07T06:00Z | 2026-03-07T07:30Z 2026-03-08T07:30Z 2026-03-09T06:30Z
day 01:30 America/New_York                  | 2026-10-31T05:00Z | 2026-10-31T05:30Z 2026-11-01T05:30Z 2026-11-02T06:30Z
day 02:15 Australia/Lord_Howe               | 2026-10-03T00:00Z | 2026-10-03T15:45Z 2026-10-04T15:15Z 2026-10-05T15:15Z
day 23:30 Pacific/Auckland                  | 2026-04-04T00:00Z | 2026-04-04T10:30Z 2026-04-05T11:30Z 2026-04-06T11:30Z
day 00:30 Pacific/Apia                      | 2011-12-28T00:00Z | 2011-12-28T10:30Z 2011-12-29T10:30Z 2011-12-30T10:30Z
day 09:00 Asia/Tokyo                        | 2026-03-29T00:00Z | 2026-03-30T00:00Z 2026-03-31T00:00Z 2026-04-01T00:00Z
week 09:00 UTC weekdays=0                   | 2026-03-02T12:00Z | 2026-03-09T09:00Z 2026-03-16T09:00Z 2026-03-23T09:00Z
week 09:00 UTC weekdays=0,3                 | 2026-03-02T08:00Z | 2026-03-02T09:00Z 2026-03-05T09:00Z 2026-03-09T09:00Z
week 09:00 UTC weekdays=6,5                 | 2026-02-27T00:00Z | 2026-02-28T09:00Z 2026-03-01T09:00Z 2026-03-07T09:00Z
week 02:30 Europe/Prague weekdays=6         | 2026-03-23T00:00Z | 2026-03-29T01:30Z 2026-04-05T00:30Z 2026-04-12T00:30Z
week 00:15 Asia/Tokyo weekdays=0            | 2026-03-01T16:00Z | 2026-03-08T15:15Z 2026-03-15T15:15Z 2026-03-22T15:15Z
month 09:00 UTC day=1                       | 2026-03-02T12:00Z | 2026-04-01T09:00Z 2026-05-01T09:00Z 2026-06-01T09:00Z
month 09:00 UTC day=31                      | 2026-01-31T12:00Z | 2026-02-28T09:00Z 2026-03-31T09:00Z 2026-04-30T09:00Z
month 09:00 UTC day=29                      | 2028-01-31T12:00Z | 2028-02-29T09:00Z 2028-03-29T09:00Z 2028-04-29T09:00Z
month 09:00 UTC day=31                      | 2026-12-01T00:00Z | 2026-12-31T09:00Z 2027-01-31T09:00Z 2027-02-28T09:00Z
month 02:30 Europe/Prague day=29            | 2026-03-01T00:00Z | 2026-03-29T01:30Z 2026-04-29T00:30Z 2026-05-29T00:30Z
day 09:00 UTC starts_on=2026-03-05          | 2026-03-02T12:00Z | 2026-03-05T09:00Z 2026-03-06T09:00Z 2026-03-07T09:00Z
day 09:00 UTC until=2026-03-04              | 2026-03-02T12:00Z | 2026-03-03T09:00Z 2026-03-04T09:00Z
day 09:00 UTC until=2026-03-01              | 2026-03-02T12:00Z |
day 09:00 America/New_York until=2026-03-03 | 2026-03-03T12:00Z | 2026-03-03T14:00Z
"""


@pytest.mark.feature("B12")
@pytest.mark.parametrize("line", [line for line in TABLE.splitlines() if line])
def test_it_comes_round_at_a_local_time(line: str) -> None:
    """Over jumps of the clock, short months and edges of dates, as the table says."""
    what, after, expected = (part.strip() for part in line.split("|"))
    found = islice(rhythm.following(_rhythm(what), datetime.fromisoformat(after)), 3)
    assert list(found) == [datetime.fromisoformat(at) for at in expected.split()]


@pytest.mark.feature("B12")
@given(
    round_=st.builds(
        Rhythm,
        every=st.sampled_from(["day", "week", "month"]),
        weekdays=st.lists(st.integers(0, 6), min_size=1, max_size=7),
        day=st.integers(1, 31),
        at=st.times(),
        zone=st.sampled_from(["UTC", "Europe/Prague", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata"]),
        starts_on=st.none(),
        until=st.none(),
        times=st.none(),
    ),
    after=st.datetimes(datetime(2020, 1, 1), datetime(2035, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001 - see timezones
)
def test_times_rise_and_nobody_is_told_of_one_twice(round_: Rhythm, after: datetime) -> None:
    """Going on after any time gives the times that would have come, each at most a month and a day after the other."""
    found = list(islice(rhythm.following(round_, after), 6))
    assert all(after < one < other <= one + timedelta(days=32) for one, other in pairwise([found[0], *found[1:]]))
    for place, one in enumerate(found[:-1]):
        assert next(rhythm.following(round_, one)) == found[place + 1]
    if round_.every == "week":
        assert found[0].astimezone(ZoneInfo(round_.zone)).weekday() in round_.weekdays
    assert rhythm.due(round_, after, found[2]) == found[:3]


@pytest.mark.feature("B12")
def test_each_time_is_made_or_skipped_once_and_in_order() -> None:
    """What two planners say of one time is said once; a time before the last one is past."""
    it = opened().when(series.Record(MADE)).then(MADE)
    assert (it.state.made, it.state.mailing, it.state.next_at) == (1, "m1", FIRST + timedelta(days=1))
    it.when(series.Record(OccurrenceMade(at=FIRST, mailing="m2"))).then_nothing()
    skipped = OccurrenceSkipped(at=FIRST + timedelta(days=1), reason="nobody_new")
    it.when(series.Record(skipped)).then(skipped)
    it.when(series.Record(OccurrenceSkipped(at=FIRST, reason="late"))).then_nothing()
    assert (it.state.skip, it.state.mailing, it.state.skipped) == ("nobody_new", "m1", 1)


@pytest.mark.feature("B12")
def test_it_ends_by_number_date_or_stop() -> None:
    """What is skipped does not count; stopped it stays stopped and is not edited."""
    twice = SeriesOpened.model_validate(WANTED | {"rhythm": DAILY.model_copy(update={"times": 2})})
    state = spec(SeriesDecider()).given(twice, MADE, OccurrenceSkipped(at=FIRST + timedelta(days=1), reason="x")).state
    assert state.next_at == FIRST + timedelta(days=2)
    state = SeriesDecider().evolve(state, OccurrenceMade(at=FIRST + timedelta(days=2), mailing="m2"))
    assert (state.next_at, state.due(FIRST + timedelta(days=99))) == (None, [])
    dated = SeriesOpened.model_validate(WANTED | {"rhythm": DAILY.model_copy(update={"until": date(2026, 3, 3)})})
    assert spec(SeriesDecider()).given(dated, MADE).state.next_at is None
    it = opened().when(series.Stop()).then(SeriesStopped())
    assert it.state.due(FIRST + timedelta(days=9)) == []
    it.when(series.Edit(SeriesEdited.model_validate(WANTED))).then_refused("series_stopped", "series")
    it.when(series.Record(MADE)).then_nothing()


@pytest.mark.feature("B12")
def test_an_edit_holds_for_what_comes_and_makes_nothing_up() -> None:
    """A new time of day before the edit is not made afterwards; an edit that changes nothing is none."""
    at = FIRST + timedelta(hours=6)
    earlier = DAILY.model_copy(update={"at": time(7)})
    edited = SeriesEdited.model_validate(WANTED | {"rhythm": earlier, "since": at})
    it = opened(MADE).when(series.Edit(edited)).then(edited)
    assert it.state.next_at == datetime(2026, 3, 4, 6, 0, tzinfo=UTC)
    opened().when(series.Edit(SeriesEdited.model_validate(WANTED | {"since": at}))).then_nothing()


@pytest.mark.feature("B12")
@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"zone": "Europe/Nowhere"}, "zone_unknown"),
        ({"every": "week", "weekdays": [7]}, "weekdays_invalid"),
        ({"at": "09:00:00+02:00"}, "hours_invalid"),
        ({"until": "2026-03-01"}, "rhythm_empty"),
    ],
)
def test_a_rhythm_that_cannot_be_kept_is_refused(change: dict[str, object], code: str) -> None:
    """With the field at fault."""
    wrong = SeriesOpened.model_validate(WANTED | {"rhythm": DAILY.model_dump() | change})
    spec(SeriesDecider()).when(series.Open(wrong)).then_refused(code)
    spec(SeriesDecider()).when(series.Stop()).then_refused("series_unknown", "series")
