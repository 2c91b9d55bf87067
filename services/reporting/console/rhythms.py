"""When something comes round, in a form and in words."""

from datetime import time

from services.reporting.console import words
from services.reporting.console.desk import Data
from services.reporting.console.form import Form, Values
from services.reporting.console.hours import DAYS, time_field
from services.reporting.console.html import tag
from shared.contracts.commands import Refusal

_EVERY = (("day", "Every day"), ("week", "Every week"), ("month", "Every month"))
ALIASES = {
    "rhythm": "every",
    "rhythm.at": "time_of_day",
    "rhythm.weekdays": "weekdays",
    "rhythm.until": "last_day",
    "rhythm.times": "times",
}


def rhythm_fields(form: Form, rhythm: Data, zone: str) -> None:
    """Add the fields; what concerns weeks or months alone is there where they are chosen."""
    form.choice("every", "It comes round", _EVERY, rhythm.get("every", "week"), required=True)
    chosen = [str(day) for day in rhythm.get("weekdays", [0])]
    form.checks("weekdays", "On", DAYS, chosen, classes="line of-weeks")
    hint = "Where a month is shorter, on its last day."
    day = rhythm.get("day", 1)
    form.text("day", "On day", day, required=True, type="number", min=1, max=31, hint=hint, classes="of-months")
    with tag("div", "", "pair"):
        time_field(form, "time_of_day", "At", time.fromisoformat(rhythm.get("at", "09:00")), required=True)
        form.text("zone", "Time zone", rhythm.get("zone", zone), required=True, hint="Such as Europe/Prague.")
    with tag("div", "", "pair"):
        form.text("starts_on", "Not before", rhythm.get("starts_on") or "", type="date")
        form.text("last_day", "Not after", rhythm.get("until") or "", type="date")
    hint = "Empty: until somebody stops it."
    form.text("times", "So many mailings in all", rhythm.get("times") or "", type="number", min=1, hint=hint)


def rhythm_of(values: Values) -> Data | Refusal:
    """Return the rhythm that a form with these fields holds."""
    weekdays = [int(day) for day in values.all("weekdays")]
    if values["every"] == "week" and not weekdays:
        return Refusal(code="invalid", message="Choose at least one day.", field="weekdays")
    return {
        **values.given("every", "zone", "day", "starts_on", "times"),
        **({"weekdays": weekdays} if weekdays else {}),
        "at": values["time_of_day"],
        "until": values["last_day"] or None,
    }


def told(rhythm: Data) -> str:
    """Say when it comes round."""
    days = {
        "day": "every day",
        "week": "every " + ", ".join(words.DAYS[day] for day in sorted(rhythm["weekdays"])),
        "month": f"on day {rhythm['day']} of the month",
    }
    dates = [f"{word} {rhythm[name]}" for word, name in (("from", "starts_on"), ("until", "until")) if rhythm[name]]
    times = [f"{words.many(rhythm['times'], 'time')} in all"] if rhythm["times"] else []
    return ", ".join([f"{days[rhythm['every']]} at {rhythm['at'][:5]} ({rhythm['zone']})", *dates, *times])
