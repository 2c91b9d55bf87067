"""What rules look at follows the contacts: whatever was imported, in whatever order, and while others change them."""

import asyncio
import random
from collections.abc import Sequence

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncEngine

from services.planner.contacts import contacts, search
from services.planner.contacts.contacts import CONTACTS, PAGE, UNREAD_PAGES
from services.planner.contacts.incoming import Incoming, incoming
from services.planner.contacts.search import SEARCH, searched
from services.planner.schema import METADATA
from shared.database import create_tables
from tests.harness.databases import Database

_PEOPLE = 3 * PAGE


def _someone(number: int, city: str) -> Incoming:
    return incoming(f"p{number}@shop.example", f"{number:016d}", f"Person {number}", {"city": city})


async def _put(engine: AsyncEngine, rows: Sequence[Incoming]) -> None:
    async with engine.begin() as conn:
        await contacts.upsert(conn, rows)


async def _wrong(engine: AsyncEngine) -> int:
    """Return how many contacts rules do not see as they are."""
    c, s = CONTACTS.c, SEARCH.c
    async with engine.connect() as conn:
        rows = await conn.execute(select(c.address, c.name, c.fields, s.text).outerjoin(SEARCH, s.contact == c.id))
        wrong = sum(text != searched(*contact) for *contact, text in rows)
        assert await conn.scalar(select(func.count()).select_from(SEARCH)) in {0, _PEOPLE}
        return wrong


async def test_rules_see_what_was_taken_in(database: Database) -> None:
    """New and changed contacts, once they were asked for; what did not change is not written again."""
    engine = await database.fresh("planner")
    await create_tables(engine, METADATA)
    await _put(engine, [_someone(number, "Athens") for number in range(_PEOPLE)])
    assert await search.freshen(engine, 0) == _PEOPLE
    assert await _wrong(engine) == _PEOPLE
    assert await search.freshen(engine) == 0
    assert await _wrong(engine) == 0
    await _put(engine, [_someone(number, "Larissa") for number in range(0, _PEOPLE, 50)])
    assert await _wrong(engine) == len(range(0, _PEOPLE, 50))
    assert await search.freshen(engine) == 0
    assert await _wrong(engine) == 0
    await engine.dispose()


async def test_a_change_meanwhile_is_seen(database: Database) -> None:
    """Contacts change while others are at it: in the end nothing is left, and nothing is wrong."""
    engine = await database.fresh("planner")
    await create_tables(engine, METADATA)
    await _put(engine, [_someone(number, "Athens") for number in range(_PEOPLE)])
    chance = random.Random(7)

    async def change() -> None:
        for city in ("Larissa", "Volos", "Patras", "Chania"):
            await _put(engine, [_someone(number, city) for number in chance.sample(range(_PEOPLE), 40)])

    await asyncio.gather(change(), search.freshen(engine), change(), search.freshen(engine), change())
    assert await search.freshen(engine) == 0
    assert await _wrong(engine) == 0
    async with engine.connect() as conn:
        assert await conn.scalar(select(func.count()).select_from(UNREAD_PAGES)) == 0
    await engine.dispose()
