"""A small view in memory that follows the log, e.g. what a sender must know before it sends.

Every commit that matches the filters is given to `apply` in order, once. Lost connections and consumers are the tail's
business; a commit that cannot be decoded, or that `apply` refuses, stops the follower for good: `failure` holds the
error, and whoever waits for a position is told instead of trusting a view that stands still.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence

from shared.contracts import codec
from shared.contracts.envelope import Commit
from shared.eventlog.errors import EventLogError
from shared.eventlog.position import Position
from shared.eventlog.pull import PullMessage
from shared.eventlog.store import EventLog
from shared.eventlog.tail import Tail

logger = logging.getLogger(__name__)

_BATCH = 500
_IDLE = 30.0
_BREATH = 100


class Follower:
    """Applies what matches `filters` to something in memory, from `start` until `stop`."""

    def __init__(
        self, log: EventLog, filters: Sequence[str], apply: Callable[[Commit], None], *, name: str = "follower"
    ) -> None:
        self._log = log
        self._filters = list(filters)
        self._apply = apply
        self._name = name
        self._position = Position(name)
        self._task: asyncio.Task[None] | None = None

    @property
    def position(self) -> int:
        """Sequence up to which all that matches has been applied."""
        return self._position.seq

    @property
    def failure(self) -> Exception | None:
        """Why it stopped, None while it follows."""
        return self._position.failure

    async def start(self, after: int = 0) -> None:
        """Begin to follow behind `after`; returns at once, `wait_for` tells when it has come somewhere."""
        self._position.advance(after)
        self._task = asyncio.create_task(self._follow(after), name=self._name)

    async def wait_for(self, seq: int, timeout: float) -> None:  # noqa: ASYNC109 - part of the question
        """Return when the commit at `seq`, which matches the filters, has been applied.

        Raises:
            TimeoutError: It was not within `timeout` seconds.
            EventLogError: The follower has stopped.
        """
        await self._position.wait_for(seq, timeout)

    async def stop(self) -> None:
        """Stop following and let go of the consumer."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _follow(self, after: int) -> None:
        tail = Tail(self._log, self._filters, name=self._name, after=after)
        try:
            while True:
                await self._take(await tail.read(_BATCH, _IDLE))
        except asyncio.CancelledError:
            self._position.fail(EventLogError("it was told to stop"))
            raise
        except Exception as error:  # a view that misses one commit must not be trusted: stop and tell all who ask
            logger.exception("%s stops after seq %d", self._name, self.position)
            self._position.fail(error)
        finally:
            await tail.close()

    async def _take(self, messages: list[PullMessage]) -> None:
        for count, message in enumerate(messages, 1):
            commit = codec.decode(
                message.data, seq=message.seq, subject=message.subject, recorded_at=message.recorded_at
            )
            self._apply(commit)
            self._position.advance(message.seq)
            if count % _BREATH == 0:
                await asyncio.sleep(0)
