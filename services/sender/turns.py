"""A lock for which mailings wait, not workers: the mailing that was served least recently is next."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

MOST = 1000
"""Mailings of which the last turn is remembered."""


class Turns:
    """The turns of one account in this process."""

    def __init__(self) -> None:
        """Begin with nobody waiting."""
        self._taken = False
        self._waiting: dict[str, deque[asyncio.Future[None]]] = {}
        self._served: dict[str, int] = {}
        self._turn = 0

    def served(self, mailing: str) -> None:
        """Note that a mailing got what its turn was for."""
        self._turn += 1
        self._served[mailing] = self._turn
        if len(self._served) > MOST:
            self._served = dict(sorted(self._served.items(), key=lambda item: item[1])[-MOST // 2 :])

    @asynccontextmanager
    async def turn(self, mailing: str) -> AsyncIterator[None]:
        """Hold the lock."""
        if self._taken:
            mine: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.setdefault(mailing, deque()).append(mine)
            try:
                await mine
            except asyncio.CancelledError:  # whoever gave up waiting hands on the turn that came too late
                if mine.done() and not mine.cancelled():
                    self._next()
                raise
        self._taken = True
        try:
            yield
        finally:
            self._next()

    def _next(self) -> None:
        self._taken = False
        for mailing in sorted(self._waiting, key=lambda mailing: self._served.get(mailing, 0)):
            queue = self._waiting[mailing]
            while queue:
                first = queue.popleft()
                if not first.done():
                    self._taken = True
                    first.set_result(None)
                    return
            del self._waiting[mailing]
