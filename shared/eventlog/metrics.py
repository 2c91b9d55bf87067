"""What the event log shows of itself: how long appends take and how they end, how far readers are behind, the clock.

The registry is the process's own; a projector shows itself once it is told to (`show`).
"""

import time
from collections.abc import Mapping
from typing import Protocol

from shared import metrics

_APPEND_SECONDS = metrics.histogram(
    "posthaste_append_seconds", "Time until the outcome of an append was known", ("outcome",)
)
APPENDED = {name: _APPEND_SECONDS.labels(name) for name in ("ok", "wrong_version", "unknown", "refused")}
CLOCK_OFFSET = metrics.gauge(
    "posthaste_clock_offset_seconds", "Clock of this machine less that of the NATS server, at the last sync"
)
CLOCK_PRECISION = metrics.gauge(
    "posthaste_clock_precision_seconds", "Within which the offset is known: half the fastest round trip"
)
LOG_RESTORED = metrics.gauge(
    "posthaste_log_restored",
    "1 while the log or a database was restored and nobody confirmed it: nothing is sent",
)
_POSITION = metrics.gauge(
    "posthaste_projector_position_seq", "Sequence of the log up to which the tables are made", ("projector",)
)
_PENDING = metrics.gauge(
    "posthaste_projector_pending_commits", "Commits still to come at the last delivery", ("projector",)
)
_LAG = metrics.gauge(
    "posthaste_projector_lag_seconds", "Age of the oldest commit that is not in the tables", ("projector",)
)
_PAUSED = metrics.gauge("posthaste_views_paused_count", "Views that cannot go on", ("projector",))


class Shown(Protocol):
    """The part of a projector that is shown."""

    @property
    def position(self) -> int:
        """Sequence up to which its tables are made."""
        ...

    @property
    def pending(self) -> int:
        """Commits still to come at the last delivery."""
        ...

    @property
    def oldest(self) -> float:
        """When the oldest commit was recorded that is known and not in the tables (seconds since 1970), 0 for none."""
        ...

    @property
    def paused(self) -> Mapping[str, str]:
        """Views that cannot go on."""
        ...


def show(name: str, projector: Shown) -> None:
    """Show position, backlog, lag and paused views of a projector from now on."""
    _POSITION.labels(name).set_function(lambda: projector.position)
    _PENDING.labels(name).set_function(lambda: projector.pending)
    _LAG.labels(name).set_function(lambda: _age(projector.oldest))
    _PAUSED.labels(name).set_function(lambda: len(projector.paused))


def _age(since: float) -> float:
    return max(0.0, time.time() - since) if since else 0.0
