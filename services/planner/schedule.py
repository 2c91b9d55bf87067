"""When mails may go out: sending hours in a time zone turned into windows in UTC.

Pure. Rules:
1. A local time that does not exist (clocks go forward) means the instant as far after the jump: 02:30 becomes 03:30.
2. A local time that comes twice (clocks go back) means the first one.
3. Windows that touch are one window, at most `HORIZON_DAYS` long; then the next one follows without a gap.
4. No sending hours means always open, without an end.
5. An unknown zone, no weekday at all, or weekdays outside 0 to 6 are refused.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from shared.contracts.commands import Refusal
from shared.contracts.mailing import SendingHours

HORIZON_DAYS = 8


@dataclass(frozen=True, slots=True)
class Window:
    """Mails may go out from `opens` until before `closes`; None: for ever."""

    opens: datetime
    closes: datetime | None = None

    def holds(self, now: datetime) -> bool:
        """Tell whether `now` lies within."""
        return self.opens <= now and (self.closes is None or now < self.closes)


def problem(hours: SendingHours | None, zone: str) -> Refusal | None:
    """Return why a schedule cannot be kept, None if it can."""
    try:
        ZoneInfo(zone)
    except (OSError, ValueError, KeyError):  # refused: how a missing zone shows depends on its name
        return Refusal(code="zone_unknown", message=f"There is no time zone {zone!r}.", field="zone")
    if hours is None:
        return None
    if not hours.weekdays or not set(hours.weekdays) <= set(range(7)):
        return Refusal(
            code="weekdays_invalid", message="Choose one or more weekdays, 0 (Monday) to 6.", field="hours.weekdays"
        )
    if hours.start.tzinfo is not None or hours.end.tzinfo is not None:
        return Refusal(code="hours_invalid", message="Sending hours are local times without an offset.", field="hours")
    return None


def instant(local: datetime, zone: str) -> datetime:
    """Return the UTC instant of `local` in `zone`; one that carries an offset is taken by its offset."""
    if local.tzinfo is not None:
        return local.astimezone(UTC)
    return local.replace(tzinfo=ZoneInfo(zone), fold=0).astimezone(UTC)


def next_window(hours: SendingHours | None, zone: str, after: datetime) -> Window:
    """Return the window that is open at `after`, else the next one to open."""
    if hours is None:
        return Window(after)
    here = after.astimezone(ZoneInfo(zone)).date()
    found: Window | None = None
    for day in (here + timedelta(days=shift) for shift in range(-1, HORIZON_DAYS + 1)):
        if day.weekday() not in hours.weekdays:
            continue
        last = day if hours.end > hours.start else day + timedelta(days=1)
        opens, closes = _at(day, hours.start, zone), _at(last, hours.end, zone)
        if closes <= after or closes <= opens:
            continue
        if found is None:
            found = Window(opens, closes)
        elif found.closes is not None and opens <= found.closes:
            found = Window(found.opens, max(found.closes, closes))
        else:
            break
    if found is None:  # one weekday only, and its window vanished in a jump of the clock
        return next_window(hours, zone, after + timedelta(days=HORIZON_DAYS - 1))
    return found


def start(at: datetime, hours: SendingHours | None, zone: str) -> datetime:
    """Return when sending can start that is due at `at`: the first instant of an open window."""
    return max(at, next_window(hours, zone, at).opens)


def _at(day: date, clock: time, zone: str) -> datetime:
    return instant(datetime.combine(day, clock), zone)
