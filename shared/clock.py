"""Time as seen by a service: one clock for records and schedules, the boot clock for validity.

Deciders never call these; they are handed instants. Services that set or meet schedules go by the clock of the log
(`go_by`), so that machines whose clocks differ still agree on what is due. The boot clock (CLOCK_BOOTTIME) goes on
while the machine sleeps, so a sender that was suspended sees that its claim is over.
"""

import os
import time
from collections.abc import Callable
from datetime import datetime

from shared.instants import from_millis

_BOOT = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
_SKEW = float(os.environ.get("POSTHASTE_CLOCK_SKEW") or 0)


def wall() -> float:
    """Return seconds since 1970 by the clock of this machine."""
    return time.time() + _SKEW


_seconds: Callable[[], float] = wall


def go_by(seconds: Callable[[], float]) -> None:
    """Let `now` of this process go by another clock, which returns seconds since 1970."""
    global _seconds  # noqa: PLW0603 - one clock for the whole process is the point
    _seconds = seconds


def now() -> datetime:
    """Return the present instant in UTC, cut to milliseconds (what a record keeps)."""
    return from_millis(millis())


def millis() -> int:
    """Return the present instant in milliseconds since 1970."""
    return int(_seconds() * 1000)


def boot_seconds() -> float:
    """Return seconds since boot, suspend included; falls back to the monotonic clock where there is no boot clock."""
    return time.clock_gettime(_BOOT)
