"""Dry runs: every mail is made by the sender's own code, nothing is sent, and what was found can be looked at."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable
from copy import copy
from typing import Any

import pytest
from nats.aio.msg import Msg
from nats.errors import ConnectionClosedError

from services.planner.audience.freezing import Freezer
from services.planner.audience.frozen_rows import AUDIENCES
from services.planner.mailings.dry_runs import DryRuns, Reach
from services.planner.planning.chunks import Planning
from services.planner.settings import PlannerSettings
from services.sender.mails.contents import Contents
from services.sender.mails.rehearsals import Rehearsals
from shared.contracts import commands, subjects
from shared.contracts.commands import Rehearsal
from shared.contracts.mailing import AudienceFrozen, DryRunFinished
from shared.database import create_engine
from shared.dkim_keys import SigningKey
from shared.eventlog.documents import Documents
from shared.eventlog.errors import MissingError
from shared.eventlog.objects import Objects
from shared.keys import KeyRing
from shared.messaging.client import Client
from tests.harness.waiting import until
from tests.integration.planner.conftest import Desk

PEOPLE = b"email,name,city\n" + b"".join(b"p%d@x.example,Person %d,Athens\n" % (n, n) for n in range(5))
LACKING = PEOPLE + b"q@x.example,Quinn,\nr@x.example,Rita Longname the Third,Rome\n"
LETTER: dict[str, Any] = {
    "subject": "Hello {{ name }}",
    "html": "<p>{{ city }} <a href='https://example.com/'>x</a></p>",
}


class Rehearsing:
    """A sender that does nothing but rehearse, one mail at a time, and nothing from chunk `silent_from` on."""

    def __init__(self, desk: Desk) -> None:
        keys = KeyRing.of(desk.settings.secret_keys, desk.settings.address_pepper)
        content = Objects(desk.nc, subjects.CONTENT)
        self._rehearsals = Rehearsals(Contents(content.get, _no_key, keys, "https://t.example"), lambda _: "")
        self.silent_from = 99
        self.asked: list[int] = []

    async def answer(self, message: Msg) -> None:
        """Answer the planner."""
        wanted, rows = Rehearsal.unpacked(message.data)
        self.asked.append(wanted.n)
        if wanted.n < self.silent_from:
            came = await self._rehearsals.rehearse(wanted.packed(rows[0]))
            await message.respond(came.model_dump_json().encode())

    def was_asked(self, n: int) -> Callable[[], bool]:
        """Return what tells whether a chunk was asked for."""
        return lambda: n in self.asked


async def _no_key(_domain: str, _selector: str) -> SigningKey:
    raise MissingError("there is none")


@pytest.fixture
def planner_settings(planner_settings: PlannerSettings) -> PlannerSettings:
    """Return settings with small chunks, and little patience with senders."""
    return planner_settings.model_copy(update={"chunk_size": 2, "probe_seconds": 2})


@pytest.fixture
async def sender(desk: Desk) -> AsyncIterator[Rehearsing]:
    """Yield a sender that rehearses."""
    rehearsing = Rehearsing(desk)
    told = await desk.nc.subscribe(subjects.rehearsal(), queue="sender", cb=rehearsing.answer)
    yield rehearsing
    await told.unsubscribe()


async def _frozen(desk: Desk, people: bytes = LACKING, **more: object) -> str:
    await desk.imported(people)
    mailing = await desk.drafted(**(LETTER | more))
    await desk.do(commands.FreezeAudience(mailing=mailing))
    return mailing


async def ended(desk: Desk, mailing: str) -> dict[str, Any]:
    """Wait until the last dry run of a mailing is over, and return what it says."""

    async def over() -> dict[str, Any]:
        shown = await desk.ask(commands.DryRunStatus(mailing=mailing))
        return shown if shown["state"] != "running" else {}

    return await until(over, 30)


@pytest.mark.feature("B13")
async def test_every_mail_is_made_and_none_is_planned(desk: Desk, sender: Rehearsing) -> None:
    """Who lacks a field is named with the reason, the largest mail is found, and nothing goes out."""
    mailing = await _frozen(desk)
    assert await desk.refused(commands.CancelDryRun(mailing=mailing)) == "dry_run_unknown"
    begun = await desk.do(commands.StartDryRun(mailing=mailing))
    shown = await ended(desk, mailing)
    assert (shown["state"], shown["done"], shown["mails"], shown["failed"]) == ("done", 7, 6, 1)
    assert shown["missing"] == {"city": 1}
    assert shown["causes"] == {"render: missing field city": 1}
    assert shown["current"]
    assert shown["forecast"]["left"] == 7
    failed = (await desk.ask(commands.DryRunRows(mailing=mailing)))["rows"]
    assert [(row["address"], row["cause"]) for row in failed] == [("q@x.example", "render: missing field city")]
    rows, after = list[dict[str, Any]](), ""
    while not rows or after:  # page by page
        page = await desk.ask(commands.DryRunRows(mailing=mailing, only="all", after=after, limit=3))
        rows, after = rows + page["rows"], page["next"]
    assert sorted(row["address"] for row in rows) == sorted(
        [*(f"p{n}@x.example" for n in range(5)), "q@x.example", "r@x.example"]
    )
    largest = next(row for row in rows if row["contact"] == shown["largest_contact"])
    assert largest["address"] == "r@x.example"
    found = (await desk.events(subjects.mailing(mailing)))[-1]
    assert isinstance(found, DryRunFinished)
    assert (found.run, found.mails, found.failed, found.largest) == (begun["run"], 6, 1, shown["largest"])
    digests = b"".join(bytes.fromhex(row["digest"] or "00" * 8) for row in rows)
    assert found.digest == hashlib.sha256(digests).hexdigest()
    assert not await desk.plans(mailing)
    assert list(dict.fromkeys(sender.asked)) == [0, 1, 2, 3]


@pytest.mark.feature("B13")
async def test_a_dry_run_waits_for_a_sender_and_can_be_cancelled(desk: Desk, sender: Rehearsing) -> None:
    """While nobody answers it says so; cancelled it stays where it is; begun anew it goes to its end."""
    sender.silent_from = 0
    mailing = await _frozen(desk)
    begun = await desk.do(commands.StartDryRun(mailing=mailing))
    assert await desk.do(commands.StartDryRun(mailing=mailing)) == begun, "one of exactly this goes on"
    await until(sender.was_asked(0), 15)
    assert (await desk.do(commands.CancelDryRun(mailing=mailing)))["state"] == "cancelled"
    assert (await desk.ask(commands.DryRunStatus(mailing=mailing)))["mails"] == 0
    sender.silent_from = 99
    again = await desk.do(commands.StartDryRun(mailing=mailing))
    assert again["run"] != begun["run"]
    shown = await ended(desk, mailing)
    assert (shown["run"], shown["state"], shown["mails"]) == (again["run"], "done", 6)


@pytest.mark.feature("B13")
async def test_what_is_approved_is_sent_with_the_data_that_were_looked_at(desk: Desk, sender: Rehearsing) -> None:
    """A name that changes after the dry run changes no mail of an approved plan."""
    await desk.imported(PEOPLE)
    account, maker = await desk.account(), copy(desk)
    maker.client = Client(desk.nc, "producer")
    mailing = await maker.drafted(account=account, **LETTER)
    campaign = (await desk.events(subjects.mailing(mailing)))[0].model_dump()["campaign"]
    await desk.do(commands.EditCampaign(campaign=campaign, name="c", lists=["readers"], approval=True))
    assert await desk.refused(commands.StartDryRun(mailing=mailing)) == "audience_missing"
    await maker.do(commands.FreezeAudience(mailing=mailing))
    await maker.do(commands.ScheduleMailing(mailing=mailing))
    await desk.happened(mailing, "MailingPaused")
    plain = (await desk.ask(commands.Forecast(mailing=mailing)))["plan"]
    run = (await desk.do(commands.StartDryRun(mailing=mailing)))["run"]
    assert (await ended(desk, mailing))["failed"] == 0
    plan = (await desk.ask(commands.Forecast(mailing=mailing)))["plan"]
    assert plan != plain, "the plan names the mails"
    payloads = Documents(desk.nc, subjects.PAYLOADS)
    seen = [await payloads.get(subjects.payload(run, n)) for n in range(3)]
    await desk.imported(PEOPLE.replace(b"Person 3", b"Persona 3"))
    assert await desk.refused(commands.ApproveMailing(mailing=mailing, plan=plain)) == "plan_changed"
    await desk.do(commands.ApproveMailing(mailing=mailing, plan=plan))
    await desk.planned(mailing, 3)
    assert [await payloads.get(subjects.payload(mailing, n)) for n in range(3)] == seen

    async def erased() -> bool:
        try:
            await payloads.get(subjects.payload(run, 2))
        except MissingError:
            return True
        return False

    await until(erased)  # kept twice no longer than it must be
    assert await desk.refused(commands.StartDryRun(mailing=mailing)) == "mailing_started"
    assert list(dict.fromkeys(sender.asked)) == [0, 1, 2]


@pytest.mark.feature("B13")
async def test_a_dry_run_goes_on_where_a_planner_ended(desk: Desk, sender: Rehearsing) -> None:
    """What is in is not made again; what was found before and after is found."""
    sender.silent_from = 2
    mailing = await _frozen(desk)
    await desk.do(commands.StartDryRun(mailing=mailing))
    await until(sender.was_asked(2), 15)
    await desk.down()
    before = [n for n in sender.asked if n < 2]
    sender.silent_from = 99
    await desk.up()
    shown = await ended(desk, mailing)
    assert (shown["mails"], shown["failed"]) == (6, 1)
    assert [n for n in sender.asked if n < 2] == before
    assert list(dict.fromkeys(before)) == [0, 1]


@pytest.mark.feature("B13")
async def test_a_change_makes_a_dry_run_void(desk: Desk, sender: Rehearsing) -> None:
    """A run of what is no more fails, and what it found is not that of the mailing as it is."""
    sender.silent_from = 0
    mailing = await _frozen(desk)
    await desk.do(commands.StartDryRun(mailing=mailing))
    await until(sender.was_asked(0), 15)
    await desk.do(commands.RemoveRecipients(mailing=mailing, addresses=["q@x.example"]))
    shown = await ended(desk, mailing)
    assert (shown["state"], shown["problem"], shown["current"]) == ("failed", "it was changed meanwhile", False)
    assert "DryRunFinished" not in await desk.types(mailing)


@pytest.mark.feature("B13")
async def test_an_audience_that_is_frozen_anew_ends_the_run_that_waits_for_its_turn(
    desk: Desk, sender: Rehearsing
) -> None:
    """The rows of the old audience are half gone by then: that run fails, and a new one ends well."""
    sender.silent_from = 0
    first, second = await _frozen(desk), await desk.drafted(**LETTER)
    await desk.do(commands.FreezeAudience(mailing=second))
    await desk.do(commands.StartDryRun(mailing=first))
    await until(sender.was_asked(0), 15)
    await desk.do(commands.StartDryRun(mailing=second))
    await desk.do(commands.RemoveRecipients(mailing=second, addresses=["q@x.example"]))
    (before,) = [e.object for e in await desk.events(subjects.mailing(second)) if isinstance(e, AudienceFrozen)]
    await desk.do(commands.FreezeAudience(mailing=second))
    engine = create_engine(desk.settings, "planner")
    async with engine.begin() as conn:  # as where the planner died while it removed them
        gone = {"mailing": second, "object": before, "lines": -1, "complete": False}
        await conn.execute(AUDIENCES.insert().values(gone))
    await engine.dispose()
    await desk.do(commands.CancelDryRun(mailing=first))
    shown = await ended(desk, second)
    assert (shown["state"], shown["problem"]) == ("failed", "it was changed meanwhile")
    sender.silent_from = 99
    await desk.do(commands.StartDryRun(mailing=second))
    shown = await ended(desk, second)
    assert (shown["state"], shown["mails"], shown["current"]) == ("done", 6, True)


@pytest.mark.feature("B13")
async def test_a_run_that_meets_an_error_nobody_foresaw_is_tried_again(desk: Desk, sender: Rehearsing) -> None:
    """Whatever comes of asking, dry runs go on, and this one is asked for again."""
    sender.silent_from = 0
    mailing = await _frozen(desk)
    await desk.do(commands.StartDryRun(mailing=mailing))
    await desk.down()
    asked: list[str] = []

    async def broken(subject: str, _body: bytes, *, seconds: float) -> bytes | None:
        asked.append(subject)
        raise ConnectionClosedError if seconds else ValueError

    async def log_position() -> int:
        return 0

    nc, log, engine = desk.nc, desk.log, create_engine(desk.settings, "planner")
    keys = KeyRing.of(desk.settings.secret_keys, desk.settings.address_pepper)
    planning = Planning(engine, log, Documents(nc, subjects.PAYLOADS), Objects(nc, subjects.CONTENT), keys)
    folder = desk.settings.data_dir / "planner"
    freezer = Freezer(engine, Objects(nc, subjects.AUDIENCE), folder, log_position)
    running = asyncio.create_task(DryRuns(Reach(engine, log, freezer, planning, keys, broken, 1)).run())
    await until(lambda: len(asked) > 1 or running.done(), 30)
    assert not running.done()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await engine.dispose()
    await desk.up()
