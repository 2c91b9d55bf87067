"""Activities over NATS: producers tell of them in any order, mailings go to who took part in the most recent one."""

import json
from datetime import timedelta
from typing import Any

import orjson
import pytest
from sqlalchemy import func, select

from services.planner.contacts import activities
from services.planner.contacts.activities import ACTIVITIES, PARTICIPANTS
from shared import clock
from shared.contracts import commands, subjects
from shared.contracts.audience import ActivitiesTold
from shared.contracts.campaign import CampaignOpened
from shared.contracts.mailing import MailingDrafted
from shared.contracts.sources import OfActivity, Sources
from shared.database import create_engine
from shared.eventlog.reader import Reader
from tests.harness.waiting import until
from tests.integration.planner.conftest import Desk

pytestmark = pytest.mark.usefixtures("database")


def record(name: str) -> dict[str, Any]:
    """Return a CloudEvent that a customer of the CRM has an address, on no list."""
    data = {"id": name, "version": 1, "addresses": [f"{name}@x.example"]}
    return {"specversion": "1.0", "id": name, "source": "crm", "type": "contact.upserted/1", "data": data}


def award(activity: str, days: float, *participants: dict[str, str], **more: str) -> dict[str, Any]:
    """Return a CloudEvent that points were awarded, days ago."""
    return {
        "specversion": "1.0",
        "id": f"{activity}-told",
        "source": "crm",
        "type": "activity.happened/1",
        "time": (clock.now() - timedelta(days=days)).isoformat(),
        "data": {"id": activity, "type": "points awarded", "participants": participants} | more,
    }


async def tell(desk: Desk, subject: str, *events: dict[str, Any]) -> int:
    """Publish a message, wait until it is taken in, return its sequence."""
    seq = (await desk.nc.jetstream().publish(subject, json.dumps(events).encode())).seq

    async def taken() -> bool:
        info = await desk.nc.jetstream().consumer_info(subjects.INBOX, subjects.PLANNER_INTAKE)
        return info.ack_floor is not None and (info.ack_floor.stream_seq or 0) >= seq

    await until(taken, 20)
    return seq


async def got(desk: Desk, mailing: str, campaign: str = "", **more: object) -> str:
    """Choose who took part, freeze, and return who gets it."""
    activity = OfActivity(type="points awarded", campaign=campaign)
    sources = Sources.model_validate({"lists": [], "activities": [activity]} | more)
    await desk.do(commands.ChooseSources(mailing=mailing, sources=sources))
    await desk.do(commands.FreezeAudience(mailing=mailing))
    rows = (await desk.ask(commands.Audience(mailing=mailing, limit=1000)))["rows"]
    return " ".join(sorted(row["address"].partition("@")[0] for row in rows if not row["skipped"]))


async def recorded(desk: Desk) -> list[ActivitiesTold]:
    """Return what stands in the log of activities."""
    found = []
    async for commits in desk.log.scan([subjects.ALL_AUDIENCE]):
        found += [record.event for commit in commits for record in commit.events]
    return [event for event in found if isinstance(event, ActivitiesTold)]


@pytest.mark.feature("G10")
async def test_a_mailing_goes_to_who_took_part_in_the_most_recent_activity(desk: Desk) -> None:
    """By record or address, known before or after; of a campaign by its id or name; the rules of audiences hold."""
    await desk.imported(b"email\nann@x.example\nbob@x.example\n", "one")
    mailing = await desk.drafted(["one"])
    drafted = (await desk.events(subjects.mailing(mailing)))[0]
    assert isinstance(drafted, MailingDrafted)
    campaign = drafted.campaign
    opened = (await desk.events(subjects.campaign(campaign)))[0]
    assert isinstance(opened, CampaignOpened)
    name = opened.name
    await tell(desk, "in.activities", award("a1", 2, {"address": "bob@x.example"}, campaign=campaign))
    assert await got(desk, mailing, campaign) == "bob"
    several = ({"id": "carl"}, {"address": "Ann@x.example"}, {"address": "nobody@x.example"})
    await tell(desk, "in.activities", award("a2", 1, *several, campaign=name))
    await tell(desk, "in.activities", award("a0", 0.5, {"address": "bob@x.example"}, campaign="June"))
    await tell(desk, "in.activities", award("a9", -1, {"address": "bob@x.example"}, campaign=campaign))
    assert await got(desk, mailing, campaign) == "ann"
    await tell(desk, "in.contacts", record("carl"), record("dora"))
    assert await got(desk, mailing, campaign) == await got(desk, mailing, name) == "ann carl"
    assert await got(desk, mailing) == "bob"
    assert await got(desk, mailing, campaign, exclude=["one"]) == "carl"
    assert await got(desk, mailing, campaign, lists=None) == "ann bob carl"
    await tell(desk, "in.activities", award("a2", 3, {"id": "dora"}, campaign="too old to be heard"))
    assert await got(desk, mailing, campaign) == "ann carl dora"
    unheard = Sources(activities=[OfActivity(type="points awarded", campaign="July")])
    assert await desk.refused(commands.ChooseSources(mailing=mailing, sources=unheard)) == "activity_unknown"
    shown = await desk.ask(commands.ChosenSources(mailing=mailing))
    assert shown["sources"]["activities"] == [{"type": "points awarded", "campaign": campaign}]


