"""The guard: a log or a database that was restored sends nothing by itself until an operator confirms it.

It compares the log with what this database, the WITNESS bucket and other services remember of it, at the start and
every few seconds. While one of them differs (`why`), every mailing that could send is paused with the reason `log
restored`, work on the log waits (`then`), and commands are refused but those that make it quieter. `confirm` gives the
log a new name, which everybody takes over, and lets the mailings go on that the guard had paused (G13, decision 0015).
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass

import orjson
from sqlalchemy.exc import SQLAlchemyError

from services.planner.accounts.account import Account, AccountDecider
from services.planner.idempotency import Act
from services.planner.mailings.mailing import Mailing, MailingDecider
from services.planner.mailings.orders import Command, Pause, Resume
from services.planner.memories import Known, Memories
from shared import clock
from shared.contracts import subjects
from shared.contracts.commands import Refusal
from shared.contracts.envelope import Origin
from shared.contracts.log import RESTORED, LogContinued
from shared.eventlog.errors import EventLogError
from shared.eventlog.handling import handle
from shared.eventlog.incarnation import Identity, Memory, identify, judge
from shared.eventlog.keys import Bucket
from shared.eventlog.metrics import LOG_RESTORED
from shared.eventlog.store import EventLog
from shared.ids import new_id

logger = logging.getLogger(__name__)

EVERY = 10.0
WHILE_HELD = 0.5
_KEY = "planner"
_MOVING = ("scheduled", "sending", "waiting")


@dataclass(frozen=True, slots=True)
class Note:
    """How far the planner's database was, kept in WITNESS, outside of it."""

    incarnation: str
    seq: int
    event_id: str
    imports: int

    @property
    def memory(self) -> Memory:
        """What it says of the log."""
        return Memory(self.incarnation, self.seq, self.event_id)


@dataclass(frozen=True, slots=True)
class Continued:
    """What a confirmation did. `left`: mailings that stay paused, and why."""

    incarnation: str
    position: int
    resumed: list[str]
    left: dict[str, str]


