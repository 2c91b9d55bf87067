"""Intake: what producers publish becomes contacts on lists (`in.contacts`) and activities (`in.activities`).

Messages are pulled from INBOX by a durable that all planners share. Their events are taken in slice by slice, each a
short transaction that also notes its counts; the counts are then appended to the log, the messages erased and
acknowledged. A crash anywhere in between takes a message in once more, which changes nothing. A message with an event
that does not fit is parked with the field at fault, after its good events were taken in, and can be handed back. While
database or log are away messages go back and come again.
"""

import asyncio
import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict
from functools import partial
from itertools import product

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from services.planner.consent.opt_ins import OptIns, Wish
from services.planner.contacts import activities, lists, relations, sources
from services.planner.contacts.directory import Directory
from services.planner.intake import intake_notes
from shared import clock, metrics
from shared.contracts import activities as told_activities
from shared.contracts import intake, subjects
from shared.contracts.activities import Activity
from shared.contracts.audience import ActivitiesTold, ContactsSynced
from shared.contracts.envelope import Origin
from shared.contracts.intake import ContactUpserted, Problem, Told
from shared.contracts.records import KINDS
from shared.eventlog.errors import ConsumerGoneError, UnavailableError, UnknownOutcomeError
from shared.eventlog.pull import Pull, PullMessage
from shared.eventlog.reader import ApiError, Reader
from shared.eventlog.store import EventLog
from shared.ids import derived_id
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
        kinds: Collection[str] = KINDS,
    ) -> None:
        self._engine = engine
        self._log = log
        self._keys = keys
        self._directory = directory
        self._opt_ins = opt_ins
        self._providers = providers
        self._inbox = Reader(log.nc, subjects.INBOX)
        self._read: Mapping[str, Callable[[bytes], tuple[Sequence[Told | Activity], list[Problem]]]] = {
            subjects.CONTACTS_IN: partial(intake.read, kinds=kinds),
            subjects.ACTIVITIES_IN: told_activities.read,
        }

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
        if stored is None or stored.subject not in self._read:
            return "the message is no longer there"
        told, problems = self._read[stored.subject](stored.data)
        await self._apply(told)
        await self._announce()
        if problems:
            return intake.reason(problems, len(told) + len(problems))
        await self.erase(seq)
        return None

    async def tell(self, told: Sequence[Told]) -> None:
        """Take in what was told otherwise than by a message."""
        await self._apply(told)
        await self._announce()

    async def erase(self, seq: int) -> None:
        """Overwrite a message in the files of the server; nothing to do where it is gone."""
        try:
            await self._inbox.api("STREAM.MSG.DELETE", {"seq": seq, "no_erase": False})
        except ApiError:
            if await self._inbox.at(seq) is not None:  # else it was erased before
                raise

    async def _take(self, messages: Sequence[PullMessage]) -> None:
        good: list[Told | Activity] = []
        parked: set[int] = set()
        for message in messages:
            told, problems = self._read[message.subject](message.data)
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

    async def _apply(self, told: Sequence[Told | Activity]) -> None:
        for source in sorted({each.source for each in told}):
            records = [each for each in told if each.source == source and isinstance(each, Told)]
            for start in range(0, len(records), SLICE):
                await self._apply_slice(source, records[start : start + SLICE])
            happened = [each for each in told if each.source == source and isinstance(each, Activity)]
            for some in activities.slices(happened):
                await self._apply_activities(source, some)
        if await relations.settle(self._engine):
            self._directory.nudge()

    async def _apply_activities(self, source: str, told: Sequence[Activity]) -> None:
        async with self._engine.begin() as conn:
            counts = await activities.apply(conn, told, self._keys)
            if counts.stale < len(told):
                await intake_notes.note(conn, ActivitiesTold(source=source, **asdict(counts)))
        _EVENTS.labels("taken").inc(len(told) - counts.stale)
        _EVENTS.labels("stale").inc(counts.stale)
        step("intake.committed")

    async def _apply_slice(self, source: str, told: Sequence[Told]) -> None:
        held = await self._hold(told)
        async with self._engine.begin() as conn:
            counts = await sources.apply(conn, told, self._keys, self._providers)
            if counts.stale < len(told):
                await intake_notes.note(conn, ContactsSynced(source=source, **asdict(counts)))
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
        if await intake_notes.announce(self._engine, self._log):
            self._directory.nudge()
