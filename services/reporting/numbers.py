"""The numbers of mailings and campaigns as the live streams give them: read once for all who listen to the same."""

import asyncio
from collections.abc import Iterable, Sequence

from sqlalchemy.ext.asyncio import AsyncEngine

from services.reporting import queries
from services.reporting.changes import Changed
from services.reporting.queries import Data
from shared.clock import now
from shared.database import reading
from shared.eventlog.projector import Projector

_ROOM = 2_000


class Numbers:
    """Reads what was not read yet at this position of the views."""

    def __init__(self, engine: AsyncEngine, projector: Projector) -> None:
        self._reading = reading(engine)
        self._projector = projector
        self._turn = asyncio.Lock()
        self._known: dict[Changed, tuple[int, Data]] = {}  # what was read last, and at which position

    @property
    def position(self) -> int:
        """Up to where in the log the views stand."""
        return self._projector.position

    async def everything(self) -> list[Changed]:
        """Return all campaigns and mailings there are."""
        async with self._reading.connect() as conn:
            mailings = await queries.ids(conn)
            campaigns = [row["campaign"] for row in await queries.campaigns(conn)]
        return [*(("campaign", campaign) for campaign in campaigns), *(("mailing", mailing) for mailing in mailings)]

    async def read(self, wanted: Sequence[Changed]) -> dict[Changed, Data]:
        """Return what is known of them; what is not known is left out."""
        async with self._turn:
            position = self._projector.position
            old = [each for each in wanted if self._known.get(each, (-1, {}))[0] < position]
            fresh = await self._fresh(old) if old else {}
            known = {each: self._known[each][1] for each in wanted if each in self._known} | fresh
            if len(self._known) + len(fresh) > _ROOM:  # who listens to everything would fill it for good
                self._known.clear()
            self._known |= {each: (position, data) for each, data in fresh.items()}
            return known

    def forget(self, stale: Iterable[Changed]) -> None:
        """Read these anew, though the log did not move."""
        for each in stale:
            self._known.pop(each, None)

    async def _fresh(self, wanted: Sequence[Changed]) -> dict[Changed, Data]:
        mailings = [each for kind, each in wanted if kind == "mailing"]
        campaigns = {each for kind, each in wanted if kind == "campaign"}
        async with self._reading.connect() as conn:
            told = await queries.statuses(conn, mailings, now().timestamp()) if mailings else {}
            rows = await queries.campaigns(conn) if campaigns else []
        found: dict[Changed, Data] = {("mailing", each): data for each, data in told.items()}
        return found | {("campaign", row["campaign"]): row for row in rows if row["campaign"] in campaigns}
