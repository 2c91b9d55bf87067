"""Keep views in SQL up to date with the log: each commit is in the tables once, whatever crashes or runs twice (G9).

Batches come in from a tail, one transaction each goes out through the writer. The checkpoints alone decide. There is no
acknowledging consumer, because its position would be a second truth to reconcile: every instance reads from its
checkpoint + 1 with a consumer of its own (decision 0004). Of several instances one wins each batch; the others lose
before they did any work, read the checkpoints again, drop what is done and go on.

A commit that a view cannot apply pauses that view only: its checkpoint says where and why, it is tried again at every
start and after `resume`, and catches up while the others wait for it. When the database is away the batch is repeated
until it is back. History that was removed, or a log that was restored, ends `run`.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from shared import tracing
from shared.contracts.codec import Selection
from shared.contracts.envelope import Commit
from shared.database import is_away
from shared.eventlog import checkpoints
from shared.eventlog.errors import EventLogError
from shared.eventlog.linger import Linger
from shared.eventlog.position import Position
from shared.eventlog.pull import PullMessage
from shared.eventlog.store import EventLog
from shared.eventlog.tail import Tail, check_history
from shared.eventlog.views import View, names_of, select
from shared.eventlog.writer import LostRaceError, Writer
from shared.steps import step

logger = logging.getLogger(__name__)

OnApplied = Callable[[int, Sequence[Commit]], Awaitable[None]]

_IDLE = 10.0
_LOOK_AGAIN = 1.0
_FIRST_PAUSE = 0.05
_LONGEST_PAUSE = 2.0
_TRACED = 2.0
"""Batches a second that are traced."""
_UNREADABLE = (SQLAlchemyError, OSError)  # where nobody listens, asyncpg says so by an error of the system


class Projector:
    """Applies what matches `filters` to `views`, all in one database."""

    def __init__(
        self,
        log: EventLog,
        engine: AsyncEngine,
        views: Sequence[View],
        *,
        durable: str,
        filters: Sequence[str],
        batch: int = 500,
        linger: float = 0.02,
        on_applied: OnApplied | None = None,
    ) -> None:
        """Prepare to run; `durable` names its consumers.

        `on_applied` is told each batch that is in the tables, whichever instance put it there: the last sequence and
        its commits, cut down to what some view handles. After a crash or a retry a batch may be told again.
        """
        self._log = log
        self._engine = engine
        self._writer = Writer(engine, views)
        self._names = names_of(views)
        self._name = durable
        self._filters = list(filters)
        self._batch = batch
        self._linger = Linger(linger)
        self._on_applied = on_applied
        self._position = Position(durable)
        self._tail: Tail | None = None
        self._looked = 0.0
        self._oldest = 0.0
        self._traced = tracing.Rarely(_TRACED)

    @property
    def position(self) -> int:
        """Sequence up to which all views that are not paused are made."""
        return self._position.seq

    @property
    def pending(self) -> int:
        """How many matching commits had still to come when the last one was delivered."""
        return self._tail.pending if self._tail else 0

    @property
    def oldest(self) -> float:
        """When the oldest commit was recorded that is known here and not in the tables; 0 where there is none."""
        return self._oldest

    @property
    def paused(self) -> dict[str, str]:
        """Name of a view -> why this instance cannot go on with it."""
        return dict(self._writer.paused)

    async def run(self) -> None:
        """Keep the views up to date until cancelled.

        Raises:
            HistoryGapError: The log no longer holds what comes after a checkpoint.
            LogBehindViewError: The log is shorter than the views, or another one.
            ViewOutdatedError: A view's tables are of another version.
        """
        try:
            await self._writer.prepare()
            for at in {at.seq: at for at in self._writer.checkpoints.values()}.values():
                await check_history(self._log, at.seq, at.event_id)
            await self._rewind()
            while True:
                await self._step()
        except asyncio.CancelledError:
            self._position.fail(EventLogError("it was told to stop"))
            raise
        except Exception as error:
            self._position.fail(error)
            raise
        finally:
            if self._tail is not None:
                await self._tail.close()

    async def wait_for(self, seq: int, timeout: float) -> None:  # noqa: ASYNC109 - part of the question
        """Return when the views hold all that the log held at `seq`, whether or not that commit matches the filters.

        Raises:
            TimeoutError: They did not within `timeout` seconds.
            EventLogError: The projector has stopped.
        """
        if self.position < seq:
            async with asyncio.timeout(timeout):
                matching = [await self._log.last_seq(subject_filter) for subject_filter in self._filters]
            seq = min(seq, max(matching))
        await self._position.wait_for(seq, timeout)

    async def resume(self, name: str) -> None:
        """Try the commit again at which a view paused."""
        async with self._engine.begin() as conn:
            await checkpoints.resume(conn, name)
        self._looked = 0.0

    async def _rewind(self) -> None:
        """Read anew behind the hindmost view that is not paused."""
        tail, self._tail = self._tail, None
        if at := self._writer.hindmost():
            self._tail = Tail(self._log, self._filters, name=self._name, after=at.seq, event_id=at.event_id)
            self._position.advance(at.seq)
        if tail is not None:
            await tail.close()

    async def _step(self) -> None:
        """Take one batch from the log into the tables."""
        if self._writer.paused and time.monotonic() - self._looked > _LOOK_AGAIN:
            await self._look()
        if self._tail is None:
            await asyncio.sleep(_LOOK_AGAIN)
            return
        base = self._tail.position
        messages = await self._gather(self._tail)
        if not messages:
            return
        self._oldest = messages[0].recorded_at.timestamp()
        await self._tail.prefetch(self._batch)
        batch = [select(message, self._names) for message in messages]
        step("batch.read")
        began = self._traced.begin()
        applied = await self._apply(base, batch)
        if began and applied:
            self._trace(batch, began)
        if applied:
            self._oldest = messages[-1].recorded_at.timestamp() if self.pending else 0.0
        if applied and self._on_applied is not None:
            await self._on_applied(self.position, [item.commit for item in batch if item.commit.events])

    def _trace(self, batch: list[Selection], began: int) -> None:
        """Record a batch that is in the tables, with links to the undertakings it is about."""
        commits = [item.commit for item in batch if item.commit.events]
        about = dict.fromkeys(commit.events[0].correlation_id for commit in commits)
        links = [tracing.whole(correlation) for correlation in about if correlation]
        seq, events = batch[-1].commit.seq, sum(len(commit.events) for commit in commits)
        what: dict[str, tracing.Value] = {"projector": self._name, "commits": len(batch), "events": events, "seq": seq}
        tracing.record("project batch", began, tracing.some(), links=links, what=what)

    async def _look(self) -> None:
        """See whether a paused view can go on, and read from there."""
        try:
            freed = await self._writer.look()
        except _UNREADABLE as error:  # away: the next step looks again
            logger.warning("%s cannot read its checkpoints: %s", self._name, error)
            freed = False
        self._looked = time.monotonic()
        if freed:
            await self._rewind()

    async def _gather(self, tail: Tail) -> list[PullMessage]:
        """Wait for the first message; under load, wait a little for more to share its transaction."""
        started = time.monotonic()
        messages = await tail.read(self._batch, _LOOK_AGAIN if self._writer.paused else _IDLE)
        until = self._linger.until(started, time.monotonic()) if messages else 0.0
        while len(messages) < self._batch and not self._position.awaited:
            rest = until - time.monotonic()
            if rest <= 0:
                break
            messages += await tail.read(self._batch - len(messages), min(rest, self._linger.least))
        return messages

    async def _apply(self, base: int, batch: list[Selection]) -> bool:
        """Write the batch, which holds all that matches after `base`; False if a view needs to start further back."""
        pause = _FIRST_PAUSE
        while True:
            try:
                hindmost = self._writer.hindmost()
                if hindmost is None or hindmost.seq < base:
                    await self._rewind()
                    return False
                await self._writer.take(batch)
                step("batch.committed")
                break
            except LostRaceError:  # the checkpoints tell what is left to do
                logger.debug("%s: another instance was faster", self._name)
            except _UNREADABLE as error:
                if not is_away(error):
                    raise
                logger.warning("%s after seq %d: the database is away, again: %s", self._name, self.position, error)
                await asyncio.sleep(pause)
                pause = min(pause * 2, _LONGEST_PAUSE)
            await self._look_again()
        if self._writer.active():
            self._position.advance(batch[-1].commit.seq)
        return True

    async def _look_again(self) -> None:
        """Read the checkpoints before the batch is repeated."""
        try:
            await self._writer.look()
        except _UNREADABLE as error:  # still away: the compare-and-set sees to it that old checkpoints do no harm
            logger.warning("%s cannot read its checkpoints: %s", self._name, error)
