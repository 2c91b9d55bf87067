"""The way of an entry into the log: straight on while the broker answers, else into the spool and from there later.

`record` returns once the entry is safe: acknowledged by the log, or fsynced in the spool. The log may be silent for
`patience` seconds; after that the entry is spooled as well (the same ids, so both arriving is one fact) and, until the
late answer is there, everything else goes to the spool at once: nobody waits for a broker that is away, nor for one
that is not there yet at the start (`attach`). `run` hands the spool back as soon as the log takes entries again.
Consent goes straight on only while the spool is empty, so acts keep their order.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from services.tracker import metrics
from services.tracker.entries import Entry
from services.tracker.notes import Notes
from services.tracker.spool import Spool, SpoolFullError
from shared.contracts.envelope import DomainEvent, Origin
from shared.eventlog.ack_publisher import PublishRefusedError
from shared.eventlog.errors import EventLogError, UnavailableError
from shared.steps import step

_FULL = frozenset({10047, 10077, 10122})
"""Refusals of a log or disk that is full: they pass when an operator made room."""

_LONGEST_WAIT = 1.0
_TURNS = 8
"""More turns of the loop than an answer takes from the socket to the task that waits for it."""

log = logging.getLogger(__name__)


class Journal(Protocol):
    """What the recorder needs of the event log."""

    async def append_journal(self, subject: str, events: Sequence[DomainEvent], *, origin: Origin) -> int:
        """Append to a journal; return the sequence once it is acknowledged."""


@dataclass(frozen=True, slots=True)
class Log:
    """The log once it was reached; `connected` says whether it is right now."""

    journal: Journal
    notes: Notes
    connected: Callable[[], bool]


class NotKeptError(Exception):
    """Neither the log nor the spool took the entry: it is lost, counted, and the caller says so where it matters."""


class Recorder:
    """Takes entries of one tracker process."""

    def __init__(
        self,
        spool: Spool,
        *,
        patience: float = 0.025,
        pause: float = 0.2,
    ) -> None:
        self._spool = spool
        self._log: Log | None = None
        self._patience = patience
        self._pause = pause
        self._heard = 0.0
        self._late: set[asyncio.Task[None]] = set()

    def attach(self, reached: Log) -> None:
        """Use the log from now on."""
        self._log = reached

    @property
    def away(self) -> bool:
        """Whether the broker is known not to answer right now."""
        return bool(self._late) or self._log is None or not self._log.connected()

    async def record(self, entry: Entry) -> None:
        """Return once the entry is safe in the log or in the spool.

        Raises:
            NotKeptError: It is in neither.
        """
        if self.away or (entry.precious and not self._spool.empty):
            await self._keep(entry)
            return
        task = asyncio.get_running_loop().create_task(self._append(entry))
        if not await self._answered(task):
            self._late.add(task)
            task.add_done_callback(self._no_longer_late)
            await self._keep(entry)
        elif (error := task.exception()) is not None:
            if not isinstance(error, EventLogError | OSError):
                raise error
            await self._keep(entry)  # the log refused or gave up: the spool tries again
        else:
            step("hits.appended")
            metrics.HITS_LOGGED.inc(entry.facts)

    async def _answered(self, task: asyncio.Task[None]) -> bool:
        """Wait for the log's answer while the log is alive: silent for no longer than the patience."""
        loop = asyncio.get_running_loop()
        asked = loop.time()
        while True:
            await asyncio.wait({task}, timeout=self._patience)
            for _ in range(_TURNS):  # a busy loop fires timers before it reads what has already arrived
                if task.done():
                    break
                await asyncio.sleep(0)
            now = loop.time()
            if task.done():
                self._heard = now
                return True
            if self._heard < now - self._patience or now > asked + _LONGEST_WAIT:
                return False

    def _no_longer_late(self, task: asyncio.Task[None]) -> None:
        self._late.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.warning("the log did not take an entry, its copy in the spool will be tried again: %s", error)

    async def _append(self, entry: Entry) -> None:
        if self._log is None:
            raise UnavailableError("not connected yet")
        if entry.note is not None:
            await self._log.notes.keep(entry.note.key, entry.note.text)
        await self._log.journal.append_journal(entry.subject, entry.events, origin=entry.origin)

    async def _keep(self, entry: Entry) -> None:
        try:
            await self._spool.put(entry)
        except SpoolFullError as error:
            metrics.HITS_LOST.inc(entry.facts)
            raise NotKeptError(str(error)) from error
        metrics.HITS_SPOOLED.inc(entry.facts)

    async def run(self) -> None:
        """Hand the spool back to the log whenever it takes entries; ends by cancellation."""
        while True:
            if not self._spool.empty and not self.away:
                await self.replay()
            await asyncio.sleep(self._pause)

    async def replay(self) -> None:
        """Append everything that waits in the spool, in order; stops at the first failure, to be called again."""
        count = 0
        try:
            async for entry in self._spool.drain():
                try:
                    await self._append(entry)
                except PublishRefusedError as error:
                    if error.err_code in _FULL:
                        raise
                    await self._spool.set_aside(entry, error)  # it never fits: the others go on
                    continue
                step("spool.replayed")
                metrics.HITS_REPLAYED.inc(entry.facts)
                count += 1
        except (EventLogError, OSError) as error:  # the rest stays in the spool and is tried again
            log.warning("spool: the log went away again after %d entries: %s", count, error)
        else:
            log.info("spool: handed %d entries to the log", count)

    async def close(self) -> None:
        """Give a living log a moment for what is late or spooled; what it does not take stays in the spool."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_LONGEST_WAIT):
                if self._late and self._log is not None and self._log.connected():
                    await asyncio.wait(self._late)
                if not self._spool.empty and not self.away:
                    await self.replay()
        for task in self._late:
            task.cancel()
        await asyncio.gather(*self._late, return_exceptions=True)
