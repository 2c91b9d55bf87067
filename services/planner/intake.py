"""Intake: what producers publish on `in.contacts` becomes contacts on lists.

Messages are pulled from INBOX by a durable that all planners share. Their events are taken in slice by slice, each a
short transaction that also notes its counts; the counts are then appended to the log, the messages erased and
acknowledged. A crash anywhere in between takes a message in once more, which changes nothing. A message with an event
that does not fit is parked with the field at fault, after its good events were taken in, and can be handed back. While
database or log are away messages go back and come again.
"""

import asyncio
import hashlib
import logging
from collections.abc import Sequence
from dataclasses import asdict
from itertools import product

from sqlalchemy import Column, String, Table, Text, delete, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from services.planner import lists, sources
from services.planner.directory import Directory
from services.planner.opt_ins import OptIns, Wish
from services.planner.schema import METADATA, insert
from shared import clock, metrics
from shared.contracts import intake, subjects
from shared.contracts.audience import ContactsSynced
from shared.contracts.envelope import Origin
from shared.contracts.intake import ContactUpserted, Told
from shared.database import reading
from shared.eventlog.errors import ConsumerGoneError, UnavailableError, UnknownOutcomeError
from shared.eventlog.pull import Pull, PullMessage
from shared.eventlog.reader import ApiError, Reader
from shared.eventlog.store import EventLog
from shared.ids import derived_id, new_id
from shared.keys import KeyRing
from shared.messaging.parking import park
from shared.messaging.policy import nak_delay
from shared.providers import BUILT_IN, Providers
from shared.steps import step

logger = logging.getLogger(__name__)

ROLE = "intake"
SLICE = 250
_BATCH = 64  # a message may take 1 MB
_WAIT_S = 5.0
_PAUSE_S = 0.5

NOTES = Table(
    "intake_notes",
    METADATA,
    Column("id", String(20), primary_key=True),
    Column("event", Text, nullable=False),
)
"""What was taken in and does not stand in the log yet."""

_EVENTS = metrics.counter("posthaste_intake_events_total", "Events of producers by what became of them", ("outcome",))


class Intake:
    """Takes in what producers tell, until cancelled."""

    def __init__(
        self,
        engine: AsyncEngine,
        log: EventLog,
        keys: KeyRing,
        directory: Directory,
        *,
        opt_ins: OptIns,
        providers: Providers = BUILT_IN,
    ) -> None:
        self._engine = engine
        self._reading = reading(engine)
        self._log = log
        self._keys = keys
        self._directory = directory
        self._opt_ins = opt_ins
        self._providers = providers
        self._inbox = Reader(log.nc, subjects.INBOX)

    async def run(self) -> None:
        """Pull, take in, acknowledge, for ever."""
        pull = Pull(self._log.nc, subjects.INBOX, subjects.PLANNER_INTAKE)
        owing = True  # a crash may have left something to announce
        messages: list[PullMessage] = []
        while True:
            try:
                messages = await pull.fetch(_BATCH, _WAIT_S)
                owing |= bool(messages)
                if owing:
                    await self._take(messages)
                    owing = False
            except ConsumerGoneError as error:  # somebody makes it anew: `posthaste streams apply`
                logger.warning("nothing is taken in: %s", error)
                await asyncio.sleep(_WAIT_S)
            except (SQLAlchemyError, UnavailableError, UnknownOutcomeError) as error:  # they come again
                logger.warning("intake waits for database or log: %s", error)
                for message in messages:
                    await message.nak(nak_delay(message.delivered))
                await asyncio.sleep(_PAUSE_S)

    async def again(self, seq: int) -> str | None:
        """Take a parked message in once more; return why that failed, None where all of it is in."""
        stored = await self._inbox.at(seq)
        if stored is None or stored.subject != subjects.CONTACTS_IN:
            return "the message is no longer there"
        told, problems = intake.read(stored.data)
        await self._apply(told)
        await self._announce()
        if problems:
            return intake.reason(problems, len(told) + len(problems))
        await self.erase(seq)
        return None

    async def erase(self, seq: int) -> None:
        """Overwrite a message in the files of the server; nothing to do where it is gone."""
        try:
            await self._inbox.api("STREAM.MSG.DELETE", {"seq": seq, "no_erase": False})
        except ApiError:
            if await self._inbox.at(seq) is not None:  # else it was erased before
                raise

    async def _take(self, messages: Sequence[PullMessage]) -> None:
        good: list[Told] = []
        parked: set[int] = set()
        for message in messages:
            told, problems = intake.read(message.data)
            good += told
            if problems:
                parked.add(message.seq)
                reason = intake.reason(problems, len(told) + len(problems))
                await park(self._log.nc, "planner", ROLE, subjects.INBOX, message.seq, reason)
                _EVENTS.labels("parked").inc(len(problems))
                logger.warning("parked: %s", reason, extra={"seq": message.seq})
            await asyncio.sleep(0)
        await self._apply(good)
        await self._announce()
        await asyncio.gather(*(self.erase(message.seq) for message in messages if message.seq not in parked))
        step("intake.erased")
        for message in messages:
            await message.ack()

    async def _apply(self, told: Sequence[Told]) -> None:
        for source in sorted({each.source for each in told}):
            of_source = [each for each in told if each.source == source]
            for start in range(0, len(of_source), SLICE):
                await self._apply_slice(source, of_source[start : start + SLICE])

    async def _apply_slice(self, source: str, told: Sequence[Told]) -> None:
        held = await self._hold(told)
        async with self._engine.begin() as conn:
            counts = await sources.apply(conn, told, self._keys, self._providers)
            if counts.stale < len(told):
                event = ContactsSynced(source=source, **asdict(counts)).model_dump_json()
                await conn.execute(insert(conn, NOTES).values(id=new_id(20), event=event))
        _EVENTS.labels("taken").inc(len(told) - counts.stale)
        _EVENTS.labels("stale").inc(counts.stale)
        step("intake.committed")
        for wish, origin in held:
            await self._opt_ins.ask(wish, origin)

    async def _hold(self, told: Sequence[Told]) -> list[tuple[Wish, Origin]]:
        """Block who is about to come onto a list that demands a confirmation; return who is to be asked for it."""
        demanding = await self._opt_ins.demanding()
        held: list[tuple[Wish, Origin]] = []
        for each in told if demanding else ():
            if not isinstance(each.data, ContactUpserted):
                continue
            for address, name in product(each.data.addresses, each.data.lists):
                list_id, key = lists.id_of(name), self._keys.address_key(address)
                command = derived_id("joins", each.source, each.data.id, list_id, str(each.version), key, length=20)
                wish = Wish(address, list_id, "producer", each.data.name)
                origin = Origin(command, "planner", clock.now())
                if list_id in demanding and await self._opt_ins.hold(wish, origin):
                    held.append((wish, origin))
        return held

    async def _announce(self) -> None:
        """Append what was noted to the log; what a crash left is appended by whoever comes next."""
        async with self._reading.connect() as conn:
            notes = [(str(row.id), str(row.event)) for row in await conn.execute(select(NOTES))]
        for note, body in notes:
            event = ContactsSynced.model_validate_json(body)
            part = subjects.partition(hashlib.sha256(event.source.encode()).hexdigest())
            await self._log.append_journal(
                subjects.audience(part), [event], origin=Origin(note, "planner", clock.now())
            )
            step("intake.announced")
            async with self._engine.begin() as conn:
                await conn.execute(delete(NOTES).where(NOTES.c.id == note))
        if notes:
            self._directory.nudge()
