"""How the versions of an A/B test did with their parts of the sample: sent, opened and clicked, as people do.

Looked up in what became of each mail (`outcomes`), which is brought up to the log first: a hit that was recorded before
is counted, wherever it was projected.
"""

from collections.abc import Awaitable, Callable

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncEngine

from services.planner.audience import outcomes
from services.planner.audience.freezing import Freezer
from services.planner.audience.frozen_rows import PIECES
from services.planner.audience.outcomes import RESULTS
from services.planner.mailings.mailing_state import Mailing
from shared.contracts.mailing_settings import Figures
from shared.contracts.outcomes import ACCEPTED, NAMES
from shared.database import reading
from shared.eventlog.store import EventLog

_FACTS_S = 30.0


class VersionFigures:
    """Counts them."""

    def __init__(
        self, engine: AsyncEngine, log: EventLog, freezer: Freezer, facts_at: Callable[[int, float], Awaitable[None]]
    ) -> None:
        self._engine = engine
        self._log = log
        self._freezer = freezer
        self._facts_at = facts_at

    async def of(self, mailing: str, state: Mailing) -> dict[str, Figures]:
        """Return the figures by version, as of now; nothing where there is no sample."""
        if state.draft is None or state.draft.ab_test is None or state.audience is None:
            return {}
        await self._facts_at((await self._log.bounds()).last_seq, _FACTS_S)
        await outcomes.freshen(self._engine)
        audience = await self._freezer.ensure_cached(mailing, state.audience.object)
        p, r = PIECES.c, RESULTS.c
        read = func.coalesce(r.opened_at, r.clicked_at)  # whoever clicked has read it, images or not
        query = (
            select(p.version, func.count(), func.count(read), func.count(r.clicked_at))
            .join(RESULTS, (r.n == p.n) & (r.mailing == mailing) & (r.outcome == NAMES[ACCEPTED]))
            .where(p.audience == audience, p.version != "")
            .group_by(p.version)
        )
        async with reading(self._engine).connect() as conn:
            found = {row[0]: Figures(sent=row[1], opened=row[2], clicked=row[3]) for row in await conn.execute(query)}
        return {letter: found.get(letter, Figures()) for letter in state.draft.ab_test.letters}
