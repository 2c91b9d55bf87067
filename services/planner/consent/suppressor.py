"""From what came back to consent: finds out whose mail it was, and records what follows (back-edge 3).

It works through the facts of what came back in the order of the log, from a mark on; a crash before the mark is set
does the last ones again, which changes nothing (`suppression`). The address of a recipient is the one in the payload of
its chunk; where that is gone, the one its contact has. Of a person who was erased nothing is recorded.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence

import orjson
from sqlalchemy import BigInteger, Column, String, Table, delete, func, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from services.planner.board import Board
from services.planner.consent.returns import RETURNS
from services.planner.consent.suppression import SOFT_WINDOW_DAYS, Return, Standing, Whom, consequences, meant
from services.planner.contacts.contacts import CONTACTS
from services.planner.facts import CHUNKS, SUPPRESSION
from services.planner.planning.chunks import Planning
from services.planner.schema import METADATA, insert
from shared import clock, metrics
from shared.contracts import subjects
from shared.contracts.consent import EVERYTHING
from shared.contracts.envelope import Commit, DomainEvent, Origin
from shared.contracts.sending import ChunkPlanned
from shared.database import reading
from shared.eventlog.errors import EventLogError, MissingError
from shared.eventlog.store import EventLog
from shared.ids import derived_id
from shared.steps import step

logger = logging.getLogger(__name__)

SOFT_BOUNCES = Table(
    "soft_bounces",
    METADATA,
    Column("address_key", String(16), primary_key=True),
    Column("mailing", String(24), primary_key=True),
    Column("at", BigInteger, nullable=False),
)
"""Mailings of which a mail to the address bounced in a way that passes, since it last showed a sign of life."""

_MARK = "returns"
_AT_ONCE = 500
_CHUNKS = 16
_PAUSE_S = 2.0
_FACTS_S = 30.0
_DAY_MS = 86_400_000

_RECORDED = metrics.counter(
    "posthaste_suppressions_total", "Acts recorded for addresses whose mail came back", ("act",)
)

Row = tuple[str, tuple[str, ...]]


class Suppressor:
    """Works through what came back, until cancelled."""

    def __init__(
        self,
        engine: AsyncEngine,
        log: EventLog,
        planning: Planning,
        facts_at: Callable[[int, float], Awaitable[None]],
        most_soft: int,
    ) -> None:
        self._engine = engine
        self._reading = reading(engine)
        self._log = log
        self._planning = planning
        self._board = Board(engine)
        self._facts_at = facts_at
        self._most_soft = most_soft
        self._wake = asyncio.Event()
        self._rows: dict[tuple[str, int], list[Row]] = {}

    async def on_applied(self, _seq: int, commits: Sequence[Commit]) -> None:
        """Look again when something came back."""
        if any(commit.subject.startswith("evt.feedback.") for commit in commits):
            self._wake.set()

    async def run(self) -> None:
        """Work through what came back, for ever."""
        while True:
            try:
                while await self.settle():
                    pass
                await self._wake.wait()
                self._wake.clear()
            except (SQLAlchemyError, EventLogError, OSError, TimeoutError) as error:  # away: from the mark on again
                logger.warning("what came back is looked at again soon: %s", error)
                await asyncio.sleep(_PAUSE_S)

    async def settle(self) -> int:
        """Do the next ones; return how many there were."""
        came = await self._next(await self._board.mark(_MARK))
        acted: dict[str, int] = {}
        for each in came:
            await self._conclude(each, acted)
        if came:
            step("suppressor.appended")
            await self._facts_at(max(acted.values(), default=0), _FACTS_S)
            await self._board.set_mark(_MARK, came[-1].seq)
        return len(came)

    async def _next(self, mark: int) -> list[Return]:
        r = RETURNS.c
        query = select(
            *(r.id, r.seq, r.at, r.what, r.mailing, r.n, r.idx, r.address_key, r.alone, r.reason, r.source)
        ).where(r.seq > mark)
        async with self._reading.connect() as conn:
            rows = list(await conn.execute(query.order_by(r.seq, r.id).limit(_AT_ONCE)))
        found = [Return(*row) for row in rows]
        if len(found) == _AT_ONCE:  # the last commit may go on behind it; one holds at most 200
            found = [each for each in found if each.seq < found[-1].seq]
        return found

    async def _conclude(self, came: Return, acted: dict[str, int]) -> None:
        """Record what follows; `acted` holds the addresses already acted on, with the place of it in the log."""
        person = await self._person(came)
        if person is None:
            return
        key, lists = person
        if key in acted:
            await self._facts_at(acted[key], _FACTS_S)
        soft = await self._count(came, key)
        async with self._reading.connect() as conn:
            standings = await _standings(conn, key, lists)
        events = consequences(came, Whom(key, lists, standings), soft=soft, most_soft=self._most_soft)
        if events:
            acted[key] = await self._append(came, key, events)

    async def _count(self, came: Return, key: str) -> int:
        """Note a bounce that passes, or a sign of life; return how many mailings bounced so in the window."""
        if came.what not in ("soft", "alive"):
            return 0
        s = SOFT_BOUNCES.c
        async with self._engine.begin() as conn:
            if came.what == "alive":
                await conn.execute(delete(SOFT_BOUNCES).where(s.address_key == key, s.at < came.at))
                return 0
            row = insert(conn, SOFT_BOUNCES).values(address_key=key, mailing=came.mailing, at=came.at)
            await conn.execute(row.on_conflict_do_nothing())
            since = came.at - SOFT_WINDOW_DAYS * _DAY_MS
            counted = select(func.count()).select_from(SOFT_BOUNCES).where(s.address_key == key, s.at > since)
            return int(await conn.scalar(counted) or 0)

    async def _append(self, came: Return, key: str, events: Sequence[DomainEvent]) -> int:
        command_id = derived_id("came back", came.id, length=20)
        origin = Origin(command_id, "planner", clock.now(), came.mailing, causation_id=came.id)
        seq = await self._log.append_journal(subjects.consent(subjects.partition(key)), events, origin=origin)
        for event in events:
            _RECORDED.labels(event.TYPE.partition("/")[0].partition(".")[2]).inc()
        return seq

    async def _person(self, came: Return) -> Row | None:
        """Return address key and lists of whoever was mailed, None where nobody is meant or the person was erased."""
        if not came.mailing:
            return (came.address_key, ()) if came.address_key else None
        rows = await self._chunk(came.mailing, came.n)
        found = rows[came.index] if 0 <= came.index < len(rows) else None
        return found if found is not None and found[0] and meant(came, found[0]) else None

    async def _chunk(self, mailing: str, n: int) -> list[Row]:
        """Return address key and lists of each recipient of a chunk; ("", ()) for one that was erased."""
        if (known := self._rows.get((mailing, n))) is not None:
            return known
        try:
            payload = await self._planning.stored(mailing, n)
        except MissingError:  # deleted by its age
            rows = await self._by_contact(mailing, n)
        else:
            told = [orjson.loads(line) for line in payload.split(b"\n") if line]
            rows = [(row.get("address_key", ""), tuple(row.get("lists", ()))) for row in told]
        while len(self._rows) >= _CHUNKS:
            del self._rows[next(iter(self._rows))]
        self._rows[mailing, n] = rows
        return rows

    async def _by_contact(self, mailing: str, n: int) -> list[Row]:
        c = CHUNKS.c
        async with self._reading.connect() as conn:
            query = select(c.account, c.lane, c.kind).where(c.mailing == mailing, c.n == n)
            where = (await conn.execute(query)).one_or_none()
            if where is None or not where[0] or where[2] == "copy":  # a copy did not go to the contact
                return []
            plan = await self._log.load(subjects.plan(mailing, where[0], where[1], n))
            contacts = [
                contact
                for commit in plan
                for record in commit.events
                if isinstance(record.event, ChunkPlanned)
                for contact in record.event.contacts
            ]
            found = await conn.execute(select(CONTACTS.c.id, CONTACTS.c.address_key).where(CONTACTS.c.id.in_(contacts)))
            keys = {row[0]: str(row[1]) for row in found}
        return [(keys.get(contact, ""), ()) for contact in contacts]


async def _standings(conn: AsyncConnection, key: str, lists: Sequence[str]) -> dict[str, Standing]:
    s = SUPPRESSION.c
    rows = await conn.execute(
        select(s.scope, s.blocked, s.reason, s.seq).where(s.address_key == key, s.scope.in_([EVERYTHING, *lists]))
    )
    return {row[0]: Standing(row[1], row[2], int(row[3])) for row in rows}


async def forget_soft(conn: AsyncConnection, key: str) -> None:
    """Begin to count anew for an address."""
    await conn.execute(delete(SOFT_BOUNCES).where(SOFT_BOUNCES.c.address_key == key))
