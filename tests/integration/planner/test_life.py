"""A mailing from import to completion, as the log tells it."""

from copy import copy
from datetime import datetime, time, timedelta

import orjson
import pytest

from shared import clock
from shared.contracts import commands, subjects
from shared.eventlog.documents import Documents
from shared.messaging.client import Client
from tests.harness.waiting import until
from tests.integration.planner.conftest import LETTER, Desk

PEOPLE = b"Email,Name,City\nann@x.example,Ann,Oslo\nbob@x.example,Bob,\nno-address,Nob,Rome\ncy@gmail.com,Cy,Bern\n"


async def test_a_mailing_goes_from_import_to_completion(desk: Desk) -> None:
    """Imported, frozen, scheduled at once, planned with payloads, finished by senders: it completes with its totals."""
    status = await desk.imported(PEOPLE)
    assert (status["added"], status["rejected"]) == (3, 1)
    mailing = await desk.drafted()
    frozen = await desk.do(commands.FreezeAudience(mailing=mailing))
    assert (frozen["recipients"], frozen["skipped"]) == (3, {})
    await desk.do(commands.ScheduleMailing(mailing=mailing))
    chunks = await desk.planned(mailing, 2)
    assert sorted(chunk.lane for chunk in chunks) == ["gmail", "rest"]
    payloads = Documents(desk.nc, subjects.PAYLOADS)
    rows = [
        orjson.loads(line)
        for chunk in chunks
        for line in (await payloads.get(subjects.payload(mailing, chunk.n))).split(b"\n")
    ]
    assert {row["address"]: row["fields"] for row in rows} == {
        "ann@x.example": {"city": "Oslo"},
        "bob@x.example": {},
        "cy@gmail.com": {"city": "Bern"},
    }
    for chunk in chunks:
        await desk.finish(chunk)
    await desk.happened(mailing, "MailingCompleted")
    assert await desk.types(mailing) == [
        "MailingDrafted",
        "AudienceFrozen",
        "MailingScheduled",
        "SendingStarted",
        "MailingCompleted",
    ]
    assert (await desk.events(subjects.mailing(mailing)))[-1].model_dump()["totals"] == {"accepted": 3}


@pytest.mark.feature("G7", "P1")
async def test_a_campaign_is_edited_closed_and_deleted_when_nothing_of_it_goes_out(desk: Desk) -> None:
    """Its dates bound its mailings; closed it takes none; with one on its way it stays."""
    await desk.imported(PEOPLE)
    mailing = await desk.drafted()
    draft = (await desk.events(subjects.mailing(mailing)))[0].model_dump()
    campaign = draft["campaign"]
    today = clock.now().date()
    edited = commands.EditCampaign(campaign=campaign, name="c", lists=["readers"], starts_on=today + timedelta(days=7))
    assert await desk.refused(edited.model_copy(update={"lists": ["nobody"]})) == "list_unknown"
    await desk.do(edited)
    await desk.do(commands.FreezeAudience(mailing=mailing))
    assert await desk.refused(commands.ScheduleMailing(mailing=mailing)) == "outside_campaign"
    at = datetime.combine(today + timedelta(days=7), time(9))
    await desk.do(commands.ScheduleMailing(mailing=mailing, at=at))
    await desk.do(commands.CloseCampaign(campaign=campaign))
    again = {"campaign": campaign, "name": "n", "account": draft["account"], "sender_address": "a@example.com"}
    assert await desk.refused(commands.DraftMailing.model_validate(again | LETTER)) == "campaign_closed"
    assert await desk.refused(commands.DeleteCampaign(campaign=campaign)) == "campaign_running"
    await desk.do(commands.CancelMailing(mailing=mailing))
    await desk.do(commands.DeleteCampaign(campaign=campaign))
    assert await desk.refused(edited) == "campaign_deleted"
    names = [type(event).__name__ for event in await desk.events(subjects.campaign(campaign))]
    assert names == ["CampaignOpened", "CampaignEdited", "CampaignClosed", "CampaignDeleted"]


