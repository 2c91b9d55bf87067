"""Time as seen by a service: wall clock for records, boot clock for validity.

Deciders never call these; they are handed instants. The boot clock (CLOCK_BOOTTIME) goes on while the machine sleeps,
so a sender that was suspended sees that its claim is over.
"""

import time
from datetime import UTC, datetime


def now() -> datetime:
    """Return the present instant in UTC, cut to milliseconds (what a record keeps)."""
    instant = datetime.now(UTC)
    return instant.replace(microsecond=instant.microsecond // 1000 * 1000)


def from_millis(millis: int) -> datetime:
    """Return the instant so many milliseconds after 1970."""
    return datetime.fromtimestamp(millis / 1000, UTC)


def boot_seconds() -> float:
    """Return seconds since boot, suspend included; falls back to the monotonic clock where there is no boot clock."""
    clock = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
    return time.clock_gettime(clock)
