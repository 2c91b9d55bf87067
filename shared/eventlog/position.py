"""How far a reader has come in the log, and those who wait until it is somewhere.

A reader calls `advance` or, when it cannot go on, `fail`; whoever needs what it reads waits for a sequence.
"""

import asyncio
import heapq
import itertools

from shared.eventlog.errors import EventLogError


class Position:
    """The sequence up to which a reader has done its work.

    Attributes:
        seq: That sequence.
        failure: Why the reader stopped for good, None while it goes on.
    """

    def __init__(self, what: str) -> None:
        self.seq = 0
        self.failure: Exception | None = None
        self._what = what
        self._waiting: list[tuple[int, int, asyncio.Future[None]]] = []
        self._order = itertools.count()

    @property
    def awaited(self) -> bool:
        """Whether somebody waits at the moment."""
        return bool(self._waiting)

    def advance(self, seq: int) -> None:
        """Say that the work is done up to `seq`. It may go back, when a reader starts again."""
        self.seq = seq
        while self._waiting and self._waiting[0][0] <= seq:
            _, _, future = heapq.heappop(self._waiting)
            if not future.done():
                future.set_result(None)

    def fail(self, failure: Exception) -> None:
        """Say that there is no way on; all who wait, and will wait, are told."""
        self.failure = failure
        while self._waiting:
            _, _, future = heapq.heappop(self._waiting)
            if not future.done():
                future.set_exception(self._stopped(failure))

    def _stopped(self, failure: Exception) -> EventLogError:
        stopped = EventLogError(f"{self._what} stopped after seq {self.seq}: {failure}")
        stopped.__cause__ = failure
        return stopped

    async def wait_for(self, seq: int, timeout: float) -> None:  # noqa: ASYNC109 - part of the question
        """Return when the work is done up to `seq`.

        Raises:
            TimeoutError: It was not within `timeout` seconds.
            EventLogError: The reader stopped for good before.
        """
        if self.failure is not None:
            raise self._stopped(self.failure)
        if self.seq >= seq:
            return
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        entry = (seq, next(self._order), future)
        heapq.heappush(self._waiting, entry)
        try:
            async with asyncio.timeout(timeout):
                await future
        except TimeoutError as error:
            raise TimeoutError(f"{self._what} is at seq {self.seq}, not at {seq}, after {timeout} s") from error
        finally:
            if entry in self._waiting:
                self._waiting.remove(entry)
                heapq.heapify(self._waiting)
