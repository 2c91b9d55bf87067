"""What dry runs keep of the recipients' data, and when it goes.

A mailing stands on the last run that its log says was finished; an approval may have pinned that one, so it stays until
the mailing is at its end or another run was finished. All others go. The log alone judges: the facts may be behind it,
or be made anew. A crash in between leaves payloads whose rows still name them, to be erased the next time.
"""

from typing import Any

import orjson
from sqlalchemy import Row as SqlRow
from sqlalchemy import or_, select, update
from sqlalchemy.ext.asyncio import AsyncEngine

from services.planner.mailings.dry_run_facts import DRY_RUNS, UNDER_WAY
from services.planner.mailings.mailing import FINAL, Mailing, MailingDecider
from services.planner.planning.chunks import Planning
from shared.contracts import subjects
from shared.database import reading
from shared.eventlog.store import EventLog

Run = tuple[str, int]
"""Its id, and how many chunks it has."""


async def mailing_of(log: EventLog, mailing: str) -> Mailing:
    """Return a mailing as the log has it."""
    decider, state = MailingDecider(), Mailing()
    for commit in await log.load(subjects.mailing(mailing)):
        for record in commit.events:
            state = decider.evolve(state, record.event)
    return state


def kept_by(row: SqlRow[Any]) -> list[Run]:
    """Return the runs that a row says kept something, but for one that is under way: nothing stands on it yet."""
    last = [(row.run, row.chunks)] if row.kept and row.state not in UNDER_WAY else []
    return [(run, chunks) for run, chunks in orjson.loads(row.old)] + last


class Keeping:
    """Erases what is kept and no longer stands for a plan."""

    def __init__(self, engine: AsyncEngine, log: EventLog, planning: Planning) -> None:
        self._engine = engine
        self._log = log
        self._planning = planning

    async def tidy(self) -> int:
        """Look at all mailings; return of how many runs something was erased."""
        d = DRY_RUNS.c
        async with reading(self._engine).connect() as conn:
            rows = (await conn.execute(select(DRY_RUNS).where(or_(d.kept.is_(True), d.old != "[]")))).all()
        return sum([await self.sweep(row) for row in rows])

    async def sweep(self, row: SqlRow[Any]) -> int:
        """Erase what the runs of one mailing kept, but for the one it stands on; return of how many."""
        state = await mailing_of(self._log, row.mailing)
        if state.status == "none":  # a log that ends before it, as after a restore, cannot say what is needed
            return 0
        stands = state.dry_run.run if state.dry_run is not None and state.status not in FINAL else ""
        over = [(run, chunks) for run, chunks in kept_by(row) if run != stands]
        if not over:
            return 0
        for run, chunks in over:
            for n in range(chunks):
                await self._planning.erase(run, n)
        gone = {run for run, _ in over}
        old = [each for each in orjson.loads(row.old) if each[0] not in gone]
        d = DRY_RUNS.c
        here = (d.mailing == row.mailing) & (d.run == row.run) & (d.old == row.old)  # not begun anew meanwhile
        left = {"kept": row.kept and row.run not in gone, "old": orjson.dumps(old).decode()}
        async with self._engine.begin() as conn:
            await conn.execute(update(DRY_RUNS).where(here).values(left))
        return len(over)
