"""What is wrong with a schedule that somebody asks for; when windows are open stands in shared's windows.

Pure. Refused: an unknown zone or holiday calendar, no weekday or one outside 0 to 6, times of day with an offset, hours
that leave no window within `windows.HORIZON_DAYS`, and a start outside the dates of the campaign.
"""

from collections.abc import Collection
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from services.planner.mailings.campaign import Campaign
from shared.contracts import days_off, windows
from shared.contracts.commands import Refusal
from shared.contracts.mailing import MailingScheduled
from shared.contracts.mailing_settings import SendingHours

LATE = timedelta(minutes=1)
TOO_LATE = timedelta(minutes=15)
"""A start that is found later than this is late, because nobody was there to do it in time."""


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


def untimely(scheduled: MailingScheduled, zones: Collection[str], campaign: Campaign, now: datetime) -> Refusal | None:
    """Return why a mailing to these zones cannot start like this, None if it can."""
    if max(windows.begins(scheduled, zone) for zone in zones) < now - LATE:
        return Refusal(code="start_in_past", message=f"{scheduled.at:%Y-%m-%d %H:%M} UTC is past.", field="at")
    refusal = closed(scheduled.hours, scheduled.zone, scheduled.at)
    refusal = refusal or outside(campaign, scheduled.at, scheduled.zone)
    if refusal is not None:
        return refusal
    if scheduled.deadline is not None and scheduled.deadline <= max(windows.start(scheduled, zones), now):
        return Refusal(code="deadline_too_early", message="The deadline comes before the start.", field="deadline")
    return None


def closed(hours: SendingHours | None, zone: str, at: datetime) -> Refusal | None:
    """Return that no window opens for as long as one looks ahead, None where one does."""
    if not windows.next_window(hours, zone, at).empty:
        return None
    message = f"Nothing could go out: no window opens within {windows.HORIZON_DAYS} days."
    return Refusal(code="hours_empty", message=message, field="hours")


def outside(campaign: Campaign, at: datetime, zone: str) -> Refusal | None:
    """Return that a start lies outside the dates of its campaign, as they are in `zone`; None where it does not."""
    if campaign.deleted:
        return Refusal(code="campaign_deleted", message="The campaign was deleted.", field="campaign")
    first, ends = campaign.opened.starts_on if campaign.opened else None, last_instant(campaign, zone)
    if first is not None and at.astimezone(ZoneInfo(zone)).date() < first:
        return Refusal(code="outside_campaign", message=f"The campaign begins on {first}.", field="at")
    if campaign.opened is not None and ends is not None and at >= ends:
        message = f"The campaign ends on {campaign.opened.ends_on}."
        return Refusal(code="outside_campaign", message=message, field="at")
    return None


def last_instant(campaign: Campaign, zone: str) -> datetime | None:
    """Return the end of the last day of a campaign in `zone`, None where it has none."""
    if campaign.opened is None or campaign.opened.ends_on is None:
        return None
    return windows.instant(datetime.combine(campaign.opened.ends_on + timedelta(days=1), time()), zone)


def is_zone(zone: str) -> bool:
    """Tell whether there is such a time zone."""
    try:
        ZoneInfo(zone)
    except (OSError, ValueError, KeyError):  # how a missing zone shows depends on its name
        return False
    return True
