"""Group commit: hits that come within a few milliseconds go into the log as one commit, and are answered after its ack.

Each commit goes to one partition of `evt.engagement.*`, chosen round robin: a hit carries no address key, its order
against other hits does not matter (views are unique on the fact id), so one message an interval is enough. A batch
leaves when its first hit is `linger` seconds old or when it is full; where three commits are under way it waits for the
end of one, so a slow disk gets fewer and larger ones. When neither log nor spool keeps a batch its hits are lost and
counted; the requests are answered all the same, because a click must lead on in every case.
"""

import asyncio
import itertools
import logging

from services.tracker import metrics
from services.tracker.entries import Entry
from services.tracker.recorder import NotKeptError, Recorder
from services.tracker.spans import A_SECOND, trace_hits
from shared.contracts import subjects
from shared.contracts.engagement import Hit, HitsRecorded
from shared.contracts.envelope import Origin
from shared.ids import new_id
from shared.tracing import Rarely

log = logging.getLogger(__name__)

_UNDER_WAY = 3


class _Batch:
    __slots__ = ("hits", "safe")

    def __init__(self) -> None:
        self.hits: list[Hit] = []
        self.safe = asyncio.Event()


class GroupCommit:
    """Gathers the hits of one process."""

    def __init__(self, recorder: Recorder, *, linger: float = 0.003, limit: int = 500) -> None:
        self._recorder = recorder
        self._linger = linger
        self._limit = limit
        self._batch = _Batch()
        self._partitions = itertools.cycle(range(subjects.JOURNAL_PARTITIONS))
        self._commits: set[asyncio.Task[None]] = set()
        self._due = False  # the batch is old enough, and waits for the end of a commit
        self._traced = Rarely(A_SECOND)

    async def record(self, hit: Hit) -> None:
        """Return when the hit is safe (or lost and counted)."""
        batch = self._batch
        batch.hits.append(hit)
        if len(batch.hits) == 1:
            asyncio.get_running_loop().call_later(self._linger, self._leave, batch)
        elif len(batch.hits) >= self._limit:
            self._leave(batch)
        await batch.safe.wait()

    def _leave(self, batch: _Batch) -> None:
        if batch is not self._batch:  # it was full before its time
            return
        if len(self._commits) >= _UNDER_WAY and len(batch.hits) < self._limit:
            self._due = True
            return
        self._batch, self._due = _Batch(), False
        task = asyncio.get_running_loop().create_task(self._commit(batch))
        self._commits.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._commits.discard(task)
        if self._due:
            self._leave(self._batch)

    async def _commit(self, batch: _Batch) -> None:
        began = self._traced.begin()
        distinct = tuple({hit.id: hit for hit in batch.hits}.values())
        metrics.COMMIT_HITS.observe(len(distinct))
        entry = Entry(
            subject=subjects.engagement(next(self._partitions)),
            events=(HitsRecorded(hits=list(distinct)),),
            origin=Origin(
                command_id=new_id(20),  # the facts have ids of their own; the spool keeps this one for repeats
                source="tracker",
                time=distinct[0].at,
            ),
            facts=len(distinct),
        )
        try:
            await self._recorder.record(entry)
            trace_hits(distinct, began)
        except NotKeptError as error:  # counted by the recorder; the click goes on
            log.error("lost %d hits: %s", len(distinct), error)  # noqa: TRY400 - the cause is in the message
        finally:
            batch.safe.set()

    async def close(self) -> None:
        """Commit what is gathered and wait for the commits under way."""
        if self._batch.hits:
            self._leave(self._batch)
        while self._commits:
            await asyncio.wait(self._commits)
