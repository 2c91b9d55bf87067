"""How the console says things: numbers, times in the reader's zone, states, causes. Pure."""

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

_CAUSES = {
    "rejected": "Rejected by the relay",
    "skipped": "Left out while sending",
    "expired": "Too late to send",
    "cancelled": "Cancelled",
    "in_doubt": "In doubt",
}
_REASONS = {
    "opted_out": "unsubscribed",
    "unconfirmed": "has not confirmed",
    "suppressed": "suppressed",
    "too_often": "too many e-mails",
    "not_interested": "not interested",
    "never_signed_up": "never signed up",
    "other": "another reason",
    "duplicate_address": "address is on the list twice",
    "no_address": "has no address",
    "complained": "complained",
    "duplicate": "another contact has the same address",
    "other_address": "another address of the customer is used",
    "removed": "removed by hand",
    "excluded": "on an exclusion list",
    "not_on_helper_list": "not on the helper list",
    "frequency_cap": "got enough mails lately",
}
_SKIPS = {
    "missed": "it was missed, and only the last one counts",
    "late": "it was found too late",
    "nobody_new": "nobody was new",
    "audience_empty": "nobody would have got it",
}
_TONES = {
    "Planned": "plain",
    "Scheduled": "violet",
    "Sending": "blue",
    "Paused": "amber",
    "Completed": "green",
    "Failed": "red",
    "Cancelled": "plain",
    "Sent": "green",
    "Pending": "plain",
}


DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


def count(number: float) -> str:
    """Return a number as people read it: 12,500."""
    return f"{number:,.0f}"


def many(number: int, one: str, more: str = "") -> str:
    """Return `1 mail`, `2 mails`."""
    return f"{count(number)} {one if number == 1 else more or one + 's'}"


def size(octets: int) -> str:
    """Return a size as `1.4 MB`, `3.2 kB`."""
    return f"{octets / 1_000_000:.1f} MB" if octets >= 100_000 else f"{octets / 1000:.1f} kB"


def share(part: float, whole: float) -> str:
    """Return a share in percent, "" where there is no whole."""
    return f"{100 * part / whole:.1f} %" if whole else ""


def moment(iso: str, zone: ZoneInfo) -> str:
    """Return an instant as `27 Nov 2026, 18:04`, "" where there is none."""
    return f"{_local(iso, zone):%-d %b %Y, %H:%M}" if iso else ""


def exact(iso: str, zone: ZoneInfo) -> str:
    """Return an instant to the second."""
    return f"{_local(iso, zone):%-d %b, %H:%M:%S}" if iso else ""


def _local(iso: str, zone: ZoneInfo) -> datetime:
    return datetime.fromisoformat(iso).astimezone(zone)


def tone(status: str) -> str:
    """Return the colour of a state."""
    return _TONES.get(status, "red")


def cause(outcome: str) -> str:
    """Return an outcome that is a failure as people read it."""
    return _CAUSES.get(outcome, outcome.replace("_", " ").capitalize())


def reason(code: str) -> str:
    """Return why somebody is left out."""
    return _REASONS.get(code, code.replace("_", " "))


def skip(code: str) -> str:
    """Return why a time of a recurring mailing was left out, or why it ended."""
    return _SKIPS.get(code, code.replace("_", " "))


def duration(seconds: float) -> str:
    """Return `under a minute`, `12 min`, `3 h 05 min`."""
    minutes = round(seconds / 60)
    if minutes < 1:
        return "under a minute"
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02} min"


def hours(hours: dict[str, Any], zone: str) -> str:
    """Return sending hours as people read them."""
    days = (
        "" if len(hours["weekdays"]) == len(DAYS) else " " + ", ".join(DAYS[day] for day in sorted(hours["weekdays"]))
    )
    spans = ", ".join(f"{span['start'][:5]} to {span['end'][:5]}" for span in (hours, *hours.get("more", [])))
    off = "".join(f", not on holidays of {calendar}" for calendar in hours.get("holidays", []))
    closed = f", {many(len(hours['closed']), 'further day')} closed" if hours.get("closed") else ""
    return f"{spans}{days}{off}{closed} ({zone})"


def when(status: dict[str, Any], zone: ZoneInfo) -> str:
    """Say the time that matters in the state of a mailing."""
    if status["status"] == "Scheduled" and status["started_at"]:
        return f"goes on {moment(status['opens'], zone)}"
    if status["status"] == "Scheduled":
        return f"starts {moment(status['scheduled_at'], zone)}"
    if status["finished_at"]:
        return moment(status["finished_at"], zone)
    if status["started_at"]:
        return f"since {moment(status['started_at'], zone)}"
    return f"drafted {moment(status['drafted_at'], zone)}"


def closed(status: dict[str, Any], zone: ZoneInfo) -> str:
    """Say that the window of a mailing is closed and when the next one opens, "" where it is not."""
    if status["status"] != "Scheduled" or not status["started_at"]:
        return ""
    return f"Its sending hours are over for now. It goes on by itself {moment(status['opens'], zone)}."
