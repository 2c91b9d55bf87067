"""The directory follows PEOPLE: pages replace what was known of them, what is erased there is erased here."""

from collections.abc import Iterable

import orjson
import pytest
from nats.aio.client import Client
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine

from services.reporting import tables
from services.reporting.directory import Directory
from shared.contracts import subjects
from shared.database import reading
from shared.eventlog.documents import Documents
from shared.eventlog.reader import Reader
from tests.harness.nats import NatsServer

ADA, BOB = ("c1", "ada@example.com", "Ada"), ("c2", "bob@example.com", "Bob")


def page(*people: Iterable[str]) -> bytes:
    """Return a page of the directory."""
    return orjson.dumps({"people": [list(person) for person in people]})


class People:
    """PEOPLE and the directory that follows it."""

    def __init__(self, nc: Client, engine: AsyncEngine) -> None:
        self.documents = Documents(nc, subjects.PEOPLE)
        self.directory = Directory(Reader(nc, subjects.PEOPLE), engine)
        self._engine = engine

    async def put(self, number: int, *people: Iterable[str]) -> None:
        """Publish a page."""
        await self.documents.replace(subjects.person_page(number), page(*people))

    async def known(self) -> list[tuple[str, str, str]]:
        """Catch up and return who is known."""
        await self.directory.catch_up()
        await self.directory.compare()
        people = tables.people.c
        query = select(people.contact, people.address, people.name).order_by(people.contact)
        async with reading(self._engine).connect() as conn:
            return [tuple(row) for row in await conn.execute(query)]

    async def notes(self) -> dict[str, str]:
        """Catch up and return the notes."""
        await self.directory.catch_up()
        await self.directory.compare()
        async with reading(self._engine).connect() as conn:
            return {row.key: row.text for row in await conn.execute(select(tables.notes))}


@pytest.fixture
async def people(log_streams: NatsServer, nc: Client, engine: AsyncEngine) -> People:
    """Return an empty PEOPLE and its directory."""
    assert log_streams
    return People(nc, engine)


async def test_people_are_known_by_their_pages(people: People) -> None:
    """Names and addresses of every page are there."""
    await people.put(0, ADA)
    await people.put(1, BOB)
    assert await people.known() == [ADA, BOB]


async def test_what_is_said_of_a_contact_is_known(people: People, engine: AsyncEngine) -> None:
    """Whose record it is, which address, who shares the customer: what is not said is empty, what is new left out."""
    bob = (*BOB, "crm", "7", "second", "r1", "of a newer planner")
    await people.put(0, ADA, bob, ("c3", "eve@example.com", "Eve", "", "", "third"))
    await people.known()
    told = select(*(tables.people.c[name] for name in ("contact", "source", "external", "slot", "customer")))
    async with reading(engine).connect() as conn:
        rows = [tuple(row) for row in await conn.execute(told.order_by(tables.people.c.contact))]
    assert rows == [("c1", "", "", "", ""), ("c2", "crm", "7", "second", "r1"), ("c3", "", "", "third", "")]


async def test_who_is_missing_from_the_new_page_is_erased(people: People) -> None:
    """A page replaces what was known of it, and nothing else."""
    await people.put(0, ADA, ("c3", "eve@example.com", "Eve"))
    await people.put(1, BOB)
    await people.known()
    await people.put(0, ("c1", "ada@new.example", "Ada L."))
    assert await people.known() == [("c1", "ada@new.example", "Ada L."), BOB]


async def test_a_page_deleted_from_people_is_forgotten(people: People) -> None:
    """Erasing a message leaves no trace here either."""
    await people.put(0, ADA)
    await people.documents.replace(subjects.person_note("k1"), orjson.dumps({"text": "no more"}))
    await people.known()
    await people.documents.erase(subjects.person_page(0))
    await people.documents.erase(subjects.person_note("k1"))
    assert (await people.known(), await people.notes()) == ([], {})


async def test_a_lost_database_is_filled_again(people: People, engine: AsyncEngine) -> None:
    """The position is kept beside the rows, so both are lost together."""
    await people.put(0, ADA)
    await people.known()
    async with engine.begin() as conn:
        for table in (tables.people, tables.directory_position):
            await conn.execute(table.delete())
    assert await people.known() == [ADA]


async def test_a_restored_stream_is_read_anew(people: People, nc: Client) -> None:
    """PEOPLE that ends before the position holds other pages under the same numbers."""
    for name in ("Ada", "Ada B.", "Ada C."):
        await people.put(0, ("c1", "ada@example.com", name))
    await people.known()
    config = (await nc.jetstream().stream_info(subjects.PEOPLE)).config
    await nc.jetstream().delete_stream(subjects.PEOPLE)
    await nc.jetstream().add_stream(config)
    await people.put(0, BOB)
    assert await people.known() == [BOB]


async def test_a_page_that_cannot_be_read_leaves_the_old_one(people: People) -> None:
    """The directory goes on; the next good page mends it."""
    await people.put(0, ADA)
    await people.known()
    await people.documents.replace(subjects.person_page(0), b"{broken")
    await people.put(1, BOB)
    assert await people.known() == [ADA, BOB]


async def test_notes_can_be_read_and_taken_back(people: People) -> None:
    """An empty text erases the note."""
    await people.documents.replace(subjects.person_note("k1"), orjson.dumps({"text": "Too many"}))
    assert await people.notes() == {"k1": "Too many"}
    await people.documents.replace(subjects.person_note("k1"), orjson.dumps({"text": ""}))
    assert await people.notes() == {}
