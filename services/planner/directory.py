"""The directory of people: pages of 256 contacts in PEOPLE, from which reporting knows names and addresses.

Whoever changes a name or an address marks its page in the same transaction. Here the marked pages are published, each
as a whole, and the mark is taken away unless the page changed again meanwhile. A crash publishes a page once more. Of
several planners one publishes at a time: a page read before a change is never published after it.
"""

import asyncio

import orjson
from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncEngine

from services.planner.contacts import CONTACTS, DIRTY_PAGES
from shared.contracts import subjects
from shared.database import alone, reading
from shared.eventlog.documents import Documents

_AT_ONCE = 8
_IDLE_S = 30.0


class Directory:
    """Publishes the pages that changed; `nudge` says that there may be some."""

    def __init__(self, engine: AsyncEngine, people: Documents) -> None:
        self._engine = engine
        self._reading = reading(engine)
        self._people = people
        self._wake = asyncio.Event()

    def nudge(self) -> None:
        """Look for changed pages soon."""
        self._wake.set()

    async def run(self) -> None:
        """Publish for ever; an error of the log ends it, and the process with it, to begin anew."""
        while True:
            self._wake.clear()
            async with alone(self._engine, "directory") as ours:
                while ours and await self.publish():
                    pass
            try:
                async with asyncio.timeout(_IDLE_S):
                    await self._wake.wait()
            except TimeoutError:  # nobody said anything: look all the same
                continue

    async def publish(self) -> int:
        """Publish some of the changed pages; return how many there were."""
        async with self._reading.connect() as conn:
            rows = await conn.execute(select(DIRTY_PAGES.c.page, DIRTY_PAGES.c.changes).limit(_AT_ONCE))
            marked = [(int(row.page), int(row.changes)) for row in rows]
        await asyncio.gather(*(self._publish_page(page) for page, _ in marked))
        if marked:
            async with self._engine.begin() as conn:
                for page, changes in marked:
                    mark = (DIRTY_PAGES.c.page == page) & (DIRTY_PAGES.c.changes == changes)
                    await conn.execute(delete(DIRTY_PAGES).where(mark))
        return len(marked)

    async def _publish_page(self, page: int) -> None:
        c = CONTACTS.c
        async with self._reading.connect() as conn:
            rows = await conn.execute(select(c.id, c.address, c.name).where(c.page == page).order_by(c.id))
            people = [list(row) for row in rows]
        await self._people.replace(subjects.person_page(page), orjson.dumps({"people": people}))
