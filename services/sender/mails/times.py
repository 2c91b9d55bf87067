"""The day and the minute of a mail, for templates that name them.

In comes the second that stands in its Date, the same on every attempt, out go texts as ISO 8601 writes them.
"""

from datetime import UTC, datetime
from functools import lru_cache
from zoneinfo import ZoneInfo


class Times:
    """`today` and `now` in one time zone."""

    def __init__(self, zone: str) -> None:
        """Take an IANA name; "" is UTC."""
        self._zone = ZoneInfo(zone) if zone else UTC
        self.at = lru_cache(4)(self._at)

    def _at(self, date: int) -> dict[str, str]:
        """Return the values by name."""
        at = datetime.fromtimestamp(date, self._zone)
        return {"today": at.strftime("%Y-%m-%d"), "now": at.strftime("%Y-%m-%d %H:%M")}
