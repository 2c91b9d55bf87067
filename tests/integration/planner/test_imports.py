"""Imports over NATS: refusals, counts, rejected rows, and that the planner stays responsive."""

import asyncio
import contextlib
import gc
import sys
import time
from collections.abc import Iterator

import pytest
from sqlalchemy import Connection, Engine, event, func, select
from sqlalchemy.pool import ConnectionPoolEntry, Pool

from services.planner.contacts.contacts import DIRTY_PAGES, upsert
from services.planner.contacts.directory import Directory
from services.planner.contacts.incoming import incoming
from services.planner.contacts.search import SEARCH
from services.planner.schema import METADATA
from shared.contracts import commands, subjects
from shared.contracts.audience import ContactsImported
from shared.database import create_engine, create_tables
from shared.eventlog.documents import Documents
from shared.eventlog.errors import MissingError
from shared.ids import new_id
from tests.harness.databases import Database
from tests.integration.planner.conftest import Desk

_NOT_WRITING = {"begin", "isolation_level"}  # what `reading` and `alone` set
pytestmark = pytest.mark.usefixtures("database")  # both of them


def people(count: int, city: str = "Oslo") -> bytes:
    """Return a file with so many people."""
    rows = "".join(f"p{at}@x{at % 50}.example,Person {at},{city}\n" for at in range(count))
    return f"email,name,city\n{rows}".encode()


async def test_a_file_without_addresses_is_refused_at_once(desk: Desk) -> None:
    """With line 1 and the column; an upload that is not there is refused, too."""
    upload, parts = await desk.upload(b"name,city\nAnn,Oslo\n")
    answer = await desk.client.command(commands.ImportContacts(upload=upload, parts=parts, list="l"))
    assert answer.refusal is not None
    assert (answer.refusal.code, answer.refusal.line, answer.refusal.field) == ("email_missing", 1, "email")
    assert await desk.refused(commands.ImportContacts(upload=new_id(), parts=1, list="l")) == "upload_missing"
    assert (await desk.ask(commands.Lists()))["lists"] == []


async def test_counts_say_what_became_of_every_row(desk: Desk) -> None:
    """Added, updated, unchanged; a contact may be on several lists; the event holds the counts."""
    first = await desk.imported(people(300))
    assert {name: first[name] for name in ("rows", "added", "updated", "unchanged", "rejected")} == {
        "rows": 300,
        "added": 300,
        "updated": 0,
        "unchanged": 0,
        "rejected": 0,
    }
    changed = (
        people(300).replace(b"Person 7,Oslo", b"Person 7,Rome") + b"new@x.example,New,\nP1@X1.EXAMPLE,Person 1,Oslo\n"
    )
    second = await desk.imported(changed, "others")
    assert (second["added"], second["updated"], second["unchanged"]) == (1, 2, 299)
    lists = {row["name"]: row["members"] for row in (await desk.ask(commands.Lists()))["lists"]}
    assert lists == {"readers": 300, "others": 301}
    commit = await desk.log.get(second["position"])
    assert commit is not None
    assert isinstance(commit.events[0].event, ContactsImported)
    assert commit.events[0].event.unchanged == 299
    assert commit.events[0].principal == "operator"


async def test_rejected_rows_are_listed_page_by_page(desk: Desk) -> None:
    """Each with line, column, reason and value."""
    upload, parts = await desk.upload(b"email\n" + b"".join(b"bad%d\n" % at for at in range(25)) + b"a@x.example\n")
    await desk.do(commands.ImportContacts(upload=upload, parts=parts, list="l"))
    status = await desk.import_ended(upload)
    assert (status["state"], status["rejected"], status["added"]) == ("done", 25, 1)
    page = await desk.ask(commands.RejectedRows(upload=upload, limit=20))
    rest = await desk.ask(commands.RejectedRows(upload=upload, limit=20, after=page["next"]))
    assert [row["line"] for row in page["rows"] + rest["rows"]] == list(range(2, 27))
    assert rest["next"] == ""
    assert page["rows"][0] == {"line": 2, "column": "email", "reason": page["rows"][0]["reason"], "value": "bad0"}
    assert "@" in page["rows"][0]["reason"]


async def test_a_file_that_breaks_off_fails_with_its_line_and_keeps_what_was_read(desk: Desk) -> None:
    """What came before the broken line is in; the problem names the line."""
    status = await desk.imported(people(2_500) + b'x@x.example,"open,Oslo\n')
    assert (status["state"], status["added"]) == ("failed", 2_500)
    assert (status["problem"]["code"], status["problem"]["line"]) == ("quote_unclosed", 2_502)


