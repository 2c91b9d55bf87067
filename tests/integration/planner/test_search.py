"""What rules look at follows the contacts: whatever was imported, in whatever order, and while others change them."""

import asyncio
import random
from collections.abc import Sequence

from sqlalchemy import func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncEngine

from services.planner.contacts import contacts, search
from services.planner.contacts.contacts import CONTACTS, PAGE, UNREAD_PAGES
from services.planner.contacts.incoming import Incoming, incoming
from services.planner.contacts.search import SEARCH, searched
from services.planner.memories import Memories
from services.planner.schema import METADATA
from services.planner.statuses.status_facts import STATUSES
from shared.database import create_tables
from shared.eventlog import checkpoints
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
        wrong: int = sum(text != searched(*contact) for *contact, text in rows)
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


async def test_fields_that_cannot_be_read_keep_nobody_else_from_being_seen(database: Database) -> None:
    """Who has such counts as having none; the rest of the page is as it should be."""
    engine = await database.fresh("planner")
    await create_tables(engine, METADATA)
    await _put(engine, [_someone(number, "Athens") for number in range(3)])
    async with engine.begin() as conn:
        await conn.execute(update(CONTACTS).where(CONTACTS.c.address == "p1@shop.example").values(fields="{broken"))
    assert await search.freshen(engine) == 0
    async with engine.connect() as conn:
        texts = list(await conn.scalars(select(SEARCH.c.text)))
    assert sorted("athens" in text.lower() for text in texts) == [False, True, True]
    await engine.dispose()


async def _set(engine: AsyncEngine, seq: int, address: str, status: str) -> None:
    """Let a campaign of its own set the status of a contact, by an event at `seq`."""
    c = CONTACTS.c
    async with engine.begin() as conn:
        contact = await conn.scalar(select(c.id).where(c.address == address))
        row = {"campaign": f"c{seq}", "contact": contact, "outcome": "sent", "status": status, "at": seq, "seq": seq}
        await conn.execute(insert(STATUSES).values(row))


async def _seen(engine: AsyncEngine) -> dict[str, str]:
    """Return the texts that hold a status of these tests, by address."""
    c, s = CONTACTS.c, SEARCH.c
    async with engine.connect() as conn:
        rows = await conn.execute(select(c.address, s.text).join(SEARCH, s.contact == c.id))
        return {row[0]: word for row in rows for word in ("written", "asked") if word in row[1].lower()}


async def test_who_asks_waits_for_statuses_no_longer_than_for_texts(database: Database) -> None:
    """What is not taken in when the time is over is told; the next one goes on."""
    engine = await database.fresh("planner")
    await create_tables(engine, METADATA)
    await _put(engine, [_someone(number, "Athens") for number in range(3)])
    await search.freshen(engine)
    for number in range(3):
        await _set(engine, number + 1, f"p{number}@shop.example", "Written")
    assert await search.freshen(engine, 0) == 2 + PAGE
    assert await search.freshen(engine, 0) == 1 + PAGE
    assert await search.freshen(engine) == 0
    assert await _seen(engine) == {f"p{number}@shop.example": "written" for number in range(3)}
    await engine.dispose()


async def test_statuses_of_another_log_take_the_place_of_those_before(database: Database) -> None:
    """A restored log is shorter: its statuses stand at places that were seen, and some are not there any more."""
    engine = await database.fresh("planner")
    await create_tables(engine, METADATA)
    await create_tables(engine, checkpoints.METADATA)
    await _put(engine, [_someone(number, "Athens") for number in range(2)])
    await _set(engine, 8, "p0@shop.example", "Written")
    await _set(engine, 9, "p1@shop.example", "Written")
    assert await search.freshen(engine) == 0
    await Memories(engine).begin_again()
    await _set(engine, 5, "p1@shop.example", "Asked")
    assert await search.freshen(engine) == 0
    assert await _seen(engine) == {"p1@shop.example": "asked"}
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
