"""How long to wait for company before a batch is committed: not at all when idle, up to 0.2 s under load.

A message that had to be waited for goes at once. Where the next one is there within a moment, the wait doubles from
batch to batch, so that a stream of small commits costs a few transactions a second and not one each.
"""

_MOST = 0.2


class Linger:
    """The wait of one reader. `least` is its first step, and the moment within which messages count as a stream."""

    def __init__(self, least: float) -> None:
        self.least = least
        self._wait = 0.0

    def until(self, asked: float, came: float) -> float:
        """Return until when to gather, given when the first message was asked for and when it came."""
        self._wait = min(max(self._wait * 2, self.least), _MOST) if came - asked < self.least else 0.0
        return came + self._wait
