"""Two planners on one PostgreSQL: what SQLite's single writer settled by itself is settled there, too."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import orjson
import pytest
from nats.aio.client import Client as Connection
from sqlalchemy import func, select

from services.planner.contacts.contacts import CONTACTS, DIRTY_PAGES
from services.planner.contacts.lists import MEMBERS
from services.planner.settings import PlannerSettings
from shared import clock
from shared.contracts import commands, subjects
from shared.contracts.mailing import MailingDrafted
from shared.contracts.series import OccurrenceMade, SeriesEdited
from shared.database import create_engine, reading
from shared.eventlog.documents import Documents
from shared.eventlog.store import EventLog
from shared.ids import new_id
from shared.messaging.client import Client
from tests.harness.waiting import until
from tests.integration.planner.conftest import LETTER, Desk
from tests.integration.planner.test_imports import people

pytestmark = pytest.mark.parametrize("database", ["postgresql"], indirect=True)


@pytest.fixture
def desks(database: object, planner_settings: PlannerSettings, nc: Connection, tmp_path: Path) -> list[Desk]:
    """Return two planners that are not up yet."""
    assert database
    folders = [tmp_path / "one", tmp_path / "two"]
    settings = [PlannerSettings(**planner_settings.model_dump() | {"data_dir": folder}) for folder in folders]
    return [Desk(nc, EventLog(nc), each, Client(nc, "operator")) for each in settings]


@pytest.fixture
async def desk(desks: list[Desk]) -> AsyncIterator[Desk]:
    """Yield somebody to ask while both are up."""
    await desks[0].answer_probes()
    async with up(desks[0]), up(desks[1]):
        yield desks[0]


@asynccontextmanager
async def up(desk: Desk) -> AsyncIterator[None]:
    """Let a planner be up."""
    await desk.up()
    yield
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


async def test_each_row_is_taken_in_once(desk: Desk) -> None:
    """Several files with the same people: every address is one contact, every row is counted once."""
    uploads = [await desk.upload(people(2_500, city)) for city in ("Oslo", "Bergen", "Oslo")]
    for place, (upload, parts) in enumerate(uploads):
        await desk.do(commands.ImportContacts(upload=upload, parts=parts, list=f"list {place}"))
    ended = [await desk.import_ended(upload) for upload, _ in uploads]
    assert [(each["state"], each["rows"]) for each in ended] == [("done", 2_500)] * 3
    assert sum(each["added"] for each in ended) == 2_500
    assert await counts(desk) == (2_500, 2_500, 7_500)


async def test_an_import_goes_on_when_its_planner_ends(desks: list[Desk]) -> None:
    """The other planner takes it over where it stands."""
    one, two = desks
    async with up(one):
        upload, parts = await one.upload(people(20_000))
        await one.do(commands.ImportContacts(upload=upload, parts=parts, list="readers"))
        await two.up()
    status = await two.ask(commands.ImportStatus(upload=upload))
    assert status["state"] == "running", "the file was too short for this test"
    status = await two.import_ended(upload)
    assert (status["state"], status["rows"], status["added"]) == ("done", 20_000, 20_000)
    assert await counts(two) == (20_000, 20_000, 20_000)
    await two.down()


async def test_the_directory_ends_with_what_is_true(desk: Desk) -> None:
    """After many changes the published pages are those of the tables, whoever published them."""
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


async def test_a_mailing_is_planned_once(desk: Desk) -> None:
    """Both drive it; every recipient is in one chunk, and the same key is the same command on both."""
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


@pytest.mark.feature("B12")
async def test_a_recurring_mailing_is_made_once(desk: Desk) -> None:
    """Both see that it comes round; there is one mailing, drafted, frozen and started once."""
    await desk.imported(people(20))
    campaign = (await desk.do(commands.OpenCampaign(name="c", lists=["readers"])))["campaign"]
    draft = LETTER | {"campaign": campaign, "name": "n", "account": await desk.account()}
    now = clock.now()
    rhythm = {"every": "day", "at": (now + timedelta(hours=1)).time().isoformat()}
    wanted = {"draft": draft | {"sender_address": "a@example.com"}, "rhythm": rhythm}
    series = (await desk.do(commands.OpenSeries.model_validate(wanted)))["series"]
    opened = (await desk.events(subjects.series(series)))[0]
    due = {"rhythm": rhythm | {"at": now.time().isoformat()}, "since": now - timedelta(days=1, hours=1)}
    await desk.write(subjects.series(series), SeriesEdited.model_validate(opened.model_dump() | due))

    async def made() -> str:
        found = [event for event in await desk.events(subjects.series(series)) if isinstance(event, OccurrenceMade)]
        return found[0].mailing if found else ""

    mailing = await until(made, 20)
    await desk.happened(mailing, "SendingStarted")
    kinds = [type(event).__name__ for event in await desk.events(subjects.series(series))]
    assert kinds == ["SeriesOpened", "SeriesEdited", "OccurrenceSkipped", "OccurrenceMade"]
    assert (await desk.types(mailing)).count("AudienceFrozen") == 1
    drafts = [
        record.event
        async for commits in desk.log.scan([subjects.ALL_MAILINGS])
        for commit in commits
        for record in commit.events
        if isinstance(record.event, MailingDrafted)
    ]
    assert len(drafts) == 1
