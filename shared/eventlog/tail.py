"""Read the log in order from a position on, for ever: each message once, none left out, whatever happens to servers.

In go filters and a position, out come lists of messages. Each tail has an unacknowledged consumer of its own, in memory
on the server; the position alone is the truth. After any interruption (reconnect, silence, a gap in the consumer's
numbers) the consumer is made anew behind the position, which costs a millisecond and can neither lose nor reorder.
Before that, the log is compared with the position: history that was removed, or a log that was restored and is shorter
or different, ends the reader.
"""

import asyncio
import logging
import time
from collections.abc import Sequence

import orjson

from shared.contracts import codec
from shared.eventlog.errors import (
    ConsumerGoneError,
    HistoryGapError,
    LogBehindViewError,
    UnavailableError,
)
from shared.eventlog.pull import Pull, PullMessage, ensure_consumer
from shared.eventlog.store import EventLog
from shared.ids import new_id

logger = logging.getLogger(__name__)

_FORGET_AFTER = 30
_LONGEST_PAUSE = 1.0


async def check_history(log: EventLog, seq: int, event_id: str) -> None:
    """See that a reader at `seq`, whose commit began with the event `event_id` ("" if not known), can go on.

    Raises:
        HistoryGapError: What comes after it was removed.
        LogBehindViewError: The log ends before it, or holds something else there.
    """
    bounds = await log.bounds()
    if bounds.first_seq > seq + 1:
        raise HistoryGapError(f"the log begins at seq {bounds.first_seq}, the reader is at {seq}")
    if bounds.last_seq < seq:
        raise LogBehindViewError(f"the log ends at seq {bounds.last_seq}, the reader is at {seq}")
    if seq and event_id:
        stored = await log.reader.at(seq)
        found = first_id(stored.data) if stored else "nothing"
        if found != event_id:
            raise LogBehindViewError(f"seq {seq} of the log holds {found}, the reader saw {event_id} there")


def first_id(body: bytes) -> str:
    """Return the id of the first event of a commit, "" where it is none."""
    try:
        return codec.event_ids(body)[0]
    except (orjson.JSONDecodeError, KeyError, TypeError, IndexError):  # poison: whoever decodes it will say so
        return ""


class Tail:
    """A position in the log that moves on.

    Attributes:
        position: Sequence of the last message handed out, or where it began.
        pending: How many matching messages were still behind it when the last one was delivered.
    """

    def __init__(self, log: EventLog, filters: Sequence[str], *, name: str, after: int, event_id: str = "") -> None:
        """Read what matches `filters` after `after`, where the event `event_id` stands; consumers are called `name`."""
        self.position = after
        self.pending = 0
        self._log = log
        self._filters = list(filters)
        self._name = name
        self._event_id = event_id
        self._last: PullMessage | None = None
        self._pull: Pull | None = None
        self._consumer = ""
        self._next = 1
        self._pause = 0.0

    async def read(self, batch: int, timeout: float) -> list[PullMessage]:  # noqa: ASYNC109 - as long as it may idle
        """Return up to `batch` following messages as soon as there is one; [] after about `timeout` seconds.

        Raises:
            HistoryGapError: History behind the position was removed.
            LogBehindViewError: The log was restored or replaced.
        """
        deadline = time.monotonic() + timeout
        while True:
            try:
                pull = self._pull or await self._open()
                messages = await pull.fetch(batch, max(0.0, deadline - time.monotonic()))
            except (ConsumerGoneError, UnavailableError) as error:  # read on behind the position
                logger.info("%s at seq %d: %s", self._name, self.position, error)
                await self._reset()
                if self._log.nc.is_closed:
                    raise
                await asyncio.sleep(self._pause)
                self._pause = min(max(self._pause * 2, 0.02), _LONGEST_PAUSE)
                messages = []
            else:
                messages = await self._in_order(messages)
            if messages or time.monotonic() >= deadline:
                return messages

    async def prefetch(self, batch: int) -> None:
        """Have the next `batch` messages come while the caller is busy."""
        if self._pull is not None:
            await self._pull.ask(batch, 10.0)

    async def close(self) -> None:
        """Let go of the consumer."""
        await self._reset()

    async def _open(self) -> Pull:
        event_id = first_id(self._last.data) if self._last else self._event_id
        await check_history(self._log, self.position, event_id)
        self._consumer = f"{self._name}-{new_id(8)}"
        config: dict[str, object] = {
            "name": self._consumer,
            "ack_policy": "none",
            "deliver_policy": "by_start_sequence",
            "opt_start_seq": self.position + 1,
            "filter_subjects": self._filters,
            "inactive_threshold": _FORGET_AFTER * 1_000_000_000,
            "mem_storage": True,
            "num_replicas": 1,
        }
        await ensure_consumer(self._log.nc, self._log.reader.stream, config)
        self._next = 1
        self._pull = Pull(self._log.nc, self._log.reader.stream, self._consumer, resume=False)
        return self._pull

    async def _in_order(self, messages: list[PullMessage]) -> list[PullMessage]:
        """Return the messages up to the first gap; a gap means that some were lost on the wire."""
        for place, message in enumerate(messages):
            if message.consumer_seq != self._next:
                logger.info("%s: %d delivered where %d was due", self._name, message.consumer_seq, self._next)
                await self._reset()
                messages = messages[:place]
                break
            self._next += 1
        if messages:
            self._last = messages[-1]
            self.position, self.pending, self._pause = self._last.seq, self._last.pending, 0.0
        return messages

    async def _reset(self) -> None:
        pull, self._pull = self._pull, None
        if pull is None or self._log.nc.is_closed:
            return
        await pull.close()
        await self._log.nc.publish(f"$JS.API.CONSUMER.DELETE.{self._log.reader.stream}.{self._consumer}")
