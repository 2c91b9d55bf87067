"""Sending hours in a form: two windows of the day, days of the week, holidays, further dates that are closed."""

from services.reporting.console import words
from services.reporting.console.desk import Data
from services.reporting.console.form import Form, Values, words_of
from services.reporting.console.html import tag
from shared.contracts.commands import Refusal
from shared.contracts.mailing_settings import SendingHours

DAYS = tuple((str(day), name) for day, name in enumerate(words.DAYS))
ALIASES = {
    "hours": "from",
    "hours.start": "from",
    "hours.end": "until",
    "hours.more": "from_2",
    "hours.weekdays": "days",
    "hours.holidays": "holidays",
    "hours.closed": "closed",
}


def hours_fields(form: Form, hours: SendingHours | None) -> None:
    """Add the fields."""
    spans = [hours, *hours.more] if hours else []
    for place, (label, suffix) in enumerate((("", ""), (" once more", "_2"))):
        span = spans[place] if place < len(spans) else None
        with tag("div", "", "pair"):
            form.text(f"from{suffix}", f"From{label}", f"{span.start:%H:%M}" if span else "", type="time")
            form.text(f"until{suffix}", f"Until{label}", f"{span.end:%H:%M}" if span else "", type="time")
    days = [str(day) for day in hours.weekdays] if hours else [day for day, _ in DAYS]
    form.checks("days", "Only on", DAYS, days, classes="line")
    with tag("div", "", "pair"):
        holidays = " ".join(hours.holidays) if hours else ""
        form.text("holidays", "Not on public holidays of", holidays, hint="Countries, or parts: CZ, DE-BY.")
        closed = " ".join(f"{day}" for day in hours.closed) if hours else ""
        form.text("closed", "Not on these dates either", closed, hint="Such as 2026-12-31.")


def hours_problem(values: Values) -> Refusal | None:
    """Return what is missing of a window."""
    if bool(values["from"]) == bool(values["until"]):
        return None
    return Refusal(code="invalid", message="Give both hours, or none.", field="from")


def hours_of(values: Values) -> Data | None:
    """Return the hours that a form with these fields holds, None where it limits nothing."""
    days = [int(day) for day in values.all("days")]
    holidays, closed = words_of(values["holidays"].upper()), words_of(values["closed"])
    second = bool(values["from_2"] or values["until_2"])
    if not (values["from"] or second or len(days) < len(DAYS) or holidays or closed):
        return None
    more = [{"start": values["from_2"], "end": values["until_2"]}] if second else []
    span = {"start": values["from"] or "00:00", "end": values["until"] or "00:00"}
    return {**span, "more": more, "weekdays": days, "holidays": holidays, "closed": closed}
