"""When a deferred recipient is tried again: back-off by the kind of deferral, jittered, inside a time budget. Pure.

`first` (five minutes) is the wait after greylisting, a busy or an unreachable host, and doubles; where we or a full
mailbox are the reason it takes longer. Where the relay says when to come back, that is kept, within bounds. The
mailing's deadline ends the wait: at it the recipient expires. Recipients of one window that were deferred alike share
one instant, so they are one group in the log.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from services.sender.replies.verdict_rules import OF_US

CLASSES: Final = {"greylisted": "greylist", "mailbox-full": "quota", "system-full": "quota", "quota": "quota"}
"""Kind of a verdict -> class; what is not here is `ours` where the deferral speaks of us, else `busy`."""

PACE: Final[dict[str, tuple[float, float]]] = {
    "greylist": (1.0, 1.5),
    "busy": (1.0, 2.0),
    "ours": (3.0, 2.0),
    "quota": (12.0, 2.0),
}
"""Class -> the first wait as a multiple of `BackOff.first`, and the factor of each further one."""


@dataclass(frozen=True, slots=True)
class BackOff:
    """Waits in seconds: the first, the longest."""

    first: float = 300.0
    longest: float = 14_400.0

    def wait(self, tries: int, jitter: float, kind: str = "", asked: float | None = None) -> float:
        """Return the wait after the `tries`-th try; `jitter` in [0, 1) spreads it by a quarter.

        Args:
            tries: Tries so far, the present one included.
            jitter: In [0, 1).
            kind: Why it was deferred, as reply.classify has it.
            asked: Seconds the relay asked for.
        """
        if asked is not None:
            return min(max(asked, 1.0), self.longest) + min(asked, self.first) * 0.25 * jitter
        times, factor = PACE[pace(kind)]
        plain = min(self.first * times * factor ** min(max(tries - 1, 0), 64), self.longest)
        return plain * (1 + 0.25 * jitter)


def pace(kind: str) -> str:
    """Return the class of a deferral: greylist, quota, ours or busy."""
    return CLASSES.get(kind) or ("ours" if kind in OF_US else "busy")


@dataclass(frozen=True, slots=True)
class Budget:
    """How long one recipient may be tried: since its first claim (seconds since 1970), and until the deadline."""

    first_claim: int
    retry_for: int
    deadline: datetime | None = None


def next_try(now: datetime, wait: float, budget: Budget, held: datetime | None = None) -> datetime | None:
    """Return when to try again after `wait` seconds; None when the budget since the first claim is used up.

    A wait beyond the deadline ends at the deadline, at which the recipient expires instead of being sent. What is held
    for a quota of ours until `held` is not the recipient's fault: it may wait for that beyond its budget.
    """
    due = now + timedelta(seconds=wait)
    due = due.replace(microsecond=due.microsecond // 1000 * 1000)
    if min(due, budget.deadline or due) > datetime.fromtimestamp(budget.first_claim + budget.retry_for, UTC):
        return None
    due = max(due, held or due)
    return min(due, budget.deadline or due)
