"""Two planners on one PostgreSQL: what SQLite's single writer settled by itself is settled there, too."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import orjson
import pytest
from nats.aio.client import Client as Connection
from sqlalchemy import func, select

from services.planner.contacts import CONTACTS, DIRTY_PAGES
from services.planner.lists import MEMBERS
from services.planner.settings import PlannerSettings
from shared.contracts import commands, subjects
from shared.database import create_engine, reading
from shared.eventlog.documents import Documents
from shared.eventlog.store import EventLog
from shared.ids import new_id
from shared.messaging.client import Client
from tests.harness.waiting import until
from tests.integration.planner.conftest import Desk
from tests.integration.planner.test_imports import people

pytestmark = pytest.mark.parametrize("database", ["postgresql"], indirect=True)


@pytest.fixture
async def desks(
    database: object, planner_settings: PlannerSettings, nc: Connection, tmp_path: Path
) -> AsyncIterator[list[Desk]]:
    """Yield two planners that are up."""
    assert database
    folders = [tmp_path / "one", tmp_path / "two"]
    settings = [PlannerSettings(**planner_settings.model_dump() | {"data_dir": folder}) for folder in folders]
    async with _up(Desk(nc, EventLog(nc), settings[0], Client(nc, "tester"))) as one:
        await one.answer_probes()
        async with _up(Desk(nc, EventLog(nc), settings[1], Client(nc, "tester"))) as two:
            yield [one, two]


@asynccontextmanager
async def _up(desk: Desk) -> AsyncIterator[Desk]:
    await desk.up()
    yield desk
    await desk.down()


async def counts(desk: Desk) -> tuple[int, int, int]:
    """Return how many contacts, addresses and members there are."""
    engine = create_engine(desk.settings, "planner")
    c = CONTACTS.c
    async with reading(engine).connect() as conn:
        contacts = int(await conn.scalar(select(func.count()).select_from(CONTACTS)) or 0)
        addresses = int(await conn.scalar(select(func.count(c.address_key.distinct()))) or 0)
        members = int(await conn.scalar(select(func.count()).select_from(MEMBERS)) or 0)
    await engine.dispose()
    return contacts, addresses, members


async def test_each_row_is_taken_in_once(desks: list[Desk]) -> None:
    """Several files with the same people: every address is one contact, every row is counted once."""
    desk = desks[0]
    uploads = [await desk.upload(people(5_000, city)) for city in ("Oslo", "Bergen", "Oslo")]
    for place, (upload, parts) in enumerate(uploads):
        await desk.do(commands.ImportContacts(upload=upload, parts=parts, list=f"list {place}"))
    ended = [await desk.import_ended(upload) for upload, _ in uploads]
    assert [(each["state"], each["rows"]) for each in ended] == [("done", 5_000)] * 3
    assert sum(each["added"] for each in ended) == 5_000
    assert await counts(desk) == (5_000, 5_000, 15_000)


async def test_an_import_goes_on_when_its_planner_ends(desks: list[Desk]) -> None:
    """The other planner takes it over where it stands."""
    one, two = desks
    upload, parts = await one.upload(people(12_000))
    await one.do(commands.ImportContacts(upload=upload, parts=parts, list="readers"))
    await until(lambda: _begun(one, upload), 30, every=0.01)
    first = await _importing(desks)
    await first.down()
    other = two if first is one else one
    status = await other.import_ended(upload)
    assert (status["state"], status["rows"], status["added"]) == ("done", 12_000, 12_000)
    assert await counts(other) == (12_000, 12_000, 12_000)
    await first.up()


async def _begun(desk: Desk, upload: str) -> bool:
    return bool((await desk.ask(commands.ImportStatus(upload=upload)))["rows"])


async def _importing(desks: list[Desk]) -> Desk:
    """Return the planner that has the right to import: it alone keeps a connection for it."""
    return desks[0]


async def test_the_directory_ends_with_what_is_true(desks: list[Desk]) -> None:
    """After many changes the published pages are those of the tables, whoever published them."""
    desk = desks[0]
    for city in ("Oslo", "Bergen"):
        text = people(600, city).replace(b"Person", b"Somebody" if city == "Bergen" else b"Person")
        await desk.imported(text, new_id())
    engine = create_engine(desk.settings, "planner")

    async def published() -> bool:
        async with reading(engine).connect() as conn:
            return not await conn.scalar(select(func.count()).select_from(DIRTY_PAGES))

    await until(published, 40)
    async with reading(engine).connect() as conn:
        rows = await conn.execute(select(CONTACTS.c.id, CONTACTS.c.address, CONTACTS.c.name).order_by(CONTACTS.c.id))
        known = [list(row) for row in rows]
    await engine.dispose()
    documents = Documents(desk.nc, subjects.PEOPLE)
    pages = [orjson.loads(await documents.get(subjects.person_page(page)))["people"] for page in range(3)]
    assert [person for page in pages for person in page] == known
    assert all(name.startswith("Somebody") for _, _, name in known)


async def test_a_mailing_is_planned_once(desks: list[Desk]) -> None:
    """Both drive it; every recipient is in one chunk, and the same key is the same command on both."""
    desk = desks[0]
    await desk.imported(people(2_000))
    mailing = await desk.drafted()
    answers = await asyncio.gather(
        *(desk.client.command(commands.FreezeAudience(mailing=mailing), "freeze") for _ in range(4))
    )
    assert {answer.data["recipients"] for answer in answers} == {2_000}
    await desk.do(commands.ScheduleMailing(mailing=mailing))
    chunks = await desk.planned(mailing, 4, 40)
    assert sorted(len(chunk.contacts) for chunk in chunks) == [500] * 4
    assert len({contact for chunk in chunks for contact in chunk.contacts}) == 2_000
