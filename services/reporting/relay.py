"""The relay: what the log says for integrators goes to OUT, once, in order, by whichever instance is first.

It works while somebody reads (`feed_readers`), and then tells all that was not told before (decision 0024).
Its only checkpoint is OUT itself: each message carries the place in the log it was made from, and is appended only
directly behind the one before (expected last sequence). Of two instances one wins each message and the other starts
again behind it; a crash leaves nothing half done. Where OUT holds nothing, because all of it is too old or it was
made anew, or a log was restored and confirmed, what the log recorded within the time that OUT keeps is told (again). An
event that this program does not know, or a restored log that nobody has confirmed, holds the relay and is said in
readiness and metrics.
"""

import asyncio
import contextlib
import logging
import time
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from services.reporting import feed, tables
from services.reporting.directory import Directory
from services.reporting.feed import ChunkKey, Known, Message
from services.reporting.feed_readers import Readers
from shared import clock, metrics
from shared.contracts import codec, subjects
from shared.contracts.codec import name_of
from shared.contracts.envelope import Commit
from shared.contracts.feed import RETENTION_DAYS
from shared.contracts.sending import ChunkPlanned
from shared.database import reading
from shared.eventlog.ack_publisher import AckPublisher, NoAckError, NoStreamError, PublishRefusedError
from shared.eventlog.errors import EventLogError, UnavailableError
from shared.eventlog.incarnation import Memory, identify, judge
from shared.eventlog.linger import Linger
from shared.eventlog.reader import Reader
from shared.eventlog.store import EventLog
from shared.eventlog.tail import Tail, first_id
from shared.eventlog.views import select as decode
from shared.steps import step

logger = logging.getLogger(__name__)

PLACE = "Posthaste-Place"
"""Header of a message: sequence in EVENTS, place among what that commit gave, id of its first event, and which log."""

_BATCH = 200
_IDLE = 10.0
_FIRST = 0.5  # so long nothing comes before it is known that nothing is left to tell
_STANDBY = 2.0
_HELD = 5.0
_PATIENCE = 10.0
_CHUNKS = 256
_IN_ONE = 500
_NAMES = frozenset(name_of(wire_type) for wire_type in feed.HANDLES)

_TOLD = metrics.counter("posthaste_feed_events_total", "Messages put into OUT")
_POSITION = metrics.gauge("posthaste_feed_position_seq", "Sequence of the log up to which OUT is made")
_LAG = metrics.gauge("posthaste_feed_lag_seconds", "Age of the oldest commit that is known and not in OUT")
_PAUSED = metrics.gauge("posthaste_feed_held_count", "1 while the feed cannot go on")


