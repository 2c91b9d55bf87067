"""Records of producers in SQL: any order, repetition and slicing of the same events end in the same contacts."""

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import orjson
import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine

from services.planner.contacts import contacts, lists, sources
from services.planner.contacts.claims import CLAIMS
from services.planner.contacts.contacts import CONTACTS, DIRTY_PAGES
from services.planner.contacts.incoming import incoming
from services.planner.contacts.sources import Counts
from services.planner.schema import METADATA
from shared.contracts.intake import ContactRemovedFromList, ContactUpserted, Told
from shared.database import create_tables, open_engine
from shared.keys import KeyRing

KEYS = KeyRing.of("s" * 32, "p" * 32)


@pytest.fixture
async def engine(tmp_path: Path) -> AsyncIterator[AsyncEngine]:
    """Yield an engine with the planner's tables, empty."""
    engine = open_engine(f"sqlite:///{tmp_path / 'planner.sqlite3'}")
    await create_tables(engine, METADATA)
    yield engine
    await engine.dispose()


def is_now(record: str, version: int, *addresses: str, on: Sequence[str] = (), name: str = "", **fields: str) -> Told:
    """Return that a record is now so."""
    data = {"id": record, "addresses": addresses, "lists": on, "name": name, "fields": fields}
    return Told("crm", version, ContactUpserted.model_validate(data))


def left(record: str, version: int, name: str) -> Told:
    """Return that a record left a list."""
    return Told("crm", version, ContactRemovedFromList(id=record, list=name))


async def told(engine: AsyncEngine, *events: Told) -> Counts:
    """Take events in."""
    async with engine.begin() as conn:
        return await sources.apply(conn, events, KEYS)


async def members(engine: AsyncEngine) -> dict[str, set[str]]:
    """Return the addresses on each list."""
    async with engine.connect() as conn:
        rows = await conn.execute(
            select(lists.LISTS.c.name, CONTACTS.c.address)
            .join(lists.MEMBERS, lists.MEMBERS.c.list == lists.LISTS.c.id)
            .join(CONTACTS, CONTACTS.c.id == lists.MEMBERS.c.contact)
        )
        found: dict[str, set[str]] = {}
        for row in rows:
            found.setdefault(row.name, set()).add(row.address)
        return found


async def people(engine: AsyncEngine) -> dict[str, tuple[str, dict[str, str]]]:
    """Return name and fields of each contact that a record claims, by address."""
    async with engine.connect() as conn:
        rows = await conn.execute(select(CONTACTS).join(CLAIMS, CLAIMS.c.contact == CONTACTS.c.id))
        return {row.address: (row.name, orjson.loads(row.fields)) for row in rows}


async def test_a_record_is_a_contact_for_each_address(engine: AsyncEngine) -> None:
    """Name and fields are theirs, and all are on its lists."""
    counts = await told(engine, is_now("1", 1, "a@x.example", "b@x.example", on=["readers"], name="Ann", city="Oslo"))
    assert counts == Counts(added=2, joined=1)
    assert await members(engine) == {"readers": {"a@x.example", "b@x.example"}}
    assert await people(engine) == {at: ("Ann", {"city": "Oslo"}) for at in ("a@x.example", "b@x.example")}


async def test_what_is_late_or_comes_again_changes_nothing(engine: AsyncEngine) -> None:
    """The newest version stays, and both are counted."""
    newest = is_now("1", 5, "a@x.example", name="Ann")
    await told(engine, newest)
    counts = await told(engine, is_now("1", 4, "old@x.example", name="Old"), newest)
    assert counts == Counts(stale=2)
    assert await people(engine) == {"a@x.example": ("Ann", {})}


async def test_a_new_address_takes_the_place_of_the_old_one(engine: AsyncEngine) -> None:
    """Mails of the list no longer go to where the person was."""
    await told(engine, is_now("1", 1, "old@x.example", on=["readers"]))
    await told(engine, is_now("1", 2, "new@x.example"))
    assert await members(engine) == {"readers": {"new@x.example"}}
    await told(engine, is_now("1", 3))
    assert await members(engine) == {}


