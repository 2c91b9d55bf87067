"""How long to wait for company before a batch is worked: not at all when idle, half a second at most in a stream.

A message that had to be waited for goes at once. Where the next one is there within a moment, the wait doubles from
batch to batch, so that a stream of small commits costs two transactions a second and not one each. It ends early
when the stream pauses, so the last commits of a mailing are not kept waiting, and when somebody waits for them.
"""

import asyncio
import time
from collections.abc import Callable

from shared.eventlog.pull import PullMessage
from shared.eventlog.tail import Tail

_MOST = 0.5
_MOMENT = 0.03
_PAUSE = 2
"""So many moments without a commit are a pause."""


class Linger:
    """The wait of one reader. `hurried` tells whether somebody waits for what it reads."""

    def __init__(self, hurried: Callable[[], bool] = lambda: False) -> None:
        self._hurried = hurried
        self._wait = 0.0

    async def gather(self, tail: Tail, batch: int, idle: float) -> list[PullMessage]:
        """Return up to `batch` messages, [] after `idle` seconds without any."""
        asked = time.monotonic()
        messages = await tail.read(batch, idle)
        came = time.monotonic()
        streaming = bool(messages) and came - asked < _PAUSE * _MOMENT
        self._wait = min(max(self._wait * 2, _MOMENT), _MOST) if streaming else 0.0
        quiet = 0
        while len(messages) < batch and not self._done(came, quiet):
            await tail.prefetch(batch)
            await asyncio.sleep(_MOMENT)
            more = await tail.read(batch - len(messages), 0)
            quiet = 0 if more else quiet + 1
            messages += more
        return messages

    def _done(self, came: float, quiet: int) -> bool:
        return self._hurried() or quiet >= _PAUSE or time.monotonic() - came >= self._wait
