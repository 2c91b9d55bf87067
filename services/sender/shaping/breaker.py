"""The breaker of an account: while its relay is down nobody knocks but one, now and then, with jitter. Pure.

Closed, every lane works. It opens when a connection fails; then no lane pulls a job until the rest is over, and after
it one line alone may try. That one closes it, or it opens for longer: twice as long each time, a minute at most. What
other lines still had under way when it opened counts once. No mail is charged for any of it.
"""

from dataclasses import dataclass

FIRST = 1.0
LONGEST = 60.0


@dataclass(slots=True)
class Breaker:
    """State: failures in a row, until when it rests, and whether somebody is trying (seconds of any steady clock)."""

    failures: int = 0
    until: float = 0.0
    trying: bool = False

    def may(self, now: float) -> bool:
        """Tell whether a line may go to work: all while closed, one when a rest is over."""
        return not self.failures or (now >= self.until and not self.trying)

    def begin(self) -> bool:
        """Note that a line goes to work; return whether it is the one that tries, and must report or `let_go`."""
        if not self.failures:
            return False
        self.trying = True
        return True

    def let_go(self) -> None:
        """The one that tried found nothing to do: another may."""
        self.trying = False

    def failed(self, now: float, jitter: float) -> float:
        """Open, or open for longer; return the seconds to rest from now on. `jitter` in [0, 1) adds up to a quarter."""
        if self.failures and now < self.until:  # begun before it opened
            return self.until - now
        self.failures += 1
        self.trying = False
        rest = min(FIRST * 2.0 ** min(self.failures - 1, 16), LONGEST) * (1 + 0.25 * jitter)
        self.until = now + rest
        return rest

    def worked(self) -> None:
        """Close."""
        self.failures, self.until, self.trying = 0, 0.0, False
