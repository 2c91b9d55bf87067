"""What rules look at, one text a contact (`search_text`): a cache of the contacts, made beside the imports.

A page of which contacts changed is marked (`UNREAD_PAGES`) in the transaction that changed them; so is one of whose
contacts a status was set, before anything is written. `freshen` writes the texts of marked pages that are not as they
should be, a few pages in one short transaction, and takes a mark away unless the page changed again meanwhile. Whoever
is about to ask rules calls it first; imports at their end and housekeeping call it before anybody has to wait. A cache
that is emptied with all pages marked fills itself again. Fields that cannot be read count as none: one contact must not
keep rules from seeing the others.
"""

import time

import orjson
from sqlalchemy import Column, String, Table, Text, delete, func, select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from services.planner.contacts.address_kinds import flags
from services.planner.contacts.contacts import CONTACTS, PAGE, UNREAD_PAGES
from services.planner.contacts.search_text import search_text
from services.planner.schema import METADATA
from services.planner.statuses import standing
from shared.bulk import append_rows, by_index, update_rows
from shared.database import in_turn, reading

SEARCH = Table(
    "contact_search",
    METADATA,
    Column("contact", String(12), primary_key=True),
    Column("text", Text, nullable=False),
    sqlite_with_rowid=False,
)

_AT_ONCE = 4


async def freshen(engine: AsyncEngine, seconds: float | None = None) -> int:
    """Bring the texts up to the contacts, for so many seconds at most; return of how many they are not, about."""
    ends = None if seconds is None else time.monotonic() + seconds
    behind = await standing.note_changes(engine, ends)
    while pages := await _unread(engine):
        if ends is not None and time.monotonic() > ends:
            return behind + pages * PAGE
        await _some(engine)
    return behind


async def _unread(engine: AsyncEngine) -> int:
    async with reading(engine).connect() as conn:
        return int(await conn.scalar(select(func.count()).select_from(UNREAD_PAGES)) or 0)


async def _some(engine: AsyncEngine) -> None:
    u = UNREAD_PAGES.c
    async with engine.begin() as conn:
        await in_turn(conn, "search")
        marked = (await conn.execute(select(u.page, u.changes).order_by(u.page).limit(_AT_ONCE))).all()
        await _write(conn, [page for page, _ in marked])
        for page, changes in marked:
            await conn.execute(delete(UNREAD_PAGES).where(u.page == page, u.changes == changes))


async def _write(conn: AsyncConnection, pages: list[int]) -> None:
    """Write the texts of these pages that are missing or not as they should be."""
    c, s = CONTACTS.c, SEARCH.c
    query = select(c.id, c.address, c.name, c.fields, s.text).outerjoin(SEARCH, s.contact == c.id)
    await by_index(conn)
    rows = (await conn.execute(query.where(c.page.in_(pages)).order_by(c.id))).all()
    statuses = await standing.of_contacts(conn, [row.id for row in rows])
    new, changed = list[tuple[str, str]](), list[tuple[str, str]]()
    for contact, address, name, fields, known in rows:
        text = searched(address, name, fields, statuses.get(contact, ""))
        if text != known:
            (new if known is None else changed).append((contact, text))
    await append_rows(conn, SEARCH, new)
    await update_rows(conn, SEARCH, ("contact", "text"), changed)


def searched(address: str, name: str, fields: str, status: str = "") -> str:
    """Return what rules look at, of a contact with packed fields."""
    return search_text(address, name, _unpacked(fields), flags(address), status)


def _unpacked(fields: str) -> dict[str, str]:
    try:
        found = orjson.loads(fields)
    except orjson.JSONDecodeError:  # none: an import of the contact mends it
        return {}
    return found if isinstance(found, dict) else {}
