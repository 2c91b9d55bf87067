"""Work by level: what is owed is looked for in the facts at each wake and every few seconds, whatever hint was lost."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from sqlalchemy.exc import SQLAlchemyError

logger = logging.getLogger(__name__)


class Sweeps:
    """Has `sweep` called for ever: soon after each wake, and every `seconds`; `pause` seconds lie between two at least.

    A database or a disk that is away costs one sweep: the next one looks again.
    """

    def __init__(self, what: str, sweep: Callable[[], Awaitable[None]], seconds: float, pause: float = 0.0) -> None:
        self._what = what
        self._sweep = sweep
        self._seconds = seconds
        self._pause = pause
        self._woken = asyncio.Event()

    def wake(self) -> None:
        """Look soon."""
        self._woken.set()

    async def run(self) -> None:
        """Sweep until cancelled."""
        while True:
            self._woken.clear()
            try:
                await self._sweep()
            except (SQLAlchemyError, OSError) as error:  # away: the next sweep will do
                logger.warning("%s wait: %s", self._what, error)
            await asyncio.sleep(self._pause)
            try:
                async with asyncio.timeout(self._seconds):
                    await self._woken.wait()
            except TimeoutError:  # nothing happened: look anyway
                continue
