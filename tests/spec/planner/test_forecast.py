"""When a mailing will be finished."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.planner.planning.forecast import Forecast, Lane, Work, foresee
from shared.contracts.mailing import MailingScheduled
from shared.contracts.mailing_settings import Batch, SendingHours
from tests.spec.planner.test_windows import hours, some_hours, utc, zones

START = utc("2026-06-04 08:00")  # a Thursday
HOUR = timedelta(hours=1)


def foreseen(left: int | Mapping[tuple[str, str], int], a_second: float, **more: object) -> Forecast:
    """Return the forecast of so many recipients at a rate."""
    scheduled = {"at": START} | {name: more.pop(name) for name in ("hours", "zone", "deadline") if name in more}
    counts = {("rest", ""): left} if isinstance(left, int) else left
    plan = MailingScheduled.model_validate(scheduled)
    return foresee(Work(plan, counts, lambda _: a_second, **more), START - HOUR)  # type: ignore[arg-type]


def close(found: datetime | None, wanted: datetime) -> bool:
    """Tell whether two instants are within two seconds."""
    return found is not None and abs(found - wanted) < timedelta(seconds=2)


def test_at_a_rate_it_takes_its_time_from_the_start_on() -> None:
    """A thousand at 500 an hour take two hours."""
    found = foreseen(1000, 500 / 3600)
    assert found.starts_at == START
    assert close(found.finishes_at, START + 2 * HOUR)
    assert (found.sent, found.expired) == (1000, 0)


def test_it_waits_while_its_windows_are_closed() -> None:
    """Eight hours a business day, from Thursday over a weekend: the twenty-fifth hour is on Tuesday."""
    found = foreseen(2450, 100 / 3600, hours=hours("08:00-16:00", "mon-fri"))
    assert close(found.finishes_at, utc("2026-06-09 08:30"))
    holiday = foreseen(2450, 100 / 3600, hours=hours("08:00-16:00", "mon-fri", "2026-06-05"))
    assert close(holiday.finishes_at, utc("2026-06-10 08:30"))


def test_a_batch_comes_once_a_period() -> None:
    """Twelve hundred in batches of 500 an hour: the third batch goes out two hours after the first."""
    found = foreseen(1200, 10, batch=Batch(size=500, minutes=60))
    assert close(found.finishes_at, START + 2 * HOUR + timedelta(seconds=20))
    began = int(START.timestamp() * 1000)
    counted = foreseen(1200, 10, batch=Batch(size=500, minutes=60), planned=[(began - 600_000, 500)])
    assert close(counted.finishes_at, START + 2 * HOUR + timedelta(minutes=50, seconds=20))


def test_a_slow_lane_ends_last_and_leaves_its_share_to_the_others() -> None:
    """Ten a second, one of them for a lane of its own: the other has nine."""
    lanes = {"gmail": Lane(1.0)}
    found = foreseen({("gmail", ""): 500, ("rest", ""): 900}, 10, lanes=lanes)
    assert close(found.finishes_at, START + timedelta(seconds=500))
    found = foreseen({("gmail", ""): 10, ("rest", ""): 990}, 10, lanes=lanes)
    assert close(found.finishes_at, START + timedelta(seconds=100))
    held = {"gmail": Lane(None, START + HOUR)}
    found = foreseen({("gmail", ""): 100, ("rest", ""): 100}, 10, lanes=held)
    assert close(found.finishes_at, START + HOUR + timedelta(seconds=10))


def test_each_zone_has_its_own_windows() -> None:
    """New York is the last: it begins six hours after Prague."""
    left = {("rest", "Asia/Tokyo"): 600, ("rest", ""): 600, ("rest", "America/New_York"): 600}
    found = foreseen(left, 10, hours=hours("10:00-18:00"), zone="Europe/Prague")
    assert found.starts_at == utc("2026-06-04 07:00")  # Tokyo's begin is past: it goes out at once, within its hours
    assert close(found.finishes_at, utc("2026-06-04 14:01"))


def test_after_the_deadline_the_rest_is_too_late() -> None:
    """Half of them are sent to; the others expire."""
    found = foreseen(1000, 500 / 3600, deadline=START + HOUR)
    assert (found.sent, found.expired) == (500, 500)
    assert found.finishes_at == START + HOUR


def test_what_is_out_of_sight_is_said_to_be() -> None:
    """At one an hour ten thousand take more than a year."""
    assert foreseen(10_000, 1 / 3600).finishes_at is None


@settings(max_examples=60, deadline=None)
@given(some_hours, zones, st.integers(1, 5000), st.floats(0.01, 20))
def test_nobody_is_foreseen_faster_than_the_rate_allows(
    wanted: SendingHours, zone: str, count: int, a_second: float
) -> None:
    """It takes at least as long as without windows, and everybody is counted."""
    found = foreseen(count, a_second, hours=wanted, zone=zone)
    if found.finishes_at is None:
        return
    assert found.starts_at is not None
    assert (found.finishes_at - found.starts_at).total_seconds() == pytest.approx(
        count / a_second, rel=0.01, abs=2
    ) or ((found.finishes_at - found.starts_at).total_seconds() > count / a_second)
    assert found.sent == count
    assert found.starts_at.tzinfo == UTC