class Guard:
    """Watches over one log and one database.

    Attributes:
        why: Who remembers another log, and how; empty while all agree.
        incarnation: Name of the log at the last look.
    """

    def __init__(self, log: EventLog, kept: Memories, witness: Bucket) -> None:
        self.why: dict[str, str] = {}
        self.incarnation = ""
        self._log = log
        self._kept = kept
        self._witness = witness
        self._looked = asyncio.Event()
        self._trusted = asyncio.Event()
        self._turn = asyncio.Lock()
        self._held = False
        self._before: Known | None = None

    async def run(self) -> None:
        """Look for ever; what cannot be asked leaves the word as it was."""
        while True:
            try:
                await self.look()
            except (EventLogError, SQLAlchemyError, OSError) as error:  # away: looked at again
                logger.warning("the log could not be compared: %s", error)
            await asyncio.sleep(EVERY if self._trusted.is_set() else WHILE_HELD)

    async def then(self, work: Callable[[], Awaitable[None]]) -> None:
        """Do `work` once the log may be trusted."""
        await self._trusted.wait()
        await work()

    async def word(self) -> dict[str, str]:
        """Return `why`, once there was a look."""
        await self._looked.wait()
        return self.why

    async def look(self) -> None:
        """Compare, then hold everything or let it go on."""
        async with self._turn:
            await self._look()

    async def hear(self, who: str, memory: Memory) -> None:
        """Take in what another service remembers, and look at once where that is another log."""
        if await judge(self._log, await identify(self._log), memory):
            await self._kept.report(who, memory)
            await self.look()

    async def confirm(self, act: Act, *, keep_paused: bool) -> Continued:
        """Give the log a new name where somebody differs; resume what the guard paused. Repeated it does the rest."""
        async with self._turn:
            await self._look()
            if self.why:
                await self._rename(act)
                await self._look()
        resumed: list[str] = []
        left: dict[str, str] = {}
        for mailing, state in [] if keep_paused else await self._mailings():
            if state.status == "paused" and state.reason == RESTORED:
                order = Resume(clock.now(), await self._account(state))
                if refusal := await self._order(mailing, order, act.principal):
                    left[mailing] = refusal.message
                else:
                    resumed.append(mailing)
        position = (await self._log.bounds()).last_seq
        return Continued(self.incarnation, position, resumed, left)

    async def remember(self) -> None:
        """Note at the stop how far the database is: an older one is found out by it."""
        if self._trusted.is_set():
            await self._put_note(self.incarnation, await self._kept.known())

    async def _look(self) -> None:
        note = await self._note()
        known = await self._kept.known()  # after the note: another planner may write both meanwhile
        identity = await identify(self._log)  # last: the log may grow, and the database with it, while they are read
        why = {who: text for who, text in await self._differences(identity, note, known) if text}
        if why and why != self.why:
            logger.error("nothing is sent: %s", "; ".join(f"{who}: {text}" for who, text in why.items()))
        self.incarnation, self.why = identity.incarnation, why
        LOG_RESTORED.set(bool(why))
        self._looked.set()
        if why:
            self._trusted.clear()
            if not self._held:
                await self._hold()
                self._held = True
            return
        self._held = False
        await self._agree(identity, note, known)
        self._trusted.set()

    async def _differences(self, identity: Identity, note: Note | None, known: Known) -> list[tuple[str, str]]:
        own = known.memory if known.memory.incarnation else Memory(identity.incarnation)
        found = [("planner", await judge(self._log, identity, own))]
        if note is not None:
            found.append(("witness", await judge(self._log, identity, note.memory)))
            if note.incarnation == identity.incarnation:
                found.append(("database", _older(known, note)))
        return found + [(who, await judge(self._log, identity, said)) for who, said in known.reports.items()]

    async def _agree(self, identity: Identity, note: Note | None, known: Known) -> None:
        """Take over the name of the log, and note how far the database was a look ago (what it surely keeps)."""
        for who in known.reports:  # each of them agrees by now
            await self._kept.forget(who)
        at = known.memory
        if at.seq and await judge(self._log, identity, Memory(identity.incarnation, at.seq, at.event_id)):
            await self._kept.begin_again()
            known = await self._kept.known()
        if known.memory.incarnation != identity.incarnation:
            await self._kept.adopt(identity.incarnation)
        if note is None or note.incarnation != identity.incarnation:
            self._before = known
        if self._before is not None:
            await self._put_note(identity.incarnation, self._before)
        self._before = known

    async def _note(self) -> Note | None:
        entry = await self._witness.get(_KEY)
        return None if entry is None else Note(**orjson.loads(entry[0]))

    async def _put_note(self, incarnation: str, known: Known) -> None:
        entry = await self._witness.get(_KEY)
        note = Note(incarnation, known.memory.seq, known.memory.event_id, known.imports)
        before = None if entry is None else Note(**orjson.loads(entry[0]))
        known_better = before is not None and before.incarnation == incarnation
        if before is not None and known_better and before.seq >= note.seq and before.imports >= note.imports:
            return
        await self._witness.swap(_KEY, orjson.dumps(asdict(note)), entry[1] if entry else 0)

    async def _rename(self, act: Act) -> None:
        note, known, identity = await self._note(), await self._kept.known(), await identify(self._log)
        names = {identity.incarnation, identity.stream, known.memory.incarnation, *identity.supersedes}
        names |= {said.incarnation for said in known.reports.values()}
        names |= {note.incarnation} if note else set()
        continued = LogContinued(
            incarnation=new_id(16), stream=identity.stream, supersedes=sorted(names - {""}), end=identity.last_seq
        )
        expected = await self._log.last_seq(subjects.LOG)
        await self._log.append(subjects.LOG, [continued], expected=expected, origin=act.origin())
        logger.warning("the log goes on as %s", continued.incarnation)

    async def _hold(self) -> None:
        """Pause whatever could send, by the log alone: the facts may be those of another one."""
        for mailing, state in await self._mailings():
            if state.status in _MOVING:
                await self._order(mailing, Pause(RESTORED))

    async def _order(self, mailing: str, order: Command, principal: str = "") -> Refusal | None:
        origin = Origin(new_id(20), "planner", clock.now(), correlation_id=mailing, principal=principal)
        done = await handle(self._log, MailingDecider(), subjects.mailing(mailing), order, origin)
        if isinstance(done, Refusal):
            logger.warning("%s: %s", type(order).__name__, done.message, extra={"mailing": mailing})
            return done
        return None

    async def _mailings(self) -> list[tuple[str, Mailing]]:
        decider, states = MailingDecider(), dict[str, Mailing]()
        async for commits in self._log.scan([subjects.ALL_MAILINGS]):
            for commit in commits:
                mailing = commit.subject.split(".")[2]
                for record in commit.events:
                    states[mailing] = decider.evolve(states.get(mailing, decider.initial()), record.event)
        return list(states.items())

    async def _account(self, state: Mailing) -> Account:
        decider = AccountDecider()
        account = decider.initial()
        for commit in await self._log.load(subjects.account(state.draft.account)) if state.draft else ():
            for record in commit.events:
                account = decider.evolve(account, record.event)
        return account


def _older(known: Known, note: Note) -> str:
    if known.memory.seq < note.seq:
        return f"the planner's database is at seq {known.memory.seq} of the log, it was at {note.seq} before"
    if known.imports < note.imports:
        return f"the planner's database knows {known.imports} imports of contacts, it knew {note.imports} before"
    return ""
