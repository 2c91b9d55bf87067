"""The directory: pages of 256 contacts in PEOPLE, from which reporting knows names and addresses; names of lists.

Whoever changes a name or an address marks its page in the same transaction. Here the marked pages are published, each
as a whole, and the mark is taken away unless the page changed again meanwhile. A crash publishes a page once more. Of
several planners one publishes at a time: a page read before a change is never published after it.
"""

import asyncio
import logging
from collections.abc import Iterator
from contextlib import contextmanager

import orjson
from sqlalchemy import delete, func, select
from sqlalchemy.ext.asyncio import AsyncEngine

from services.planner.contacts import claims, sources
from services.planner.contacts.contacts import CONTACTS, DIRTY_PAGES
from services.planner.contacts.lists import LISTS
from shared.contracts import subjects
from shared.database import alone, reading
from shared.eventlog.documents import Documents

logger = logging.getLogger(__name__)

_AT_ONCE = 8
_IDLE_S = 30.0
_LOOK_AGAIN_S = 0.05


class Directory:
    """Publishes the pages that changed; `nudge` says that there may be some."""

    def __init__(self, engine: AsyncEngine, people: Documents) -> None:
        self._engine = engine
        self._reading = reading(engine)
        self._people = people
        self._wake = asyncio.Event()
        self._publishing = asyncio.Lock()
        self._imports = 0
        self._named: set[str] = set()

    @contextmanager
    def later(self) -> Iterator[None]:
        """Publish only what is waited for meanwhile: an import changes its pages again and again."""
        self._imports += 1
        try:
            yield
        finally:
            self._imports -= 1
            self.nudge()

    def nudge(self) -> None:
        """Look for changed pages soon."""
        self._wake.set()

    async def run(self) -> None:
        """Publish for ever; an error of the log ends it, and the process with it, to begin anew."""
        while True:
            self._wake.clear()
            await self.flush(unasked=True)
            try:
                async with asyncio.timeout(_IDLE_S):
                    await self._wake.wait()
            except TimeoutError:  # nobody said anything: look all the same
                continue

    async def flush(self, *, unasked: bool = False) -> None:
        """Publish every marked page, unless another planner does, or nobody asked and an import is under way."""
        async with self._publishing, alone(self._engine, "directory") as ours:
            while ours and not (unasked and self._imports) and await self.publish():
                pass

    async def settled(self, seconds: float = 60.0) -> None:
        """Return when the pages that are marked now were published, by whichever planner; so many seconds at most."""
        waiting = await self._marked()
        try:
            async with asyncio.timeout(seconds):
                while waiting:
                    await self.flush()
                    waiting &= await self._marked()
                    await asyncio.sleep(_LOOK_AGAIN_S if waiting else 0)
        except TimeoutError:  # names and external ids come later then, or stay as they were
            logger.warning("%d pages of the directory are not published after %g s", len(waiting), seconds)

    async def _marked(self) -> set[int]:
        async with self._reading.connect() as conn:
            return set(await conn.scalars(select(DIRTY_PAGES.c.page)))

    async def publish(self) -> int:
        """Publish some of the changed pages, and what new lists are called; return how many pages there were."""
        await self._name_lists()
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

    async def _name_lists(self) -> None:
        """Tell what lists are called, for pages and reports; a list never changes its name."""
        async with self._reading.connect() as conn:
            if await conn.scalar(select(func.count()).select_from(LISTS)) == len(self._named):
                return
            rows = [(str(row.id), str(row.name)) for row in await conn.execute(select(LISTS.c.id, LISTS.c.name))]
        for list_id, name in rows:
            if list_id not in self._named:
                await self._people.put_once(subjects.person_list(list_id), orjson.dumps({"name": name}))
                self._named.add(list_id)

    async def _publish_page(self, page: int) -> None:
        c = CONTACTS.c
        async with self._reading.connect() as conn:
            rows = await conn.execute(select(c.id, c.address, c.name).where(c.page == page).order_by(c.id))
            found = [tuple(row) for row in rows]
            owners = await sources.owners(conn, [contact for contact, *_ in found])
            slots = await claims.slots_of(conn, [contact for contact, *_ in found])
            customers = await claims.records_of(conn, [contact for contact, *_ in found])
        people: list[tuple[str, ...]] = []
        for contact, *person in found:
            slot = min(slots.get(contact, {1}))
            more = [
                *owners.get(contact, ("", "")),
                claims.name_of(slot) if slot > 1 else "",
                customers.get(contact, ""),
            ]
            while more and not more[-1]:  # most have none of it
                more.pop()
            people.append((contact, *person, *more))
        await self._people.replace(subjects.person_page(page), orjson.dumps({"people": people}))
