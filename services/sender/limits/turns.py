"""A lock for which mailings wait, not workers: the mailing that was served least recently is next, and its lane."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

MOST = 1000
"""Mailings, and lanes of them, of which the last turn is remembered."""

Whose = tuple[str, str]
"""A mailing, and which of its lanes: those who keep the same limits."""


class Turns:
    """The turns of one account, or of what else is waited for first, in this process."""

    def __init__(self) -> None:
        """Begin with nobody waiting."""
        self._taken = False
        self._waiting: dict[Whose, deque[asyncio.Future[None]]] = {}
        self._served: dict[str | Whose, int] = {}
        self._turn = 0

    def served(self, whose: Whose) -> None:
        """Note that a mailing got what its turn was for."""
        self._turn += 1
        self._served[whose[0]] = self._served[whose] = self._turn
        if len(self._served) > MOST:
            self._served = dict(sorted(self._served.items(), key=lambda item: item[1])[-MOST // 2 :])

    def due(self, whose: Whose) -> bool:
        """Return whether it is still their turn: nobody came who was served less recently."""
        return all(self._order(whose) <= self._order(other) for other in self._waiting)

    def _order(self, whose: Whose) -> tuple[int, int]:
        return self._served.get(whose[0], 0), self._served.get(whose, 0)

    @asynccontextmanager
    async def turn(self, whose: Whose) -> AsyncIterator[None]:
        """Hold the lock."""
        if self._taken:
            mine: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.setdefault(whose, deque()).append(mine)
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
        for whose in sorted(self._waiting, key=self._order):
            queue = self._waiting[whose]
            while queue:
                first = queue.popleft()
                if not first.done():
                    self._taken = True
                    first.set_result(None)
                    return
            del self._waiting[whose]
