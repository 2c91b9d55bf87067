"""Who gets a mailing, as a marketer chooses it by command line and HTTP; counted at the sink and in the report."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from shared import clock
from shared.contracts import subjects
from shared.eventlog.connection import close
from tests.harness.marketer import LETTER, Marketer, body_of
from tests.harness.waiting import until

pytestmark = pytest.mark.asyncio(loop_scope="package")


def whom(*names: str) -> set[str]:
    """Return the addresses of records of the CRM."""
    return {f"{name}@one.example" for name in names}


@pytest.mark.feature("A7", "G8", "P6")
async def test_lists_of_all_kinds_are_combined(shop: Marketer, tmp_path: Path) -> None:
    """Static and by a rule, with people of the CRM, of a file and typed in; of whatever kind, each gets one mail."""
    fair = {"lists": ["Fair"]}
    await shop.told(
        {"id": "office", "kind": "account", "name": "Globex", **fair},
        {"id": "ann", "account": "office", **fair},
        {"id": "lea", "kind": "lead", **fair},
        {"id": "uma", "kind": "user", **fair},
        {"id": "pat", "kind": "partner"},
    )
    await shop.done("PUT", "/lists/Partners/rule", {"rule": "kind = 'partner'"})
    (tmp_path / "people.csv").write_text("email,name\ncyd@two.example,Cyd\n")
    await shop.ran("contacts", "import", str(tmp_path / "people.csv"), "--list", "File")
    brought = await shop.brought_in(b"email;name\nANN@one.example;Ann\nmax@two.example;Max\nno address;No\n", "File")
    assert (brought["state"], brought["rejected"]) == ("done", 1)
    assert await shop.denied("POST", "/campaigns", {"name": "None", "lists": []}) == "invalid"
    lists = ("--list", "Fair", "--list", "Partners", "--list", "File")
    campaign = (await shop.ran("campaign", "open", "--name", "Fair", *lists))["campaign"]
    text = "{{ kind | default('person') }} {{ name }} of {{ Account.name | default('nobody') }}"
    mailing = await shop.draft(campaign, text=text)
    assert await shop.denied("PUT", f"/mailings/{mailing}/sources", {"sources": {"lists": []}}) == "sources_empty"
    assert await shop.fails("mailing", "audience", mailing, "--no-lists") == "sources_empty"

    two = await shop.fixed(mailing, lists=["Fair", "Partners"])
    assert (two["recipients"], two["skipped"]) == (5, {})
    await shop.ran("mailing", "sources", mailing)
    everybody = await shop.ran("mailing", "audience", mailing, *lists, "--add", "typed@new.example")
    assert everybody["recipients"] == 8
    await shop.ran("mailing", "schedule", mailing)
    mails = await shop.completed(mailing)
    said = {to: body_of(mail).splitlines()[0] for to, mail in mails.items()}
    assert said.pop("typed@new.example").startswith("person")
    assert {to.lower(): words for to, words in said.items()} == {
        "office@one.example": "account Globex of Globex",
        "ann@one.example": "person Ann of Globex",
        "lea@one.example": "lead Lea of nobody",
        "uma@one.example": "user Uma of nobody",
        "pat@one.example": "partner Pat of nobody",
        "cyd@two.example": "person Cyd of nobody",
        "max@two.example": "person Max of nobody",
    }
    rows = (await shop.ran("mailing", "recipients", mailing))["rows"]
    assert sorted(row["address"] for row in rows if row["status"] == "Sent") == sorted(mails)


def award(activity: str, days: float, campaign: str, *names: str) -> dict[str, Any]:
    """Return a CloudEvent that points were awarded, days ago."""
    who = [{"id": name} for name in names]
    data = {"id": activity, "type": "points awarded", "campaign": campaign, "participants": who}
    event = {"specversion": "1.0", "id": activity, "source": "crm", "type": "activity.happened/1", "data": data}
    return event | {"time": (clock.now() - timedelta(days=days)).isoformat()}


@pytest.mark.feature("G9", "G10", "G11")
async def test_whoever_had_something_to_do_with_another_campaign(shop: Marketer) -> None:
    """The contacts of an earlier mailing, of the last activity of a type, less or more those of a helper list."""
    rome = {"fields": {"city": "Rome"}}
    people = {"bea": rome, "bob": {}, "dan": {}, "eve": rome, "flo": {}}
    await shop.told(*({"id": name, "lists": ["Old"]} | more for name, more in people.items()))
    await shop.told({"id": "gus", **rome})
    await shop.done("PUT", "/lists/Romans/rule", {"rule": "city = 'Rome'"})
    march, may = await shop.campaign("Old", name="March"), await shop.campaign("Old", name="April")
    for name in ("First", "Second"):
        await shop.draft(march, name=name)
    earlier = await shop.begun(march, name="The earlier one")
    assert set(await shop.completed(earlier)) == whom(*people)
    for limit, names in ((50, ["The earlier one", "Second", "First"]), (2, ["The earlier one", "Second"])):
        offered = (await shop.done("GET", f"/mailings?campaign={march}&limit={limit}"))["mailings"]
        assert [row["name"] for row in offered] == names, "the last ones of a campaign, on demand"
    last = (await shop.ran("mailing", "list", "--campaign", march, "--limit", "2"))["mailings"]
    assert [row["mailing"] for row in last] == [row["mailing"] for row in offered]

    producer = await shop.system.local.connect("producer")
    told = (award("a1", 3, may, "bea"), award("a2", 2, may, "bea", "bob"), award("a3", 1, march, "flo"))
    await producer.jetstream().publish(subjects.ACTIVITIES_IN, json.dumps(told).encode())
    await close(producer)

    async def goes_to(*sources: str) -> set[str]:
        mailing = await shop.draft(may)
        await shop.ran("mailing", "audience", mailing, "--no-lists", *sources)
        await shop.ran("mailing", "schedule", mailing)
        return set(await shop.completed(mailing))

    mailing = await shop.draft(may)

    async def taken_in() -> bool:
        wanted = {"sources": {"lists": [], "activities": [{"type": "points awarded", "campaign": may}]}}
        await shop.done("PUT", f"/mailings/{mailing}/sources", wanted)
        reply = await shop.asked("POST", f"/mailings/{mailing}/audience", {})
        return reply.status_code == 200 and reply.json()["data"]["recipients"] == 2

    await until(taken_in, 30, every=0.1)
    await shop.done("POST", f"/mailings/{mailing}/schedule", {})
    assert set(await shop.completed(mailing)) == whom("bea", "bob")
    assert await goes_to("--activity", "points awarded") == whom("flo"), "the last one of any campaign"
    assert await goes_to("--from", earlier, "--only-on", "Romans") == whom("bea", "eve")
    added = await goes_to("--activity", f"points awarded@{may}", "--helper", "Romans")
    assert added == whom("bea", "bob", "eve", "gus")


@pytest.mark.feature("B11")
async def test_whoever_is_left_out_has_a_reason(shop: Marketer) -> None:
    """Excluded, mailed too often, twice on the lists, opted out, added or removed by hand; a rule's list is live."""
    names = ("mia", "ned", "oda", "pia", "quin", "rex")
    await shop.told(*({"id": name, "lists": ["Left", "Right"]} for name in names), {"id": "staff", "lists": ["Staff"]})
    await shop.done("PUT", "/lists/Live/rule", {"rule": "on list 'Left' and name != 'Pia'"})
    campaign = await shop.campaign("Live", "Right", name="Left out")
    often = await shop.draft(campaign)
    await shop.ran("mailing", "audience", often, "--no-lists", "--add", "mia@one.example")
    await shop.ran("mailing", "schedule", often)
    await shop.completed(often)
    await shop.told({"id": "ned", "lists": ["Left", "Staff"]})
    await shop.ran("contacts", "opt-out", "oda@one.example")
    mailing = await shop.draft(campaign)
    await shop.done("PUT", f"/mailings/{mailing}/sources", {"sources": {"lists": ["Live"], "exclude": ["Staff"]}})
    await shop.done("POST", f"/mailings/{mailing}/recipients/remove", {"addresses": ["quin@one.example"]})

    async def capped() -> dict[str, str]:
        sources = ("--list", "Live", "--exclude", "Staff", "--cap", "1/7")
        rows = (await shop.ran("mailing", "audience", mailing, *sources))["rows"]
        found = {row["address"].partition("@")[0]: row["skipped"] for row in rows}
        return found if found["mia"] and found["oda"] else {}  # facts follow what happened a moment later

    assert await until(capped, 30, every=0.1) == {
        "mia": "frequency_cap",
        "ned": "excluded",
        "oda": "opted_out",
        "quin": "removed",
        "rex": "",
    }
    await shop.ran("mailing", "schedule", mailing)
    assert set(await shop.completed(mailing)) == whom("rex")
    left_out = (await shop.status(mailing))["left_out"]
    assert left_out == dict.fromkeys(("frequency_cap", "excluded", "opted_out", "removed"), 1)
    both = await shop.draft(campaign)
    assert (await shop.fixed(both, lists=["Live", "Right"]))["recipients"] == 5, "one mail an address across lists"


