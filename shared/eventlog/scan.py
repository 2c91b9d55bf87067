"""Long reads over several filters in the order of the log, by direct batch gets that are merged.

Each filter has a cursor; what is certain to come next over all cursors is handed out. Where a lagging replica answers
with less than the leader knows, the read is repeated, at last from the leader: nothing is left out.
"""

import heapq
from collections.abc import AsyncIterator, Sequence
from itertools import takewhile

from shared.eventlog.reader import Reader, Stored

_STALE_READS = 3


class _Cursor:
    """What matches one filter from a position on. `horizon`: up to there all that matches is in `buffer`."""

    def __init__(self, reader: Reader, subject_filter: str, start: int, stop: int) -> None:
        self._reader = reader
        self._filter = subject_filter
        self._next = start
        self._stop = stop
        self._last: int | None = None
        self.buffer: list[Stored] = []
        self.horizon = start - 1

    async def fill(self, count: int) -> None:
        """Read on unless there is something to hand out, or nothing more."""
        if self.buffer or self.horizon >= self._stop:
            return
        if self._last is None:
            last = await self._reader.last(self._filter)
            self._last = min(last.seq if last else 0, self._stop)
        found = await self._read(count) if self._next <= self._last else []
        self.buffer = list(takewhile(lambda stored: stored.seq <= self._stop, found))
        if not found or len(self.buffer) < len(found) or found[-1].seq >= self._last:
            self.horizon = self._stop
        else:
            self.horizon = found[-1].seq
            self._next = self.horizon + 1

    async def _read(self, count: int) -> list[Stored]:
        for _ in range(_STALE_READS):
            if found := await self._reader.batch(self._filter, self._next, count):
                return found
        following = await self._reader.next(self._filter, self._next)
        return [following] if following else []


async def scan(
    reader: Reader, filters: Sequence[str], *, start: int, stop: int, batch: int
) -> AsyncIterator[list[Stored]]:
    """Yield all messages that match from `start` to `stop` in order; one that matches twice comes once."""
    cursors = [_Cursor(reader, subject_filter, start, stop) for subject_filter in filters]
    done = start - 1
    while done < stop:
        for cursor in cursors:
            await cursor.fill(batch)
        horizon = min((cursor.horizon for cursor in cursors), default=stop)
        ready: list[Stored] = []
        for stored in heapq.merge(*(_taken(cursor, horizon) for cursor in cursors), key=lambda item: item.seq):
            if not ready or ready[-1].seq != stored.seq:
                ready.append(stored)
        done = horizon
        if ready:
            yield ready


def _taken(cursor: _Cursor, horizon: int) -> list[Stored]:
    """Take what lies within the horizon out of the cursor's buffer."""
    taken = list(takewhile(lambda stored: stored.seq <= horizon, cursor.buffer))
    cursor.buffer = cursor.buffer[len(taken) :]
    return taken
