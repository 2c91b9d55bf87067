"""The places at which a planner may die between two awaits, named so that a test can kill it at each.

Inert unless POSTHASTE_CRASH_AT is `<name>` or `<name>:<k>`: then the process ends without clean-up when `step(name)` is
reached the k-th time, as a power cut would end it.
"""

import os
from collections import Counter

STEPS = (
    "freeze.positioned",
    "freeze.written",
    "freeze.stored",
    "freeze.cached",
    "freeze.appended",
    "plan.read",
    "plan.payload",
    "plan.appended",
    "import.batch",
    "import.recorded",
    "import.announced",
    "intake.committed",
    "intake.announced",
    "intake.erased",
    "test.payload",
    "test.recorded",
    "process.ticked",
    "process.retried",
)

_reached: Counter[str] = Counter()


async def step(name: str) -> None:
    """Pass, or end the process where the environment says so."""
    wanted = os.environ.get("POSTHASTE_CRASH_AT")
    if not wanted:
        return
    at, _, times = wanted.partition(":")
    if at != name:
        return
    _reached[name] += 1
    if _reached[name] >= int(times or 1):
        os._exit(137)
