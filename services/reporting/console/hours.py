"""Sending hours in a form: windows of the day, days of the week, holidays, further dates that are closed."""

from datetime import time
from typing import Any

from services.reporting.console import words
from services.reporting.console.desk import Data
from services.reporting.console.form import Form, Values, words_of
from services.reporting.console.html import tag
from shared.contracts.commands import Refusal
from shared.contracts.mailing_settings import SendingHours

DAYS = tuple((str(day), name) for day, name in enumerate(words.DAYS))
_LEAST = 2
"""So many windows there is room for; where there are more, for each of them."""
_WINDOWS = (
    ("", ""),
    ("_2", " once more"),
    ("_3", " a third time"),
    ("_4", " a fourth time"),
    ("_5", " a fifth time"),
    ("_6", " a sixth time"),
)
"""What is added to the names and labels of the fields of each."""
ALIASES = {
    "hours": "from",
    "hours.start": "from",
    "hours.end": "until",
    "hours.more": "from_2",
    "hours.weekdays": "days",
    "hours.holidays": "holidays",
    "hours.closed": "closed",
}


def time_field(form: Form, name: str, label: str, at: time | None, **more: Any) -> None:  # noqa: ANN401 - as of `text`
    """Add a field for a time of day; seconds are shown where there are any."""
    seconds = at is not None and bool(at.second or at.microsecond)
    form.text(name, label, written(at) if at else "", type="time", step=1 if seconds else None, **more)


def written(at: time) -> str:
    """Return a time of day as browsers have it, with as much of it as there is."""
    if at.microsecond:
        return at.isoformat("milliseconds")
    return at.isoformat("seconds" if at.second else "minutes")


def hours_fields(form: Form, hours: SendingHours | None) -> None:
    """Add the fields."""
    spans = [(span.start, span.end) for span in (hours, *hours.more)] if hours else []
    for place, (suffix, label) in enumerate(_WINDOWS[: max(_LEAST, len(spans))]):
        start, end = spans[place] if place < len(spans) else (None, None)
        with tag("div", "", "pair"):
            time_field(form, f"from{suffix}", f"From{label}", start)
            time_field(form, f"until{suffix}", f"Until{label}", end)
    days = [str(day) for day in hours.weekdays] if hours else [day for day, _ in DAYS]
    form.checks("days", "Only on", DAYS, days, classes="line")
    with tag("div", "", "pair"):
        holidays = " ".join(hours.holidays) if hours else ""
        form.text("holidays", "Not on public holidays of", holidays, hint="Countries, or parts: CZ, DE-BY.")
        closed = " ".join(f"{day}" for day in hours.closed) if hours else ""
        form.text("closed", "Not on these dates either", closed, hint="Such as 2026-12-31.")


def hours_problem(values: Values) -> Refusal | None:
    """Return what is missing of a window."""
    for suffix, _ in _WINDOWS:
        if bool(values[f"from{suffix}"]) != bool(values[f"until{suffix}"]):
            return Refusal(code="invalid", message="Give both hours, or none.", field=f"from{suffix}")
    return None


def hours_of(values: Values) -> Data | None:
    """Return the hours that a form with these fields holds, None where it limits nothing."""
    days = [int(day) for day in values.all("days")]
    holidays, closed = words_of(values["holidays"].upper()), words_of(values["closed"])
    windows = [(values[f"from{suffix}"], values[f"until{suffix}"]) for suffix, _ in _WINDOWS]
    spans = [{"start": start, "end": end} for start, end in windows if start]
    if not (spans or len(days) < len(DAYS) or holidays or closed):
        return None
    first, *more = spans or [{"start": "00:00", "end": "00:00"}]
    return {**first, "more": more, "weekdays": days, "holidays": holidays, "closed": closed}
