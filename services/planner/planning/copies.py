"""Blind copies: of every mail of a mailing that was accepted, one mail of its own goes to the address its author named.

By level, as notices are: a finished chunk whose plan asks for copies owes one chunk of kind `copy`, until that is
planned. Payload first, under the number of the chunk in `copies_of` the mailing; then the plan; after a crash in
between the payload that is stored is planned, and planning twice is planning once. What the archive gets shows the
customer in To, and neither reads, leaves nor joins for the customer. Copies go out under the rates of the account, in
the common lane, and are counted apart. Where no mail may go to the address, there are none.
"""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import NamedTuple

import orjson
from sqlalchemy import and_, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from services.planner.audience.outcome_facts import OUTCOMES
from services.planner.facts import CHUNKS, SUPPRESSION, millis
from services.planner.planning.chunks import Planning, by_itself
from shared import clock
from shared.contracts import subjects
from shared.contracts.consent import EVERYTHING
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

GIVEN_UP = timedelta(days=30)
"""Of a chunk that was planned longer ago no copies are made any more."""

_AT_ONCE = 20


@dataclass(frozen=True, slots=True)
class Reach:
    """What copies are made from."""

    engine: AsyncEngine
    log: EventLog
    planning: Planning
    contents: Objects
    keys: KeyRing
    sweep_seconds: float


class _Owed(NamedTuple):
    """A chunk whose copies are owed."""

    mailing: str
    n: int
    account: str
    lane: str
    states: bytes


class Copies:
    """Plans the copies that are owed, until cancelled."""

    def __init__(self, reach: Reach) -> None:
        self._reach = reach
        self._reading = reading(reach.engine)
        self._wake = asyncio.Event()
        self._without: set[tuple[str, int]] = set()

    async def on_applied(self, _seq: int, commits: Sequence[Commit]) -> None:
        """Look at once where a chunk finished."""
        if any(isinstance(record.event, ChunkFinished) for commit in commits for record in commit.events):
            self._wake.set()

    async def run(self) -> None:
        """Plan for ever."""
        while True:
            self._wake.clear()
            try:
                while await self.sweep():
                    pass
            except (SQLAlchemyError, OSError) as error:  # away: the next sweep will do
                logger.warning("copies wait: %s", error)
            try:
                async with asyncio.timeout(self._reach.sweep_seconds):
                    await self._wake.wait()
            except TimeoutError:  # nothing happened: look anyway
                continue

    async def sweep(self) -> bool:
        """Plan some of what is owed, and tell whether any was; what fails is logged, and owed still."""
        done = False
        for owed in await self._owed():
            try:
                done = await self._plan(owed) or done
            except Exception:  # whatever it was, the others are copied; this one is tried again with the next sweep
                logger.exception("copies could not be planned", extra={"mailing": owed.mailing, "n": owed.n})
        return done

    async def _owed(self) -> list[_Owed]:
        c, o, copy = CHUNKS.c, OUTCOMES.c, CHUNKS.alias()
        planned = and_(copy.c.mailing == c.mailing.concat(subjects.COPIES), copy.c.n == c.n, copy.c.size > 0)
        since = millis(clock.now() - GIVEN_UP)
        query = (
            select(c.mailing, c.n, c.account, c.lane, o.states)
            .join(OUTCOMES, and_(o.mailing == c.mailing, o.n == c.n))
            .outerjoin(copy, planned)
            .where(c.copied.is_(True), c.finished.is_(True), c.accepted > 0, c.planned_at > since, copy.c.n.is_(None))
            .order_by(c.planned_seq)
            .limit(_AT_ONCE + len(self._without))
        )
        async with self._reading.connect() as conn:
            rows = [_Owed(*row[:4], bytes(row[4])) for row in await conn.execute(query)]
        return [row for row in rows if (row.mailing, row.n) not in self._without][:_AT_ONCE]

    async def _plan(self, owed: _Owed) -> bool:
        plans = await self._reach.log.load(subjects.plan(owed.mailing, owed.account, owed.lane, owed.n))
        plan = plans[0].events[0].event
        if not isinstance(plan, ChunkPlanned):
            raise TypeError(f"{subjects.plan(owed.mailing, owed.account, owed.lane, owed.n)} holds no plan")
        content = Content.model_validate_json(await self._reach.contents.get(plan.content))
        key = self._reach.keys.address_key(content.blind_copy)
        if await self._out(key):
            logger.warning("no mail may go to the address of the copies", extra={"mailing": owed.mailing})
            self._without.add((owed.mailing, owed.n))
            return False
        checked = await self._reach.log.last_seq(subjects.ALL_CONSENT)
        try:
            payload = await self._reach.planning.stored(owed.mailing, owed.n)
        except MissingError:  # erased by its age: there is nothing left to copy
            self._without.add((owed.mailing, owed.n))
            return False
        rows = []
        for line, state in zip(payload.split(b"\n"), owed.states, strict=True):
            row = orjson.loads(line)
            if state & OUTCOME == ACCEPTED and row["contact"]:
                rows.append(row | {"shown": row["address"], "address": content.blind_copy, "address_key": key})
        if not rows:
            self._without.add((owed.mailing, owed.n))
            return False
        copies = subjects.copies_of(owed.mailing)
        stored = await self._reach.planning.put(copies, owed.n, rows)
        step("copy.payload")
        contacts = [orjson.loads(line)["contact"] for line in stored.split(b"\n")]
        wanted = by_itself(copies, "copy", owed.account, plan.content, checked)
        await self._reach.planning.append(replace(wanted, n=owed.n, lane=subjects.REST), contacts, stored)
        step("copy.planned")
        return True

    async def _out(self, key: str) -> bool:
        s = SUPPRESSION.c
        out = select(s.blocked).where((s.address_key == key) & (s.scope == EVERYTHING) & (s.blocked != ""))
        async with self._reading.connect() as conn:
            return bool(await conn.scalar(out))
