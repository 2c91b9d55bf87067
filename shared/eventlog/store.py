"""The event log: load what happened to an entity, append what happens next. Only this module publishes to `evt.>`.

An entity is one exact subject; its append carries the last sequence the writer saw, so of two writers one wins (G1).
The outcome of every append is settled: an answer that is missing or ambiguous is resolved by reading the subject from
the leader and looking for the own event ids. While servers are away it is tried again with the same ids, so nothing is
stored twice, until the budget is spent: then `UnknownOutcomeError`, and trying once more later is safe.
"""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass

from nats.aio.client import Client

from shared.contracts import codec
from shared.contracts.envelope import Commit, DomainEvent, Origin
from shared.contracts.subjects import EVENTS
from shared.eventlog.ack_publisher import AckPublisher, NoAckError, NoStreamError, PublishRefusedError
from shared.eventlog.errors import EventLogError, UnavailableError, UnknownOutcomeError, WrongVersionError
from shared.eventlog.metrics import APPENDED
from shared.eventlog.reader import Reader, Stored
from shared.eventlog.scan import scan
from shared.ids import event_id

_FIRST_PAUSE = 0.02
_LONGEST_PAUSE = 1.0
_LOAD_BATCH = 500
_STALE_READS = 3

_jitter = random.SystemRandom()


