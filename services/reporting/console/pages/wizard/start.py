"""The start that was chosen and is not set yet: a cookie of the browser, for the pages of its mailing alone.

The planner keeps what a mailing is; when it starts is said to it at the end, when everything was looked at.
"""

from datetime import datetime
from urllib.parse import quote, unquote
from zoneinfo import ZoneInfo

from nicegui import ui
from pydantic import ValidationError

from services.reporting.console import words
from services.reporting.console.desk import Data
from shared.contracts.commands import Start
from shared.contracts.mailing_settings import SendingHours

_NAME = "posthaste_start"
_SECONDS = 30 * 86_400
LARGEST = 3_500
"""Bytes that browsers surely keep."""


def encoded(start: Start) -> str:
    """Return it as the value of a cookie."""
    return quote(start.model_dump_json(exclude_defaults=True), safe="")


def keep(start: Start) -> None:
    """Keep it until it is set."""
    _put(start.mailing, encoded(start), _SECONDS)


def forget(mailing: str) -> None:
    """Keep it no more."""
    _put(mailing, "", 0)


def chosen(mailing: str) -> Start | None:
    """Return the start that was chosen for a mailing, None where none was."""
    value = str(ui.context.client.request.cookies.get(_NAME, ""))
    try:
        start = Start.model_validate_json(unquote(value)) if value else None
    except ValidationError:  # somebody changed it, or a version before wrote it: it is chosen anew
        return None
    return start if start is not None and start.mailing == mailing else None


def _put(mailing: str, value: str, seconds: int) -> None:
    path = f"path=/mailings/{mailing}; max-age={seconds}; samesite=strict"
    ui.run_javascript(f"document.cookie = `posthaste_start={value}; {path}`")


def told(at: datetime | None, zone: str) -> str:
    """Say a start as it was typed."""
    return f"{at:%-d %b %Y, %H:%M} ({zone})" if at else "as soon as you start it"


def start_of(status: Data, mailing: str) -> str:
    """Say when it starts: as it is set, or as it was chosen; "" where neither was done."""
    if status["scheduled_at"] and status["status"] != "Planned":
        zone = status["zone"] or "UTC"
        return f"{words.moment(status['scheduled_at'], ZoneInfo(zone))} ({zone})"
    start = chosen(mailing)
    return told(start.at, start.zone) if start else ""


def hours_of(hours: SendingHours | None, zone: str) -> str:
    """Say sending hours as the page of a mailing does."""
    return words.hours(hours.model_dump(mode="json"), zone) if hours else "at any hour"