async def test_a_file_at_which_the_parsing_process_dies_is_given_up_and_the_planner_lives(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is tried again a few times, then the import fails; the next file comes in."""
    with monkeypatch.context() as patch:
        patch.setattr(sys, "executable", "/bin/false")
        status = await desk.imported(people(10))
    assert (status["state"], status["added"]) == ("failed", 0)
    assert status["problem"]["code"] == "unreadable"
    assert (await desk.imported(people(10)))["state"] == "done"


async def test_an_upload_is_erased_once_it_is_imported(desk: Desk) -> None:
    """The raw file does not stay; importing it again is the same import."""
    upload, parts = await desk.upload(people(10))
    wanted = commands.ImportContacts(upload=upload, parts=parts, list="l")
    await desk.do(wanted)
    await desk.import_ended(upload)
    with pytest.raises(MissingError):
        await Documents(desk.nc, subjects.INBOX).get(subjects.upload_part(upload, 0))
    await desk.do(wanted)
    assert await desk.refused(wanted.model_copy(update={"list": "other"})) == "upload_used"


async def test_of_a_field_the_row_gives_empty_a_contact_keeps_nothing(desk: Desk) -> None:
    """Fields that the file does not have stay; the later of two rows with one address wins, in one slice as well."""
    await desk.imported(b"email,name,city,zip\na@x.example,Ann,Oslo,1\n")
    status = await desk.imported(b"email,city,plan\nA@x.example,Rome,free\nA@x.example,,paid\n")
    assert (status["updated"], status["unchanged"], status["added"]) == (2, 0, 0)
    status = await desk.imported(b"email,name,zip,plan\nA@x.example,Ann,1,paid\n")
    assert status["unchanged"] == 1


async def test_pages_that_an_import_changes_are_published_when_it_ended_or_somebody_waits(
    desk: Desk, database: Database
) -> None:
    """Not in the middle, where each slice would have the last pages published once more."""
    engine = await database.fresh("beside")
    await create_tables(engine, METADATA)
    directory = Directory(engine, Documents(desk.nc, subjects.PEOPLE))

    async def marked() -> int:
        async with engine.connect() as conn:
            return int(await conn.scalar(select(func.count()).select_from(DIRTY_PAGES)) or 0)

    async with engine.begin() as conn:
        await upsert(conn, [incoming("a@x.example", "a" * 16, "Ann", {})])
    with directory.later():
        await directory.flush(unasked=True)
        assert await marked() == 1
        await directory.settled()
        assert await marked() == 0
    async with engine.begin() as conn:
        await upsert(conn, [incoming("a@x.example", "a" * 16, "Anna", {})])
    await directory.flush(unasked=True)
    assert await marked() == 0
    await engine.dispose()


@pytest.mark.alone
async def test_others_are_answered_while_a_large_import_runs(desk: Desk) -> None:
    """Commands that write take their turn between two slices, none of which keeps the database for long.

    The work of a transaction is counted, as processor time of this process while it was open, commit included: what
    else a busy machine does meanwhile does not count, and on one that is not busy a transaction takes no longer.
    """
    upload, parts = await desk.upload(people(40_000))
    waits: list[float] = []
    with transactions() as worked:
        await desk.do(commands.ImportContacts(upload=upload, parts=parts, list="large"))
        while (await desk.ask(commands.ImportStatus(upload=upload)))["state"] == "running":
            begun = time.perf_counter()
            await desk.do(commands.OpenCampaign(name="c", lists=["large"]))
            waits.append(time.perf_counter() - begun)
            await asyncio.sleep(0)
    assert len(waits) > 5
    assert max(waits) < 10, sorted(waits)[-5:]  # of the clock, on a machine that may be busy
    assert len(worked) > 20
    assert max(worked) < 0.2, sorted(worked)[-5:]


@contextlib.contextmanager
def transactions() -> Iterator[list[float]]:
    """Collect the processor time that this process used while each writing transaction was open.

    What the tests keep in memory is frozen, as a planner's own is: to go through all of it takes the collector a
    quarter of a second.
    """
    gc.collect()
    gc.freeze()
    worked: list[float] = []

    def begun(conn: Connection) -> None:
        if not conn.get_execution_options().keys() & _NOT_WRITING:
            conn.info["begun"] = time.process_time()

    def ended(_driver: object, record: ConnectionPoolEntry) -> None:
        if (since := record.info.pop("begun", None)) is not None:
            worked.append(time.process_time() - since)

    event.listen(Engine, "begin", begun)
    event.listen(Pool, "checkin", ended)
    try:
        yield worked
    finally:
        gc.unfreeze()
        event.remove(Engine, "begin", begun)
        event.remove(Pool, "checkin", ended)


async def test_an_import_ends_though_rules_cannot_see_it_yet(desk: Desk) -> None:
    """What rules look at cannot be written: that is tried again, and imports go on, this one and the next."""
    engine = create_engine(desk.settings, "planner")
    async with engine.begin() as conn:
        await conn.run_sync(SEARCH.drop)
    for name in ("first", "second"):
        assert (await desk.imported(people(3), name))["state"] == "done"
    await desk.ask(commands.Lists())
    async with engine.begin() as conn:
        await conn.run_sync(SEARCH.create)
    await engine.dispose()
