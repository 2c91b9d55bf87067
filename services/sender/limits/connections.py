"""Connections of one account in this process: a line works only while it has one of those that all senders share.

What is free is known from the table in PACING (leases.py), changed by compare-and-set. A line that rests keeps its
connection for the next job, until it idled too long, another lane or another sender goes without, or the limits were
lowered. While the log does not answer nothing new is opened; what is open may finish.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from services.sender.limits import leases
from services.sender.limits.domains import Share
from services.sender.limits.leases import Most
from services.sender.limits.pacing import Bucket, Clock
from services.sender.smtp.line import IDLE, Line
from shared.eventlog.errors import EventLogError

logger = logging.getLogger(__name__)

PATIENCE = 2.0
"""Seconds that a job at hand waits for a connection."""
LOOK = 0.25
TICK = 1.0
KNOWN = leases.LIFE / 2 + 2 * TICK
"""Seconds after which all others know of a sender that joined: as often each reads the table anew."""


@dataclass(slots=True)
class Connections:
    """See the module; `most` and `shares` are asked anew each time: limits change while everything runs.

    Attributes:
        shares: Whether something else is shared by the number of senders: then our row stands while we have nothing.
    """

    bucket: Bucket
    clock: Clock
    account: str
    holder: str
    most: Callable[[], Most]
    shares: Callable[[], bool] = bool
    busy: dict[int, str] = field(default_factory=dict)
    idle: dict[int, tuple[str, Line, float]] = field(default_factory=dict)
    waiting: Counter[str] = field(default_factory=Counter)
    row: leases.Row = field(default_factory=lambda: leases.Row(0.0))
    others: dict[str, leases.Row] = field(default_factory=dict)
    joined: float = 0.0
    closing: bool = False
    renewing: asyncio.Lock = field(default_factory=asyncio.Lock)
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    async def enter(self, lane: str, line: Line) -> bool:
        """Give `line` a connection to open or to go on with; False where none is free for a while."""
        if id(line) in self.idle:
            del self.idle[id(line)]
            self.busy[id(line)] = lane
            return True
        self.waiting[lane] += 1
        try:
            async with asyncio.timeout(PATIENCE):
                while not await self._free(lane):
                    self.changed.clear()
                    await _within(LOOK, self.changed)
        except TimeoutError:  # others have them all
            return False
        finally:
            self.waiting[lane] -= 1
        self.busy[id(line)] = lane
        return True

    async def leave(self, line: Line) -> None:
        """Take the line's connection back at the end of its job, or let it rest with it."""
        lane = self.busy.pop(id(line))
        if line.opened and not self._beyond(lane):
            self.idle[id(line)] = (lane, line, self.clock.now())
        else:
            await line.close()
        self.changed.set()

    async def run(self) -> None:
        """Keep the row; give back what rests too long or is beyond our share, for ever."""
        while True:
            await asyncio.sleep(TICK)
            now = self.clock.now()
            for lane, line, since in list(self.idle.values()):
                if now - since > IDLE or self._beyond(lane):
                    await self._drop(line)
            wanted = self.busy or self.idle or self.row.total or self.shares()
            renew = self.row.until - now < leases.LIFE / 2 and wanted
            if renew or self.row.total > len(self.busy) + len(self.idle) or self.row.starving:
                await self._renew()

    def share(self) -> Share:
        """Return which part of what is shared by number is ours."""
        now = self.clock.now()
        senders = sorted([self.holder, *(holder for holder, row in self.others.items() if row.until > now)])
        since = self.joined + KNOWN if len(senders) > 1 else 0.0
        return Share(senders.index(self.holder), len(senders), since)

    async def close(self) -> None:
        """Give everything back."""
        self.closing = True
        for _, line, _ in list(self.idle.values()):
            await self._drop(line)
        await self._renew()

    def _used(self) -> Counter[str]:
        return Counter([*self.busy.values(), *(lane for lane, _, _ in self.idle.values())])

    def _beyond(self, lane: str) -> bool:
        """Tell whether one more of a lane is more than the row, or than the limits of now, allow."""
        used, most = self._used(), self.most()
        return used[lane] > min(self.row.lanes.get(lane, 0), most.lane(lane)) or used.total() > most.account

    async def _free(self, lane: str) -> bool:
        if self._used()[lane] < self._allowed(lane):
            return True
        await self._renew()
        if self._used()[lane] < self._allowed(lane):
            return True
        if self.idle:  # one that rests makes room, the longest resting first
            _, line, _ = min(self.idle.values(), key=lambda each: each[2])
            await self._drop(line)
            await self._renew()
        return self._used()[lane] < self._allowed(lane)

    def _allowed(self, lane: str) -> int:
        return self.row.lanes.get(lane, 0) if self.row.until > self.clock.now() else 0

    async def _drop(self, line: Line) -> None:
        if self.idle.pop(id(line), None) is not None:
            await line.close()

    async def _renew(self) -> None:
        """Write our row anew; what the log does not take is not ours."""
        key = f"connections.{self.account}"
        async with self.renewing:
            while True:
                try:
                    entry = await self.bucket.get(key)
                    now = self.clock.now()
                    rows = leases.read(entry[0] if entry else None, now)
                    joined = self.joined if rows.pop(self.holder, None) is not None else now
                    used, others = self._used(), [row for row in rows.values() if row.total or row.starving]
                    mine = leases.row(others, used, used + self.waiting, self.most(), now)
                    if mine.total or mine.starving or (self.shares() and not self.closing):
                        rows[self.holder] = mine
                    swapped = await self.bucket.swap(key, leases.write(rows), entry[1] if entry else 0)
                except EventLogError as error:  # asked again at the next tick, or by who needs one
                    logger.warning("connections cannot be shared: %s", error, extra={"account": self.account})
                    return
                if swapped is not None:
                    self.row, self.joined = rows.pop(self.holder, mine), joined
                    self.others = rows
                    self.changed.set()
                    return


async def _within(seconds: float, event: asyncio.Event) -> None:
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:  # look again
        return
