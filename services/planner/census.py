"""Counts what is on its way, every few seconds, from the facts: chunks by what they wait for, mailings by status.

    waiting   planned, no sender has taken it yet
    sending   taken, its first pass is open
    deferred  passed once; some recipients are tried again later
    parked    cannot go on: its mailing failed, an operator is asked
    stuck     no event for `stuck_seconds` although nothing holds it: not due later, its account not paused

A chunk is in one state. The oldest plan that waits is looked for among those that nothing holds. Only reads, in one
snapshot; while the database is away the last counts stay, and age.
"""

import asyncio
import logging
from collections import Counter
from datetime import timedelta
from typing import get_args

from sqlalchemy import and_, case, func, or_, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from services.planner.facts import ACCOUNTS, CHUNKS, MAILINGS, millis
from services.planner.mailings.mailing import Status
from shared import clock, metrics
from shared.contracts.sending import SINGLE
from shared.database import reading

logger = logging.getLogger(__name__)

STATES = ("waiting", "sending", "deferred", "parked", "stuck")
STATUSES: tuple[str, ...] = tuple(status for status in get_args(Status) if status not in ("none", "deleted"))
EVERY = 10.0

_CHUNKS = metrics.gauge("posthaste_chunks_count", "Chunks that are not finished, by state", ("state",))
_OLDEST = metrics.gauge("posthaste_chunks_oldest_seconds", "Age of the oldest plan that a sender could have taken")
_MAILINGS = metrics.gauge("posthaste_mailings_count", "Mailings by status", ("status",))
_AT = metrics.gauge("posthaste_census_at_seconds", "When chunks and mailings were counted, seconds since 1970")


class Census:
    """Counts for the metrics."""

    def __init__(self, engine: AsyncEngine, *, stuck_seconds: float) -> None:
        self._reading = reading(engine)
        self._stuck = timedelta(seconds=stuck_seconds)

    async def run(self) -> None:
        """Count for ever."""
        while True:
            try:
                await self.count()
            except (SQLAlchemyError, OSError) as error:  # away: count again in a while
                logger.warning("not counted: %s", error)
            await asyncio.sleep(EVERY)

    async def count(self) -> None:
        """Count once and show it."""
        chunks, oldest, mailings = await self.look()
        for state in STATES:
            _CHUNKS.labels(state).set(chunks[state])
        for status in STATUSES:
            _MAILINGS.labels(status).set(mailings[status])
        _OLDEST.set(oldest)
        _AT.set_to_current_time()

    async def look(self) -> tuple[Counter[str], float, Counter[str]]:
        """Return chunks by state, the age in seconds of the oldest that waits, and mailings by status."""
        c, now = CHUNKS.c, clock.now()
        before = millis(now - self._stuck)
        moves = or_(MAILINGS.c.status.in_(("sending", "cancelled", "completed")), c.kind.in_(SINGLE))
        free = or_(ACCOUNTS.c.paused.is_(None), ACCOUNTS.c.paused == "")
        state = case(
            (c.parked != "", "parked"),
            (and_(moves, free, c.started.is_(True), c.last_at < before, c.due_at < before), "stuck"),
            (c.started.is_(False), "waiting"),
            (c.passed.is_(False), "sending"),
            else_="deferred",
        ).label("state")
        query = (
            select(state, func.count(), func.min(case((and_(moves, free), c.planned_at))))
            .outerjoin(MAILINGS, MAILINGS.c.id == c.mailing)
            .outerjoin(ACCOUNTS, ACCOUNTS.c.id == c.account)
            .where(and_(c.finished.is_(False), c.size > 0))
            .group_by(state)
        )
        async with self._reading.connect() as conn:
            rows = (await conn.execute(query)).all()
            statuses = await conn.execute(select(MAILINGS.c.status, func.count()).group_by(MAILINGS.c.status))
            mailings = Counter({str(status): int(many) for status, many in statuses})
        chunks = Counter({str(name): int(many) for name, many, _ in rows})
        first = next((int(first) for name, _, first in rows if name == "waiting" and first), millis(now))
        return chunks, max(0.0, (millis(now) - first) / 1000), mailings
