"""Guessing passwords is made slow: who failed too often waits, twice as long each time, a quarter of an hour at most.

Attempts are counted for an address as seen from one place, for the address from everywhere, and for the place whatever
the address. An attempt counts before it is made, so many at a time gain nothing; success takes back what was counted.
The counts are in SQL, so all planners share them, and are forgotten after an hour of rest.
"""

from datetime import timedelta

from sqlalchemy import BigInteger, Column, Integer, String, Table, case, delete, select, update
from sqlalchemy.ext.asyncio import AsyncEngine

from services.planner.facts import millis
from services.planner.schema import METADATA, insert
from shared import clock

ATTEMPTS = Table(
    "attempts",
    METADATA,
    Column("scope", String(200), primary_key=True),
    Column("failures", Integer, nullable=False),
    Column("at", BigInteger, nullable=False),
)

_FREE_HERE, _FREE_EVERYWHERE, _FREE_PLACE = 5, 50, 30
_LONGEST = 900
_FORGOTTEN = timedelta(hours=1)


class Throttle:
    """Counts attempts to sign in."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def attempt(self, who: str, place: str) -> int:
        """Count an attempt to be `who` from `place`; return how many seconds to wait first, 0 if it may be made now."""
        a = ATTEMPTS.c
        free = {f"{who} {place}": _FREE_HERE, who: _FREE_EVERYWHERE, f" {place}": _FREE_PLACE}
        now, forgotten = millis(clock.now()), millis(clock.now() - _FORGOTTEN)
        mine = a.scope.in_(sorted(free))
        async with self._engine.begin() as conn:
            rows = [{"scope": scope, "failures": 0, "at": 0} for scope in sorted(free)]
            await conn.execute(insert(conn, ATTEMPTS).values(rows).on_conflict_do_nothing())
            counted = select(ATTEMPTS).where(mine).order_by(a.scope).with_for_update()  # others wait for this attempt
            recent = [row for row in await conn.execute(counted) if row.at > forgotten]
            wait = max((_wait(row.failures - free[row.scope], now - row.at) for row in recent), default=0)
            if not wait:
                failures = case((a.at > forgotten, a.failures + 1), else_=1)
                await conn.execute(update(ATTEMPTS).where(mine).values(failures=failures, at=now))
        return wait

    async def succeeded(self, who: str, place: str) -> None:
        """Forget what was counted for `who`, and one attempt from `place`, where others may still be guessing."""
        a = ATTEMPTS.c
        async with self._engine.begin() as conn:
            await conn.execute(delete(ATTEMPTS).where(a.scope.in_([who, f"{who} {place}"])))
            await conn.execute(update(ATTEMPTS).where(a.scope == f" {place}").values(failures=a.failures - 1))

    async def tidy(self) -> None:
        """Forget what is long past."""
        async with self._engine.begin() as conn:
            await conn.execute(delete(ATTEMPTS).where(ATTEMPTS.c.at < millis(clock.now() - _FORGOTTEN)))


def _wait(beyond: int, since_ms: int) -> int:
    """Return the seconds left to wait after `beyond` failures more than are free, the last one `since_ms` ago."""
    if beyond < 0:
        return 0
    pause = min(1 << min(beyond, 10), _LONGEST)
    return max(0, -(-(pause * 1000 - since_ms) // 1000))
