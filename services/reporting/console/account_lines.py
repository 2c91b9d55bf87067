"""The warm-up of an account and the limits of single providers as people write them, there and back. Pure."""

from services.reporting.console.desk import Data
from shared.contracts.commands import Refusal

_DAYS = "Write the warm-up as a date and 1:500, 2:1000, 7:5000."
_LINE = "Write a provider like gmail: connections=5, per_minute=300."


def warm_up_told(ramp: Data | None) -> str:
    """Return the days of a warm-up as they are typed, "" for none."""
    days = ramp["per_day"] if ramp else {}
    return ", ".join(f"{day}:{days[day]}" for day in sorted(days, key=int))


def warm_up_of(starts_on: str, days: str) -> Data | Refusal | None:
    """Return the warm-up that was typed, None for none."""
    if not starts_on and not days:
        return None
    pairs = [part.replace(" ", "").partition(":") for part in days.split(",")]
    if not starts_on or any(not (day.isdecimal() and mails.isdecimal()) for day, _, mails in pairs):
        return Refusal(code="invalid", message=_DAYS, field="warm_up")
    return {"starts_on": starts_on, "per_day": {day: mails for day, _, mails in pairs}}


def providers_told(providers: Data) -> str:
    """Return the limits of providers, a line for each."""
    return "\n".join(
        f"{name}: " + ", ".join(f"{limit}={value}" for limit, value in limits.items() if value is not None)
        for name, limits in sorted(providers.items())
    )


def providers_of(lines: str) -> Data | Refusal:
    """Return the limits of providers that were typed."""
    found: Data = {}
    for line in filter(None, map(str.strip, lines.splitlines())):
        name, colon, limits = line.partition(":")
        pairs = [part.replace(" ", "").partition("=") for part in limits.split(",")]
        if not colon or any(not value for _, _, value in pairs):
            return Refusal(code="invalid", message=_LINE, field="providers")
        found[name.strip()] = {limit: value for limit, _, value in pairs}
    return found
