"""When a relay says in words how long to wait before the next try. Pure.

Greylisting and rate limits often name a time: "try again in 300 seconds", "Greylisted for 5 minutes", "retry after
00:04:30", "retry=1h". Only such words count, never a bare number; what lies beyond a day is no promise but a typing
error, and is cut to it.
"""

import re
from typing import Final

LONGEST: Final = 86_400.0

_UNITS: Final = {"s": 1.0, "m": 60.0, "h": 3_600.0, "d": 86_400.0}
_WAIT = (
    r"(?:re-?try|again|come back|re-?send|re-?submit|wait|after|resume[sd]?|re-?connect"
    r"|gr[ae]y-?list\w*|throttled|deferred|delayed|blocked|limited|suspended)"
)
_BETWEEN = (
    r"[\s:=,()'-]*(?:\b(?:in|for|after|at least|about|another|is|of|the|next|time|sending|delivery)\b[\s:=,(]*){0,4}"
)
_AMOUNT = r"(?<![\d.:])(?P<amount>\d{1,7})"
_UNIT = r"\s*-?(?P<unit>s|secs?|seconds?|m|mins?|minutes?|h|hrs?|hours?|d|days?)(?![a-z\d])"

_CLOCK = re.compile(
    rf"{_WAIT}{_BETWEEN}(?P<hours>\d{{1,2}}):(?P<minutes>[0-5]\d):(?P<seconds>[0-5]\d)(?![\d:])", re.IGNORECASE
)
_WORDS = (
    re.compile(rf"\b{_WAIT}{_BETWEEN}{_AMOUNT}{_UNIT}", re.IGNORECASE),
    re.compile(rf"{_AMOUNT}{_UNIT}\s*(?:before|until)\b", re.IGNORECASE),
    re.compile(rf"retry-after:\s*{_AMOUNT}(?!\S)(?P<unit>)", re.IGNORECASE),
)


def retry_after(text: str) -> float | None:
    """Return the seconds that `text` asks us to wait, None where it names no time."""
    if (found := _CLOCK.search(text)) is not None:
        return _bounded(int(found["hours"]) * 3_600.0 + int(found["minutes"]) * 60 + int(found["seconds"]))
    for pattern in _WORDS:
        if (found := pattern.search(text)) is not None:
            return _bounded(int(found["amount"]) * _UNITS[(found["unit"] or "s")[0].lower()])
    return None


def _bounded(seconds: float) -> float | None:
    return min(seconds, LONGEST) if seconds > 0 else None
