"""The time of the NATS server, which all senders share: their own clocks may differ, the slots they reserve must not.

The offset is taken from the answer that came back fastest and kept against the boot clock, so steps of the local clock
do no harm. Before the first `sync`, and while the server is away, the last known offset goes on.
"""

import asyncio
import logging
from datetime import datetime

from nats.aio.client import Client

from shared.clock import boot_seconds, go_by, wall
from shared.contracts.subjects import EVENTS
from shared.eventlog.errors import EventLogError
from shared.eventlog.metrics import CLOCK_OFFSET, CLOCK_PRECISION
from shared.eventlog.reader import Reader

logger = logging.getLogger(__name__)

_SAMPLES = 5
_EVERY = 60.0


class ServerClock:
    """Server time for one process.

    Attributes:
        precision: Half the round trip of the answer used, in seconds: the clock is right to within this.
    """

    def __init__(self, nc: Client, *, stream: str = EVENTS) -> None:
        self._reader = Reader(nc, stream)
        self._offset = wall() - boot_seconds()
        self.precision = float("inf")

    async def sync(self) -> None:
        """Ask the server for its time, several times."""
        best, offset = float("inf"), self._offset
        for _ in range(_SAMPLES):
            sent = boot_seconds()
            answer = await self._reader.api("STREAM.INFO")
            received = boot_seconds()
            if received - sent < best:
                best = received - sent
                offset = datetime.fromisoformat(answer["ts"]).timestamp() - (sent + received) / 2
        self._offset, self.precision = offset, best / 2
        CLOCK_OFFSET.set(wall() - self.now())
        CLOCK_PRECISION.set(self.precision)

    def now(self) -> float:
        """Return seconds since 1970 as the server counts them."""
        return boot_seconds() + self._offset

    async def run(self) -> None:
        """Sync every minute, for ever."""
        while True:
            try:
                await self.sync()
            except EventLogError as error:  # keep the offset, ask again in a minute
                logger.warning("server time not available: %s", error)
            await asyncio.sleep(_EVERY)


async def leading(nc: Client) -> ServerClock:
    """Return a clock in step with the server, by which this process goes from now on.

    Raises:
        UnavailableError: The server does not say what time it is.
    """
    clock = ServerClock(nc)
    await clock.sync()
    go_by(clock.now)
    return clock
