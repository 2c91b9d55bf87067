"""What is wrong with sending hours and zones that somebody asks for; when they are open stands in shared's windows.

Pure. Refused: an unknown zone or holiday calendar, no weekday or one outside 0 to 6, times of day with an offset, and
hours that leave no window within `windows.HORIZON_DAYS`.
"""

from datetime import datetime
from zoneinfo import ZoneInfo

from shared.contracts import days_off, windows
from shared.contracts.commands import Refusal
from shared.contracts.mailing import SendingHours


def problem(hours: SendingHours | None, zone: str) -> Refusal | None:
    """Return why a schedule cannot be kept, None if it can."""
    if not is_zone(zone):
        return Refusal(code="zone_unknown", message=f"There is no time zone {zone!r}.", field="zone")
    if hours is None:
        return None
    if not hours.weekdays or not set(hours.weekdays) <= set(range(7)):
        return Refusal(
            code="weekdays_invalid", message="Choose one or more weekdays, 0 (Monday) to 6.", field="hours.weekdays"
        )
    spans = (hours, *hours.more)
    if any(each.tzinfo is not None for span in spans for each in (span.start, span.end)):
        return Refusal(code="hours_invalid", message="Sending hours are local times without an offset.", field="hours")
    for place, calendar in enumerate(hours.holidays):
        if not days_off.known(calendar):
            message = f"There is no holiday calendar {calendar!r}: name a country (CZ) or a part of one (DE-BY)."
            return Refusal(code="calendar_unknown", message=message, field=f"hours.holidays.{place}")
    return None


def closed(hours: SendingHours | None, zone: str, at: datetime) -> Refusal | None:
    """Return that no window opens for as long as one looks ahead, None where one does."""
    if not windows.next_window(hours, zone, at).empty:
        return None
    message = f"Nothing could go out: no window opens within {windows.HORIZON_DAYS} days."
    return Refusal(code="hours_empty", message=message, field="hours")


def is_zone(zone: str) -> bool:
    """Tell whether there is such a time zone."""
    try:
        ZoneInfo(zone)
    except (OSError, ValueError, KeyError):  # how a missing zone shows depends on its name
        return False
    return True
