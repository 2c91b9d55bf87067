"""Blind copies: of every mail of a mailing that was accepted, one mail of its own goes to the address its author named.

By level, as notices are: a finished chunk whose plan asks for copies owes one chunk of kind `copy`, until it is noted
(`COPIED`) that this is planned, or that there is nothing to plan. Payload first, under the number of the chunk in
`copies_of` the mailing, then the plan, then the note; after a crash in between the payload that is stored is planned,
and planning twice is planning once. What the archive gets shows the customer in To, and neither reads, leaves nor joins
for the customer. Copies go out under the rates of the account, in the common lane, and are counted apart. Where no mail
may go to the address, there are none.
"""

import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, NamedTuple

import orjson
from sqlalchemy import Column, Integer, String, Table, and_, select
from sqlalchemy.ext.asyncio import AsyncEngine

from services.planner.audience.outcome_facts import OUTCOMES
from services.planner.facts import CHUNKS, millis, out_of_all
from services.planner.planning.chunks import LARGEST_PAYLOAD, Planning, by_itself
from services.planner.schema import METADATA, insert
from services.planner.sweeps import Sweeps
from shared import clock
from shared.contracts import subjects
from shared.contracts.content import Content
from shared.contracts.envelope import Commit
from shared.contracts.outcomes import ACCEPTED, OUTCOME
from shared.contracts.sending import ChunkFinished, ChunkPlanned
from shared.database import reading
from shared.eventlog.errors import MissingError
from shared.eventlog.objects import Objects
from shared.eventlog.store import EventLog
from shared.keys import KeyRing
from shared.steps import step

logger = logging.getLogger(__name__)

COPIED = Table(
    "copied_chunks",
    METADATA,
    Column("mailing", String(24), primary_key=True),
    Column("n", Integer, primary_key=True),
    sqlite_with_rowid=False,
)
"""Finished chunks of which nothing more has to be copied."""

GIVEN_UP = timedelta(days=30)
"""Of a chunk that was planned longer ago no copies are made any more."""

_AT_ONCE = 20
_PAUSE_S = 0.5
"""Chunks finish many a second: not a look at all of them for each."""
_FACTS_S = 30.0
_LARGEST = LARGEST_PAYLOAD + 500 * 280
"""Of a payload: each of up to 500 rows holds an address more than the one it is made of."""


@dataclass(frozen=True, slots=True)
class Reach:
    """What copies are made from; `facts_at` waits until the facts hold a sequence."""

    engine: AsyncEngine
    log: EventLog
    planning: Planning
    contents: Objects
    keys: KeyRing
    facts_at: Callable[[int, float], Awaitable[None]]
    sweep_seconds: float


class _Owed(NamedTuple):
    """A chunk whose copies are owed."""

    mailing: str
    n: int
    account: str
    lane: str
    planned: int
    states: bytes


class Copies:
    """Plans the copies that are owed, until cancelled."""

    def __init__(self, reach: Reach) -> None:
        self._reach = reach
        self._reading = reading(reach.engine)
        self._sweeps = Sweeps("copies", self.sweep, reach.sweep_seconds, _PAUSE_S)

    async def on_applied(self, _seq: int, commits: Sequence[Commit]) -> None:
        """Look soon where a chunk finished."""
        if any(isinstance(record.event, ChunkFinished) for commit in commits for record in commit.events):
            self._sweeps.wake()

    async def run(self) -> None:
        """Plan for ever."""
        await self._sweeps.run()

    async def sweep(self) -> None:
        """Plan all that is owed, in the order of plans; what fails is logged, and owed still."""
        last = 0
        while some := await self._owed(last):
            for owed in some:
                try:
                    await self._copy(owed)
                except Exception:  # whatever it was, the others are copied; this one is tried again with the next sweep
                    logger.exception("copies could not be planned", extra={"mailing": owed.mailing, "n": owed.n})
            last = some[-1].planned

    async def _owed(self, after: int) -> list[_Owed]:
        c, o, d = CHUNKS.c, OUTCOMES.c, COPIED.c
        since = millis(clock.now() - GIVEN_UP)
        query = (
            select(c.mailing, c.n, c.account, c.lane, c.planned_seq, o.states)
            .join(OUTCOMES, and_(o.mailing == c.mailing, o.n == c.n))
            .outerjoin(COPIED, and_(d.mailing == c.mailing, d.n == c.n))
            .where(c.copied.is_(True), c.planned_seq > after, c.finished.is_(True), c.planned_at > since, d.n.is_(None))
            .order_by(c.planned_seq)
            .limit(_AT_ONCE)
        )
        async with self._reading.connect() as conn:
            return [_Owed(*row[:5], bytes(row[5])) for row in await conn.execute(query)]

    async def _copy(self, owed: _Owed) -> None:
        """Plan the copies of a chunk and note it, or note that there are none."""
        plan = await self._plan_of(owed)
        content = Content.model_validate_json(await self._reach.contents.get(plan.content))
        key = self._reach.keys.address_key(content.blind_copy)
        checked = await self._reach.log.last_seq(subjects.ALL_CONSENT)
        await self._reach.facts_at(checked, _FACTS_S)
        async with self._reading.connect() as conn:
            why = await out_of_all(conn, key)
        if why:
            logger.warning("no mail may go to the address of the copies", extra={"mailing": owed.mailing})
        elif rows := await self._rows(owed, {"address": content.blind_copy, "address_key": key}):
            copies = subjects.copies_of(owed.mailing)
            stored = await self._reach.planning.put(copies, owed.n, rows, most=_LARGEST)
            step("copy.payload")
            contacts = [orjson.loads(line)["contact"] for line in stored.split(b"\n")]
            wanted = by_itself(copies, "copy", owed.account, plan.content, checked)
            await self._reach.planning.append(replace(wanted, n=owed.n, lane=subjects.REST), contacts, stored)
            step("copy.planned")
        async with self._reach.engine.begin() as conn:
            await conn.execute(insert(conn, COPIED).values(mailing=owed.mailing, n=owed.n).on_conflict_do_nothing())
        step("copy.noted")

    async def _plan_of(self, owed: _Owed) -> ChunkPlanned:
        subject = subjects.plan(owed.mailing, owed.account, owed.lane, owed.n)
        plan = (await self._reach.log.load(subject))[0].events[0].event
        if not isinstance(plan, ChunkPlanned):
            raise TypeError(f"{subject} holds no plan")
        return plan

    async def _rows(self, owed: _Owed, archive: dict[str, str]) -> list[dict[str, Any]]:
        """Return a row for each mail that was accepted, showing the customer; none where they were erased by age."""
        try:
            payload = await self._reach.planning.stored(owed.mailing, owed.n)
        except MissingError:  # there is nothing left to copy
            return []
        people = zip(map(orjson.loads, payload.split(b"\n")), owed.states, strict=True)
        got = (row for row, state in people if state & OUTCOME == ACCEPTED and row["contact"])
        return [row | {"shown": row["address"]} | archive for row in got]
