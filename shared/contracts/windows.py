"""When mails may go out: sending hours in a time zone turned into windows in UTC; planner and sender judge by them.

Pure. Rules ([planning](docs/planning.md) tells them with examples):
1. A local time that does not exist (clocks go forward) means the instant as far after the jump: 02:30 becomes 03:30.
2. A local time that comes twice (clocks go back) means the first one.
3. A window belongs to the day on which it opens, though it ends on the next one: that day's weekday, holidays and
   closed dates decide.
4. Windows that touch or overlap are one, until it is `LONGEST_DAYS` long; then the next one follows without a gap.
5. No sending hours means always open, without an end.
6. Where nothing opens within `HORIZON_DAYS` the answer is an empty window at their end: there one looks again.
7. For a zone of its own a start is the same time of day there; nothing goes out in a zone before it.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from shared.contracts.days_off import is_off
from shared.contracts.mailing import MailingScheduled
from shared.contracts.mailing_settings import SendingHours

HORIZON_DAYS = 400
LONGEST_DAYS = 8
_LONGEST = timedelta(days=LONGEST_DAYS)


@dataclass(frozen=True, slots=True)
class Window:
    """Mails may go out from `opens` until before `closes`; None: for ever."""

    opens: datetime
    closes: datetime | None = None

    def holds(self, now: datetime) -> bool:
        """Tell whether `now` lies within."""
        return self.opens <= now and (self.closes is None or now < self.closes)

    @property
    def empty(self) -> bool:
        """Whether nothing lies within."""
        return self.closes is not None and self.closes <= self.opens

    def reaches(self, other: "Window") -> bool:
        """Tell whether `other`, which opens no earlier, follows without a gap."""
        return self.closes is None or other.opens <= self.closes

    def joined(self, other: "Window") -> "Window":
        """Return this window with `other`, which it reaches."""
        if self.closes is None or other.closes is None:
            return Window(self.opens)
        return Window(self.opens, max(self.closes, other.closes))


def instant(local: datetime, zone: str) -> datetime:
    """Return the UTC instant of `local` in `zone`; one that carries an offset is taken by its offset."""
    if local.tzinfo is not None:
        return local.astimezone(UTC)
    return local.replace(tzinfo=ZoneInfo(zone), fold=0).astimezone(UTC)


def next_window(hours: SendingHours | None, zone: str, after: datetime) -> Window:
    """Return the window that is open at `after`, else the next one to open."""
    if hours is None:
        return Window(after)
    found: Window | None = None
    for window in _windows(hours, zone, after.astimezone(ZoneInfo(zone)).date()):
        if window.closes is None or window.closes <= after:
            continue
        if found is None:
            found = window
        elif not found.reaches(window):
            break
        else:
            found = found.joined(window)
        if found.closes is not None and found.closes - found.opens >= _LONGEST:
            break
    if found is None:
        late = after + timedelta(days=HORIZON_DAYS)
        return Window(late, late)
    return found


def begins(scheduled: MailingScheduled, zone: str) -> datetime:
    """Return when a mailing may begin in a zone: at the time of day its start has in its own zone."""
    if zone == scheduled.zone:
        return scheduled.at
    return instant(scheduled.at.astimezone(ZoneInfo(scheduled.zone)).replace(tzinfo=None), zone)


def window_in(scheduled: MailingScheduled, zone: str, after: datetime) -> Window:
    """Return the window of a scheduled mailing in one zone that is open at `after`, else the next one to open."""
    first = begins(scheduled, zone)
    window = next_window(scheduled.hours, zone, max(after, first))
    return Window(max(window.opens, first), window.closes)


def window_of(scheduled: MailingScheduled, zones: Collection[str], after: datetime) -> Window:
    """Return the window in which mails may go out in any of `zones`: the open one, else the next."""
    windows = [window_in(scheduled, zone, after) for zone in zones]
    found = min(windows, key=lambda window: window.opens)
    grown = True
    while grown and found.closes is not None and found.closes - found.opens < _LONGEST:
        grown = False
        for zone in zones:
            window = window_in(scheduled, zone, found.closes)
            if window.opens <= found.closes and not window.empty:
                found, grown = found.joined(window), True
                if found.closes is None:
                    break
    return found


def start(scheduled: MailingScheduled, zones: Collection[str]) -> datetime:
    """Return when a scheduled mailing starts: at the first instant of an open window in any of `zones`."""
    firsts = ((zone, begins(scheduled, zone)) for zone in zones)
    return min(window_in(scheduled, zone, first).opens for zone, first in firsts)


def _windows(hours: SendingHours, zone: str, today: date) -> Iterator[Window]:
    """Yield the windows that open from yesterday on, each by itself, in their order."""
    for day in (today + timedelta(days=shift) for shift in range(-1, HORIZON_DAYS + 1)):
        if day.weekday() not in hours.weekdays or day in hours.closed or is_off(hours.holidays, day):
            continue
        spans = [(hours.start, hours.end), *((span.start, span.end) for span in hours.more)]
        yield from sorted(filter(None, (_window(day, span, zone) for span in spans)), key=lambda each: each.opens)


def _window(day: date, span: tuple[time, time], zone: str) -> Window | None:
    """Return the window of one span on one day, None where a jump of the clock leaves nothing of it."""
    first, end = span
    last = day if end > first else day + timedelta(days=1)
    window = Window(instant(datetime.combine(day, first), zone), instant(datetime.combine(last, end), zone))
    return None if window.empty else window