@pytest.mark.feature("B13")
async def test_a_mailing_is_foreseen_and_starts_when_a_second_person_approved(desk: Desk) -> None:
    """Who may not cannot; who looked at another plan cannot; at its start it waits for the approval."""
    await desk.imported(PEOPLE)
    account, maker = await desk.account(), copy(desk)
    maker.client = Client(desk.nc, "producer")
    mailing = await maker.drafted(account=account, limits={"per_hour": 3600})
    campaign = (await desk.events(subjects.mailing(mailing)))[0].model_dump()["campaign"]
    await desk.do(commands.EditCampaign(campaign=campaign, name="c", lists=["readers"], approval=True))
    await maker.do(commands.FreezeAudience(mailing=mailing))
    before = await desk.ask(commands.Forecast(mailing=mailing))
    assert (before["left"], before["per_second"], before["assumed"], before["plan"]) == (3, 1, False, "")
    await maker.do(commands.ScheduleMailing(mailing=mailing))
    await desk.happened(mailing, "MailingPaused")
    plan = (await desk.ask(commands.Forecast(mailing=mailing)))["plan"]
    approve = commands.ApproveMailing(mailing=mailing, plan=plan)
    assert await maker.refused(approve) == "forbidden"
    assert await desk.refused(approve.model_copy(update={"plan": "0" * 32})) == "plan_changed"
    await desk.do(approve)
    await desk.happened(mailing, "SendingStarted")
    await desk.planned(mailing, 2)


async def test_whoever_made_a_mailing_does_not_approve_of_it(desk: Desk) -> None:
    """Though allowed to: another person has to."""
    await desk.imported(PEOPLE)
    mailing = await desk.drafted()
    campaign = (await desk.events(subjects.mailing(mailing)))[0].model_dump()["campaign"]
    await desk.do(commands.EditCampaign(campaign=campaign, name="c", lists=["readers"], approval=True))
    await desk.do(commands.FreezeAudience(mailing=mailing))
    await desk.do(commands.ScheduleMailing(mailing=mailing))
    plan = (await desk.ask(commands.Forecast(mailing=mailing)))["plan"]
    assert await desk.refused(commands.ApproveMailing(mailing=mailing, plan=plan)) == "approval_own"


async def test_the_directory_holds_everyone_imported(desk: Desk) -> None:
    """A page of the directory names every contact with address and name."""
    await desk.imported(PEOPLE)
    people = Documents(desk.nc, subjects.PEOPLE)

    async def published() -> list[list[str]]:
        stored = await people._reader.last(subjects.person_page(0))
        return orjson.loads(stored.data)["people"] if stored else []

    page = await until(published)
    assert sorted(person[1:] for person in page) == [
        ["ann@x.example", "Ann"],
        ["bob@x.example", "Bob"],
        ["cy@gmail.com", "Cy"],
    ]


@pytest.mark.feature("B13")
async def test_a_start_is_tried_out_and_nothing_is_set(desk: Desk) -> None:
    """What is wrong with it is told as `schedule` would, also before an audience is frozen; it stays planned."""
    await desk.imported(PEOPLE)
    mailing = await desk.drafted()
    later = datetime.combine(clock.now().date() + timedelta(days=3), time(9))
    tried = commands.Foresee(mailing=mailing, at=later)

    async def wrong(**fields: object) -> str:
        refusal = (await desk.client.query(tried.model_copy(update=fields))).refusal
        return refusal.code if refusal else ""

    assert await wrong(at=later - timedelta(days=9)) == "start_in_past"
    assert await wrong(zone="Nowhere") == "zone_unknown"
    assert await wrong(deadline=later) == "deadline_too_early"
    assert await wrong() == "audience_missing"
    await desk.do(commands.FreezeAudience(mailing=mailing))
    foreseen = await desk.ask(tried)
    assert (foreseen["status"], foreseen["left"]) == ("planned", 3)
    assert foreseen["starts_at"].startswith(f"{later:%Y-%m-%dT%H:%M}")
    assert (await desk.ask(commands.Forecast(mailing=mailing)))["plan"] == ""