class _LostRaceError(Exception):
    """Another instance put something into OUT."""


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a message was made from: the commit at `seq`, whose first event is `event`; `index` counts its messages."""

    seq: int = 0
    index: int = -1
    event: str = ""
    incarnation: str = ""

    @classmethod
    def of(cls, header: str) -> "_Place":
        seq, index, event, *incarnation = header.split(" ")
        return cls(int(seq), int(index), event, *incarnation)

    def __str__(self) -> str:
        return f"{self.seq} {self.index} {self.event} {self.incarnation}"


@dataclass(slots=True)
class _Out:
    """One message on its way, with its place."""

    message: Message
    place: _Place


@dataclass(slots=True)
class _State:
    last: int = 0
    place: _Place = field(default_factory=_Place)


class Relay:
    """Fills OUT while somebody reads it.

    Attributes:
        held: Why it cannot go on, "" while it can.
        level: Set while all that the log said is in OUT.
    """

    def __init__(self, log: EventLog, engine: AsyncEngine, directory: Directory) -> None:
        self.held = ""
        self.level = asyncio.Event()
        self._directory = directory
        self._log = log
        self._reading = reading(engine)
        self._out = Reader(log.nc, subjects.OUT)
        self._readers = Readers(self._out)
        self._publisher = AckPublisher.of(log.nc)
        self._plans: OrderedDict[ChunkKey, ChunkPlanned | None] = OrderedDict()
        self._state = _State()
        self._linger = Linger()
        self._oldest = 0.0
        self._incarnation = ""
        _LAG.set_function(lambda: max(0.0, time.time() - self._oldest) if self._oldest else 0.0)
        _PAUSED.set_function(lambda: float(bool(self.held)))

    async def run(self) -> None:
        """Relay for ever; whatever is away is asked again."""
        while True:
            try:
                await self._begin()  # a restored log is found out, whether or not somebody reads
                if not await self._readers.there():
                    self.held = ""
                    await self._readers.come()
                await self._follow()
            except _LostRaceError:
                await asyncio.sleep(_STANDBY)  # the winner goes on; look later whether it still does
            except (UnavailableError, NoAckError, NoStreamError, SQLAlchemyError) as error:  # look again
                logger.warning("the feed waits: %s", error)
                await asyncio.sleep(_STANDBY)
            except (
                EventLogError,
                codec.UnknownEventError,
                codec.MalformedCommitError,
            ) as error:  # an operator is asked
                if str(error) != self.held:
                    logger.error("the feed is held: %s", error)  # noqa: TRY400 - the reason says it all
                self.held = str(error)
                await asyncio.sleep(_HELD)

    async def caught_up(self, seconds: float) -> None:
        """Have somebody read: wait until OUT holds what the log says, so many seconds at most."""
        self._readers.note()
        if not self.held:
            with contextlib.suppress(TimeoutError):  # it goes on meanwhile: `level` tells
                async with asyncio.timeout(seconds):
                    await self.level.wait()

    async def _follow(self) -> None:
        """Relay while somebody reads."""
        self._state = state = await self._begin()
        place = state.place
        # the commit of the last message is read again: not all of it may be out
        tail = Tail(self._log, feed.FILTERS, name="reporting-feed", after=max(0, place.seq - 1))
        try:
            while await self._readers.there():
                messages = await self._linger.gather(tail, _BATCH, _IDLE if self.level.is_set() else _FIRST)
                if messages:
                    self._oldest = messages[0].recorded_at.timestamp()
                selected = [decode(message, _NAMES) for message in messages]
                for each in selected:
                    if each.problems:
                        raise next(iter(each.problems.values()))
                outgoing = await self._told([each.commit for each in selected], [each.first_id for each in selected])
                await self._append([each for each in outgoing if self._is_new(each.place)])
                if messages:
                    _POSITION.set(messages[-1].seq)
                if tail.pending == 0:
                    self._oldest = 0.0
                    self.level.set()
                self.held = ""
        finally:
            self.level.clear()
            self._oldest = 0.0
            await tail.close()

    async def _begin(self) -> _State:
        """Return where OUT ends: its last sequence, and the place of its last message."""
        end = int((await self._out.api("STREAM.INFO"))["state"]["last_seq"])
        last = await self._out.last(subjects.ALL_OUT)
        if last is not None and last.seq > end:  # what another one had under way came in between: it would come twice
            raise _LostRaceError
        identity = await identify(self._log)
        self._incarnation = identity.incarnation
        if last is not None:
            place = _Place.of(last.headers[PLACE])
            why = await judge(self._log, identity, Memory(place.incarnation, place.seq, place.event))
            if why:
                raise EventLogError(f"OUT was made from another log: {why}")
            if await self._stands(place):
                return _State(end, place)
        start = await self._kept_from()
        logger.info("OUT is made from seq %d of the log on", start)
        return _State(end, _Place(start))

    async def _kept_from(self) -> int:
        """Return the sequence of the first commit that OUT would still keep: a search by halves."""
        bounds = await self._log.bounds()
        since = clock.now() - timedelta(days=RETENTION_DAYS)
        low, high = bounds.first_seq, bounds.last_seq + 1
        while low < high:
            middle = (low + high) // 2
            stored = await self._log.reader.at(middle)
            if stored is not None and stored.recorded_at < since:
                low = middle + 1
            else:
                high = middle
        return low

    async def _stands(self, place: _Place) -> bool:
        """Tell whether the log still holds what the last message was made from: not after a restore, confirmed."""
        stored = await self._log.reader.at(place.seq)
        return stored is not None and first_id(stored.data) == place.event

    def _is_new(self, place: _Place) -> bool:
        done = self._state.place
        return (place.seq, place.index) > (done.seq, done.index)

    async def _told(self, commits: Sequence[Commit], first_ids: Sequence[str]) -> list[_Out]:
        records = [record for commit in commits for record in commit.events]
        for record in records:
            if isinstance(record.event, ChunkPlanned):
                self._remember((record.event.mailing, record.event.n), record.event)
        plans: dict[ChunkKey, ChunkPlanned] = {}
        contacts: set[str] = set()
        for key, index in (each for record in records for each in feed.recipients_of(record)):
            plan = plans.get(key) or await self._plan(key)
            if plan is not None:
                plans[key] = plan
                contacts.update(plan.contacts[index : index + 1])
        contacts.update(contact for record in records for contact in feed.contacts_of(record))
        known = Known(plans, await self._people(contacts))
        outgoing: list[_Out] = []
        for commit, event in zip(commits, first_ids, strict=True):
            told = [message for record in commit.events for message in feed.messages(record, known)]
            outgoing += [
                _Out(message, _Place(commit.seq, index, event, self._incarnation)) for index, message in enumerate(told)
            ]
        return outgoing

    async def _plan(self, key: ChunkKey) -> ChunkPlanned | None:
        if key in self._plans:
            self._plans.move_to_end(key)
            return self._plans[key]
        stored = await self._log.reader.last(subjects.plan(key[0], "*", "*", key[1]))
        plan = None
        if stored is not None:
            commit = codec.decode(stored.data, seq=stored.seq, subject=stored.subject, recorded_at=stored.recorded_at)
            plan = next((record.event for record in commit.events if isinstance(record.event, ChunkPlanned)), None)
        return self._remember(key, plan)

    def _remember(self, key: ChunkKey, plan: ChunkPlanned | None) -> ChunkPlanned | None:
        self._plans[key] = plan
        self._plans.move_to_end(key)
        while len(self._plans) > _CHUNKS:
            self._plans.popitem(last=False)
        return plan

    async def _people(self, contacts: Iterable[str]) -> dict[str, tuple[str, str]]:
        """Return whose records these contacts are: the planner said so before their mails were planned."""
        wanted = sorted(set(contacts) - {""})
        people = tables.people.c
        found: dict[str, tuple[str, str]] = {}
        if not wanted:
            return found
        await self._directory.caught_up(_PATIENCE)
        async with self._reading.connect() as conn:
            for start in range(0, len(wanted), _IN_ONE):
                rows = await conn.execute(
                    select(people.contact, people.source, people.external).where(
                        people.contact.in_(wanted[start : start + _IN_ONE]), people.external != ""
                    )
                )
                found |= {row.contact: (row.source, row.external) for row in rows}
        return found

    async def _append(self, outgoing: Sequence[_Out]) -> None:
        """Put the messages behind what is there, all under way at once; each is stored only behind the one before."""
        state = self._state
        publishing = [
            asyncio.ensure_future(self._publish(each, state.last + number)) for number, each in enumerate(outgoing)
        ]
        try:
            for each, sent in zip(outgoing, publishing, strict=True):
                state.last = await sent
                step("feed.told")
                state.place = each.place
                _TOLD.inc()
        finally:
            for sent in publishing:
                sent.cancel()
            await asyncio.gather(*publishing, return_exceptions=True)

    async def _publish(self, each: _Out, after: int) -> int:
        headers = {
            "Nats-Expected-Last-Sequence": str(after),
            "Content-Type": "application/cloudevents+json",
            PLACE: str(each.place),
        }
        try:
            ack = await self._publisher.publish(each.message.subject, each.message.body, headers)
        except PublishRefusedError as error:
            if error.wrong_sequence or error.transient:
                raise _LostRaceError from error
            raise
        return ack.seq