OnAppend = Callable[[int, int, str], None]
"""Told of each append: the highest sequence known when it began, its own, and the id of its first event."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """First and last sequence of the log; `last_seq` is 0 where it never held anything."""

    first_seq: int
    last_seq: int


@dataclass(slots=True)
class _Append:
    subject: str
    body: bytes
    first_id: str
    headers: dict[str, str]
    expected: int | None
    problem: EventLogError | None = None


def _commit(stored: Stored) -> Commit:
    return codec.decode(stored.data, seq=stored.seq, subject=stored.subject, recorded_at=stored.recorded_at)


class EventLog:
    """The log in `stream`.

    Attributes:
        nc: The connection it uses.
        reader: Raw reads of the same stream.
        highest: Highest sequence known here: of own appends, and whatever a reader of the log adds.
        on_append: Told of each append.
    """

    def __init__(self, nc: Client, *, stream: str = EVENTS, timeout: float = 5.0, budget: float = 30.0) -> None:
        """Use `nc`; an answer is waited for `timeout` seconds, an append or a read is tried for `budget` seconds."""
        self.nc = nc
        self.reader = Reader(nc, stream, timeout=timeout, budget=budget)
        self._publisher = AckPublisher.of(nc)
        self._timeout = timeout
        self._budget = budget
        self.highest = 0
        self.on_append: OnAppend | None = None

    async def load(self, subject: str, after: int = 0) -> list[Commit]:
        """Return all commits on one exact subject after `after`, those acknowledged before this call included."""
        return [_commit(stored) for stored in await self._history(subject, after)]

    async def _history(self, subject: str, after: int) -> list[Stored]:
        last, found = await asyncio.gather(
            self.reader.last(subject), self.reader.batch(subject, after + 1, _LOAD_BATCH)
        )
        if last is None or last.seq <= after:
            return []
        stale = 0
        while (tail := found[-1].seq if found else after) < last.seq:
            more = await self.reader.batch(subject, tail + 1, _LOAD_BATCH) if stale < _STALE_READS else []
            if not more:  # the replica that answered lags: try others, then have the leader give one by one
                stale += 1
                following = await self.reader.next(subject, tail + 1) if stale > _STALE_READS else None
                more = [following] if following else []
            found += more
        return found

    async def append(self, subject: str, events: Sequence[DomainEvent], *, expected: int, origin: Origin) -> int:
        """Append `events` as one commit if the subject's last commit is at `expected`; return its sequence.

        The same command id again returns the sequence of the commit it made.

        Raises:
            WrongVersionError: The subject has moved on, and not by this command.
            UnknownOutcomeError: Neither confirmed nor denied within the budget.
        """
        return await self._settled(self._prepare(subject, events, origin, expected))

    async def append_journal(self, subject: str, events: Sequence[DomainEvent], *, origin: Origin) -> int:
        """Append facts without expectation; return the sequence. Within two minutes the same command id is one commit.

        Raises:
            UnknownOutcomeError: Neither confirmed nor denied within the budget.
        """
        return await self._settled(self._prepare(subject, events, origin, None))

    def _prepare(self, subject: str, events: Sequence[DomainEvent], origin: Origin, expected: int | None) -> _Append:
        if not events:
            raise EventLogError(f"{subject}: a commit holds at least one event")
        headers = {"Nats-Msg-Id": origin.command_id}
        if expected is not None:
            headers["Nats-Expected-Last-Subject-Sequence"] = str(expected)
        body = codec.encode(subject, events, origin)
        return _Append(subject, body, event_id(origin.command_id, 0), headers, expected)

    async def _settled(self, append: _Append) -> int:
        began, outcome, before = time.perf_counter(), "refused", self.highest
        try:
            async with asyncio.timeout(self._budget):
                seq = await self._persist(append)
            outcome = "ok"
            if self.on_append is not None:
                self.on_append(before, seq, append.first_id)
            self.highest = max(self.highest, seq)
        except (TimeoutError, UnavailableError) as error:
            outcome = "unknown"
            raise UnknownOutcomeError(
                f"{append.subject}: {append.first_id} within {self._budget} s: {append.problem or error}"
            ) from error
        except WrongVersionError:
            outcome = "wrong_version"
            raise
        finally:
            APPENDED[outcome].observe(time.perf_counter() - began)
        return seq

    async def _persist(self, append: _Append) -> int:
        """Publish until the outcome is known."""
        pause = _FIRST_PAUSE
        while True:
            try:
                ack = await self._publisher.publish(append.subject, append.body, append.headers, patience=self._timeout)
                return await self._confirmed_duplicate(append, ack.seq) if ack.duplicate else ack.seq
            except (NoAckError, NoStreamError) as error:  # look for it below, then try again
                append.problem = error
            except PublishRefusedError as error:
                append.problem = error
                if not error.wrong_sequence and not error.transient:
                    raise
            if append.expected is not None and not isinstance(append.problem, NoStreamError):
                seq = await self._find(append, append.expected)
                if seq is not None:
                    return seq
            await asyncio.sleep(_jitter.uniform(pause / 2, pause))
            pause = min(pause * 2, _LONGEST_PAUSE)

    async def _find(self, append: _Append, expected: int) -> int | None:
        """Return where this very commit stands; None if it may still be appended.

        Raises:
            WrongVersionError: It does not stand there and never will: others went first.
        """
        last = await self.reader.last(append.subject)
        actual = last.seq if last else 0
        if actual == expected:  # a rival or our own message may still be in flight: try again
            return None
        for stored in await self._history(append.subject, expected) if actual > expected else ():
            if codec.event_ids(stored.data)[0] == append.first_id:
                return stored.seq
        raise WrongVersionError(append.subject, expected, actual)

    async def _confirmed_duplicate(self, append: _Append, seq: int) -> int:
        stored = await self.reader.at(seq)
        if stored and stored.subject == append.subject and codec.event_ids(stored.data)[0] == append.first_id:
            return seq
        where = stored.subject if stored else "nothing"
        raise EventLogError(f"{append.subject}: {append.first_id} was used at seq {seq} for {where}")

    async def last_seq(self, subject_filter: str) -> int:
        """Return the sequence of the last commit that matches, as the leader knows it; 0 if there is none."""
        last = await self.reader.last(subject_filter)
        return last.seq if last else 0

    async def bounds(self) -> Bounds:
        """Return where the log begins and ends."""
        state = (await self.reader.api("STREAM.INFO"))["state"]
        return Bounds(state["first_seq"], state["last_seq"])

    async def get(self, seq: int) -> Commit | None:
        """Return the commit at `seq`, None if there is none."""
        stored = await self.reader.at(seq)
        return _commit(stored) if stored else None

    async def scan(
        self, filters: Sequence[str], *, start: int = 1, stop: int | None = None, batch: int = 500
    ) -> AsyncIterator[list[Commit]]:
        """Yield all commits that match from `start` to `stop` (None: the present end) in order, in lists."""
        until = (await self.bounds()).last_seq if stop is None else stop
        async for chunk in scan(self.reader, filters, start=start, stop=until, batch=batch):
            yield [_commit(stored) for stored in chunk]
