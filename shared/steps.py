"""The places at which a process may die between two effects, named so that a test can kill it at each.

Inert unless POSTHASTE_CRASH_AT is `<name>` or `<name>:<k>`: then the process ends without clean-up when `step(name)` is
reached the k-th time, as a power cut would end it.
"""

import os
from collections import Counter
from typing import Final

PLANNER = (
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
PLANNER_ITSELF = (
    "dry_run.chunk",
    "dry_run.ending",
    "dry_run.appended",
    "dry_run.done",
    "series.drafted",
    "series.frozen",
    "series.scheduled",
    "series.deleted",
    "series.recorded",
    "test.sampled",
    "test.judged",
    "copy.payload",
    "copy.planned",
    "copy.noted",
    "statuses.appended",
    "statuses.marked",
)
"""What it does of itself, with nobody who asks again."""
SENDER = (
    "job.pulled",
    "chunk.taken",
    "claim.journalled",
    "claim.appended",
    "claim.confirmed",
    "dot.journalled",
    "dot.written",
    "window.answered",
    "outcome.appended",
    "journal.ended",
    "timer.armed",
    "job.acked",
)
TRACKER = (
    "hits.appended",
    "spool.written",
    "spool.synced",
    "spool.replayed",
    "spool.removed",
)
REPORTING = (
    "batch.read",
    "batch.applied",
    "batch.committed",
    "feed.told",
)

_AT, _, _TIMES = os.environ.get("POSTHASTE_CRASH_AT", "").partition(":")
_reached: Final = Counter[str]()


def step(name: str) -> None:
    """Pass, or end the process where the environment says so."""
    if not _AT or name != _AT:
        return
    _reached[name] += 1
    if _reached[name] >= int(_TIMES or 1):
        os._exit(137)
