"""How often somebody may ask: one token bucket for each principal, and one for each address that shows wrong tokens.

Buckets live in the memory of the process: with several processes the limit holds for each. The least recently used go
first when there are too many, so memory stays bounded whoever knocks.
"""

import time
from collections import OrderedDict
from collections.abc import Callable

_MOST = 10_000


class Buckets:
    """Buckets that hold `burst` tokens and get `rate` a second."""

    def __init__(self, rate: float, burst: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate = rate
        self._burst = burst
        self._clock = clock
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()  # tokens, and when they were counted

    def _tokens(self, who: str) -> float:
        tokens, at = self._buckets.get(who, (self._burst, 0.0))
        return min(self._burst, tokens + (self._clock() - at) * self._rate)

    def wait(self, who: str) -> float:
        """Return the seconds until there is a token; 0 where there is one."""
        return max(0.0, (1.0 - self._tokens(who)) / self._rate)

    def take(self, who: str) -> float:
        """Take a token and return 0; where there is none, return the seconds until there is."""
        left = self._tokens(who)
        wait = max(0.0, (1.0 - left) / self._rate)
        self._buckets[who] = (left if wait else left - 1.0, self._clock())
        self._buckets.move_to_end(who)
        if len(self._buckets) > _MOST:
            self._buckets.popitem(last=False)
        return wait
