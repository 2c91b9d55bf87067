"""Does anybody read the feed? OUT is made from the log for those who do; while nobody does, that work is not done.

Whoever has a consumer on OUT reads, also while away; whoever asked by query reads for a minute more. Both are told from
the place where OUT ends, so nothing is left out, however long nobody read.
"""

import asyncio
import contextlib
import time

from shared.eventlog.reader import Reader

_STAYS = 60.0
_LOOK = 1.0


class Readers:
    """Those who read OUT."""

    def __init__(self, out: Reader) -> None:
        self._out = out
        self._asked = float("-inf")
        self._called = asyncio.Event()

    def note(self) -> None:
        """Take note that somebody asks by query."""
        self._asked = time.monotonic()
        self._called.set()

    async def there(self) -> bool:
        """Tell whether somebody reads."""
        if time.monotonic() - self._asked < _STAYS:
            return True
        state = (await self._out.api("STREAM.INFO"))["state"]
        return bool(state["consumer_count"])

    async def come(self) -> None:
        """Wait until somebody reads."""
        self._called.clear()
        while not await self.there():
            with contextlib.suppress(TimeoutError):  # nobody asked: perhaps there is a consumer now
                async with asyncio.timeout(_LOOK):
                    await self._called.wait()
