"""When a recurring mailing comes round.

Pure. Times are local ones of a zone, so they move with its clock; one that does not exist, or comes twice, means what
it means everywhere (`shared.contracts.windows`). A month without the day has it on its last one.
"""

from calendar import monthrange
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from itertools import islice
from zoneinfo import ZoneInfo

from services.planner.mailings.schedule import is_zone
from shared.contracts import windows
from shared.contracts.commands import Refusal
from shared.contracts.series import Rhythm

_DAYS = 800
"""How far is looked ahead: any rhythm comes round within two months, unless it is over."""


def problem(rhythm: Rhythm) -> Refusal | None:
    """Return why a rhythm cannot be kept, None if it can."""
    if not is_zone(rhythm.zone):
        return Refusal(code="zone_unknown", message=f"There is no time zone {rhythm.zone!r}.", field="rhythm.zone")
    if rhythm.at.tzinfo is not None:
        return Refusal(code="hours_invalid", message="The time is a local one without an offset.", field="rhythm.at")
    if rhythm.every == "week" and not set(rhythm.weekdays) <= set(range(7)):
        message = "Choose one or more weekdays, 0 (Monday) to 6."
        return Refusal(code="weekdays_invalid", message=message, field="rhythm.weekdays")
    return None


def following(rhythm: Rhythm, after: datetime) -> Iterator[datetime]:
    """Yield the instants after `after` at which it comes round, as long as it does."""
    today = after.astimezone(ZoneInfo(rhythm.zone)).date() - timedelta(days=1)
    first = max(today, rhythm.starts_on) if rhythm.starts_on is not None else today
    last = first + timedelta(days=_DAYS) if rhythm.until is None else rhythm.until
    day = first
    while day <= last:
        if _falls(rhythm, day):
            at = windows.instant(datetime.combine(day, rhythm.at), rhythm.zone)
            if at > after:
                yield at
        day += timedelta(days=1)


def due(rhythm: Rhythm, after: datetime, now: datetime, most: int = 1_000) -> list[datetime]:
    """Return the instants after `after` that came until `now`."""
    found: list[datetime] = []
    for at in islice(following(rhythm, after), most):
        if at > now:
            break
        found.append(at)
    return found


def _falls(rhythm: Rhythm, day: date) -> bool:
    match rhythm.every:
        case "day":
            return True
        case "week":
            return day.weekday() in rhythm.weekdays
        case _:
            return day.day == min(rhythm.day, monthrange(day.year, day.month)[1])
