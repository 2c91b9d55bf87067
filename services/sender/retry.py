"""When a deferred recipient is tried again: exponential back-off with jitter inside a time budget. Pure.

The first retry waits about five minutes (greylisting lasts five to fifteen), each further one twice as long, at most
four hours. Recipients of one window that were deferred alike share one instant, so they are one group in the log.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta


@dataclass(frozen=True, slots=True)
class BackOff:
    """Waits in seconds: the first, the factor of each further one, the longest."""

    first: float = 300.0
    factor: float = 2.0
    longest: float = 14_400.0

    def wait(self, tries: int, jitter: float) -> float:
        """Return the wait after the `tries`-th try; `jitter` in [0, 1) spreads it by a quarter."""
        plain = min(self.first * self.factor ** max(tries - 1, 0), self.longest)
        return plain * (1 + 0.25 * jitter)


def next_try(
    now: datetime, tries: int, *, first_claim: int, retry_for: int, back_off: BackOff, jitter: float
) -> datetime | None:
    """Return when to try again after `tries` tries; None when the budget since the first claim is used up.

    Args:
        now: The present instant.
        tries: Tries so far, the present one included.
        first_claim: Seconds since 1970 of the recipient's first claim.
        retry_for: Seconds of budget since then.
        back_off: The waits.
        jitter: In [0, 1).
    """
    due = now + timedelta(seconds=back_off.wait(tries, jitter))
    due = due.replace(microsecond=due.microsecond // 1000 * 1000)
    if due > datetime.fromtimestamp(first_claim + retry_for, UTC):
        return None
    return due
