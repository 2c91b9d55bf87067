"""Public holidays by country, read from the package `holidays` when a calendar is first asked for.

Pure: a calendar is `CZ`, or `DE-BY` for a part of a country; the same calendar and year give the same days as long as
the package stays the same. Loading it takes 0.2 s and 10 MB, so whoever names no calendar never does.
"""

import re
from collections.abc import Iterable
from datetime import date
from functools import lru_cache

_CALENDAR = re.compile(r"[A-Z]{2}(-[A-Z0-9]{1,3})?")
_KEPT = 256


def known(calendar: str) -> bool:
    """Tell whether there is such a calendar."""
    if _CALENDAR.fullmatch(calendar) is None:
        return False
    try:
        days_off(calendar, 2026)
    except NotImplementedError:  # it has no such country, or no such part of it
        return False
    return True


def is_off(calendars: Iterable[str], day: date) -> bool:
    """Tell whether a day is a public holiday in any of the calendars."""
    return any(day in days_off(calendar, day.year) for calendar in calendars)


@lru_cache(_KEPT)
def days_off(calendar: str, year: int) -> frozenset[date]:
    """Return the public holidays of a calendar in a year.

    Raises:
        NotImplementedError: There is no such calendar.
    """
    import holidays  # noqa: PLC0415 - loaded by those who need it

    country, _, part = calendar.partition("-")
    return frozenset(holidays.country_holidays(country, subdiv=part or None, years=year, expand=False))