@pytest.mark.feature("G10")
async def test_an_activity_told_again_changes_nothing(desk: Desk) -> None:
    """Counts stand in the log once, without who it was; INBOX holds nothing of it."""
    event = award("a1", 1, {"id": "carl"}, {"address": "ann@x.example"})
    for _ in range(2):
        await tell(desk, "in.activities", event, event)
    assert await recorded(desk) == [ActivitiesTold(source="crm", activities=1, participants=2, stale=1)]
    more = award("a1", 1, {"id": "carl"}, {"id": "dora"}) | {"time": event["time"]}
    await tell(desk, "in.activities", more)
    assert (await recorded(desk))[1:] == [ActivitiesTold(source="crm", participants=1)]
    assert await Reader(desk.nc, subjects.INBOX).last(subjects.ACTIVITIES_IN) is None


@pytest.mark.feature("G10")
async def test_a_bad_activity_is_parked_and_can_be_handed_back(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """The good ones count, the pointer names the field; as after an upgrade it is taken in when it is understood."""
    good, bad = award("a1", 1, {"id": "carl"}), award("a2", 1, {"id": "carl"}, type="x" * 101)
    seq = await tell(desk, "in.activities", bad, good)
    parked, inbox = Reader(desk.nc, subjects.PARKED), Reader(desk.nc, subjects.INBOX)
    (pointer,) = await parked.batch(subjects.ALL_PARKED, 1, 100)
    assert orjson.loads(pointer.data)["seq"] == seq
    assert orjson.loads(pointer.data)["reason"].startswith("1 of 2 events: event 0, data.type: ")
    assert await desk.refused(commands.Redrive(seq=pointer.seq)) == "cannot_redrive"
    assert [event.activities for event in await recorded(desk)] == [1]
    await desk.do(commands.Redrive(seq=pointer.seq, drop=True))
    assert await inbox.at(seq) is None
    with monkeypatch.context() as older:
        older.setattr("shared.contracts.activities.EVENTS", {})
        seq = await tell(desk, "in.activities", award("a3", 1, {"id": "carl"}))
    (pointer,) = await parked.batch(subjects.ALL_PARKED, 1, 100)
    await desk.do(commands.Redrive(seq=pointer.seq))
    assert [event.activities for event in await recorded(desk)] == [1, 1]
    assert (await parked.batch(subjects.ALL_PARKED, 1, 100), await inbox.at(seq)) == ([], None)


@pytest.mark.feature("G10")
async def test_what_is_long_past_is_forgotten_but_for_the_most_recent(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of each type in each campaign one stays, whatever its age, and is a source still; one of tomorrow is not it."""
    await desk.imported(b"email\nann@x.example\nbob@x.example\ncyd@x.example\n", "one")
    ann, bob, cyd, eve = ({"address": f"{name}@x.example"} for name in ("ann", "bob", "cyd", "eve"))
    told = [
        award("oldest", 40, ann, bob, eve),
        award("old", 30, bob, ann, eve),
        award("soon", -1, cyd),
        award("of-May", 50, cyd, campaign="May"),
        award("of-May-before", 60, ann, campaign="May"),
        award("visit", 90, bob, type="visit"),
        award("new", 5, ann, type="call"),
        award("newer", 4, ann, type="call"),
    ]
    await tell(desk, subjects.ACTIVITIES_IN, *told)
    monkeypatch.setattr(activities, "SLICE", 2)
    engine = create_engine(desk.settings, "planner")
    assert await activities.forget(engine, 10) == 2
    assert await activities.forget(engine, 10) == 0
    async with engine.connect() as conn:
        left = await conn.scalar(select(func.count()).select_from(ACTIVITIES))
        who = await conn.scalar(select(func.count()).select_from(PARTICIPANTS))
    await engine.dispose()
    assert (left, who) == (6, 8)
    mailing = await desk.drafted(["one"])
    assert await got(desk, mailing) == "ann bob"
    assert await got(desk, mailing, "May") == "cyd"