@pytest.mark.feature("G7", "A9")
async def test_a_mailing_begins_with_a_campaign_that_is_going_on(shop: Marketer) -> None:
    """One that is open and ends after today takes it, and gives it its dates; none of the others does."""
    await shop.told({"id": "kim", "lists": ["Dates"]})
    today = clock.now().date()
    days = {name: str(today + timedelta(days=shift)) for name, shift in (("today", 0), ("soon", 2), ("end", 9))}
    letter = LETTER | {"name": "x", "account": shop.system.account}
    ended = await shop.campaign("Dates", name="Ended", ends_on=days["today"])
    closed = await shop.campaign("Dates", name="Closed")
    await shop.ran("campaign", "close", closed)
    for campaign, code in ((ended, "campaign_ended"), (closed, "campaign_closed")):
        assert await shop.denied("POST", "/mailings", letter | {"campaign": campaign}) == code
    dates = ("--starts", days["today"], "--ends", days["end"], "--kind", "newsletter")
    going = (await shop.ran("campaign", "open", "--name", "Going", "--list", "Dates", *dates))["campaign"]
    coming = await shop.campaign("Dates", name="Coming", starts_on=days["soon"])
    rows = {row["campaign"]: row for row in (await shop.done("GET", "/campaigns"))["campaigns"]}
    shown = [(rows[of]["kind"], rows[of]["status"], rows[of]["ends_on"] or "") for of in (ended, closed, going, coming)]
    assert shown == [
        ("email", "open", days["today"]),
        ("email", "closed", ""),
        ("newsletter", "open", days["end"]),
        ("email", "open", ""),
    ]
    early = await shop.draft(coming)
    await shop.fixed(early)
    assert await shop.denied("POST", f"/mailings/{early}/schedule", {}) == "outside_campaign"
    late = ("--at", f"{today + timedelta(days=10)}T09:00")
    mailing = await shop.draft(going)
    await shop.fixed(mailing)
    assert await shop.fails("mailing", "schedule", mailing, *late) == "outside_campaign"
    await shop.ran("mailing", "schedule", mailing)
    assert set(await shop.completed(mailing)) == whom("kim")
    status = await shop.ran("mailing", "status", mailing)
    assert status["deadline"].startswith(f"{today + timedelta(days=10)}T00:00")
    assert not shop.arrived(early)