async def test_what_is_left_out_is_taken_away(engine: AsyncEngine) -> None:
    """A name or field that the record gave before; not one that came by another way."""
    async with engine.begin() as conn:
        key = KEYS.address_key("a@x.example")
        await contacts.upsert(conn, [incoming("a@x.example", key, "Ann", {"city": "Oslo", "plan": "free"})])
    await told(engine, is_now("1", 1, "a@x.example", name="Anna", plan="paid", team="red"))
    await told(engine, is_now("1", 2, "a@x.example", plan="paid"))
    assert await people(engine) == {"a@x.example": ("", {"city": "Oslo", "plan": "paid"})}


async def test_a_shared_address_stays_on_a_list_while_somebody_is(engine: AsyncEngine) -> None:
    """Two records with one address: the one that leaves does not take the other off."""
    await told(engine, *(is_now(record, 1, "info@x.example", on=["readers"]) for record in "12"))
    await told(engine, left("1", 2, "readers"))
    assert await members(engine) == {"readers": {"info@x.example"}}
    counts = await told(engine, left("2", 2, "readers"))
    assert counts == Counts(left=1)
    assert await members(engine) == {}


async def test_leaving_ends_also_what_an_import_began(engine: AsyncEngine) -> None:
    """The last word of a producer counts, for a list it never named before as well."""
    async with engine.begin() as conn:
        done = await contacts.upsert(conn, [incoming("a@x.example", KEYS.address_key("a@x.example"), None, {})])
        await lists.add_members(conn, await lists.ensure(conn, "readers"), list(done.new.values()))
    await told(engine, is_now("1", 1, "a@x.example"), left("1", 2, "readers"))
    assert await members(engine) == {}


async def test_nobody_makes_a_list_by_leaving_it(engine: AsyncEngine) -> None:
    """A list that only somebody left does not exist."""
    await told(engine, left("1", 1, "nowhere"))
    async with engine.connect() as conn:
        assert await lists.overview(conn) == []


async def test_the_directory_hears_whose_record_a_contact_is(engine: AsyncEngine) -> None:
    """A page is published again though neither address nor name changed."""
    async with engine.begin() as conn:
        done = await contacts.upsert(conn, [incoming("a@x.example", KEYS.address_key("a@x.example"), "Ann", {})])
        await conn.execute(DIRTY_PAGES.delete())
    await told(engine, is_now("4711", 1, "a@x.example", name="Ann"))
    async with engine.connect() as conn:
        assert len((await conn.execute(select(DIRTY_PAGES))).all()) == 1
        (contact,) = done.new.values()
        assert await sources.owners(conn, [contact]) == {contact: ("crm", "4711")}


@pytest.mark.parametrize("seed", range(8))
def test_the_same_events_in_any_order_end_alike(seed: int, tmp_path: Path) -> None:
    """Shuffled, repeated and cut into other slices: contacts of records and members of lists are the same."""
    chance = random.Random(seed)
    events: list[Told] = []
    for version in range(1, 40):
        record = str(chance.randrange(4))
        name = chance.choice(("readers", "buyers"))
        if chance.random() < 0.4:
            events.append(left(record, version, name))
        else:
            addresses = [f"{record}{slot}@x.example" for slot in chance.sample("abc", chance.randrange(3))]
            fields = {of: str(version) for of in chance.sample(("city", "plan"), chance.randrange(3))}
            events.append(is_now(record, version, *addresses, on=[name], name=f"N{version}", **fields))

    async def outcome(order: Sequence[Told], slice_size: int, name: str) -> object:
        engine = open_engine(f"sqlite:///{tmp_path / name}")
        await create_tables(engine, METADATA)
        for start in range(0, len(order), slice_size):
            await told(engine, *order[start : start + slice_size])
        found = (await members(engine), await people(engine))
        await engine.dispose()
        return found

    mixed = events + chance.sample(events, 15)
    chance.shuffle(mixed)
    in_order = asyncio.run(outcome(events, 1, "ordered"))
    assert asyncio.run(outcome(mixed, chance.randint(1, 60), "mixed")) == in_order
