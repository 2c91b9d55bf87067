"""Audiences from all kinds of sources on a real planner: who gets it, and why each of the others does not."""

from datetime import timedelta

import pytest

from shared import clock
from shared.contracts import commands, subjects
from shared.contracts.consent import OptedOut
from shared.contracts.engagement import Hit, HitsRecorded
from shared.contracts.mailing import RecipientAdded, RecipientRemoved
from shared.contracts.sources import Cap, Helper, OfMailing, Sources
from shared.keys import KeyRing
from tests.integration.planner.conftest import Desk

pytestmark = pytest.mark.usefixtures("database")


def people(first: int, last: int) -> bytes:
    """Return a file of contacts p<first> to p<last>."""
    return b"email\n" + b"".join(b"p%d@x.example\n" % at for at in range(first, last + 1))


async def who(desk: Desk, mailing: str, **sources: object) -> dict[str, str]:
    """Choose the sources, freeze, and return number of the person -> why left out, "" for recipients."""
    if sources:
        await desk.do(commands.ChooseSources(mailing=mailing, sources=Sources.model_validate(sources)))
    await desk.do(commands.FreezeAudience(mailing=mailing))
    rows = (await desk.ask(commands.Audience(mailing=mailing, limit=1000)))["rows"]
    return {row["address"].partition("@")[0]: row["skipped"] for row in rows}


def got(found: dict[str, str]) -> str:
    """Return who gets it, in a line."""
    return " ".join(sorted(person for person, why in found.items() if not why))


async def sent(desk: Desk, mailing: str) -> list[str]:
    """Start a mailing and let all of it be accepted; return the contacts of its only chunk."""
    await desk.do(commands.ScheduleMailing(mailing=mailing))
    chunk = (await desk.planned(mailing, 1))[0]
    await desk.finish(chunk)
    await desk.happened(mailing, "MailingCompleted")
    return chunk.contacts


async def another(desk: Desk, lists: list[str]) -> str:
    """Draft one more mailing in a campaign of its own."""
    account = (await desk.ask(commands.Accounts()))["accounts"][0]["account"]
    return await desk.drafted(lists, account=account)


@pytest.mark.feature("G8", "G11", "B11", "P6")
async def test_lists_helper_lists_and_exclusions_are_combined(desk: Desk) -> None:
    """Each contact gets it once or has the first reason that applies."""
    for name, first, last in (("one", 1, 4), ("two", 4, 6), ("fair", 6, 8), ("staff", 2, 2)):
        await desk.imported(people(first, last), name)
    mailing = await desk.drafted(["one", "two"])
    assert got(await who(desk, mailing)) == "p1 p2 p3 p4 p5 p6"
    assert got(await who(desk, mailing, lists=["two"])) == "p4 p5 p6"
    assert got(await who(desk, mailing, lists=["two"], helper=Helper(list="fair"))) == "p4 p5 p6 p7 p8"
    kept = await who(desk, mailing, helper=Helper(list="fair", mode="only"), exclude=["staff"])
    assert kept == dict.fromkeys(("p1", "p3", "p4", "p5"), "not_on_helper_list") | {"p2": "excluded", "p6": ""}
    shown = await desk.ask(commands.ChosenSources(mailing=mailing))
    assert shown["sources"]["helper"]["mode"] == "only"
    assert sorted(shown["lists"].values()) == ["fair", "one", "staff", "two"]
    unknown = Sources(exclude=["nobody"])
    assert await desk.refused(commands.ChooseSources(mailing=mailing, sources=unknown)) == "list_unknown"
    foreign = Sources(lists=["staff"])
    assert await desk.refused(commands.ChooseSources(mailing=mailing, sources=foreign)) == "list_not_in_campaign"


@pytest.mark.feature("P1", "P6", "G3")
async def test_single_recipients_are_added_and_removed_before_the_start(desk: Desk) -> None:
    """By address, new ones too; whoever is added by hand passes all but consent; events hold no address."""
    await desk.imported(people(1, 3), "one")
    mailing = await desk.drafted(["one"])
    await desk.do(commands.AddRecipients(mailing=mailing, addresses=["new@x.example", "p3@x.example"]))
    done = await desk.do(commands.RemoveRecipients(mailing=mailing, addresses=["P1@x.example"]))
    found = await who(desk, mailing, exclude=["one"])
    assert found == {"p1": "removed", "p2": "excluded", "p3": "", "new": ""}
    page = await desk.ask(commands.Audience(mailing=mailing, search="NEW@"))
    assert [row["address"] for row in page["rows"]] == ["new@x.example"]
    events = [
        e for e in await desk.events(subjects.mailing(mailing)) if isinstance(e, RecipientAdded | RecipientRemoved)
    ]
    assert events[-1] == RecipientRemoved(contacts=done["contacts"])
    assert "@" not in repr(events)
    await desk.do(commands.AddRecipients(mailing=mailing, contacts=done["contacts"]))
    assert await desk.refused(commands.ScheduleMailing(mailing=mailing)) == "audience_missing"
    assert (await who(desk, mailing))["p1"] == ""
    nobody = commands.RemoveRecipients(mailing=mailing, addresses=["nobody@x.example"])
    assert await desk.refused(nobody) == "contact_unknown"
    assert await desk.refused(commands.AddRecipients(mailing=mailing, addresses=["no address"])) == "address_invalid"
    await desk.do(commands.ScheduleMailing(mailing=mailing))
    assert await desk.refused(commands.AddRecipients(mailing=mailing, addresses=["x@x.example"])) == "audience_fixed"


@pytest.mark.feature("G9", "B14", "B11", "F3")
async def test_outcomes_of_earlier_mailings_are_sources(desk: Desk) -> None:
    """Who read it, who did not, less the removed; a frequency cap counts all mailings; a number becomes a list."""
    keys = KeyRing.of(desk.settings.secret_keys, desk.settings.address_pepper)
    await desk.imported(people(1, 5), "one")
    first = await desk.drafted(["one"])
    await who(desk, first)
    rows = (await desk.ask(commands.Audience(mailing=first)))["rows"]
    place = {row["address"].partition("@")[0]: row["index"] for row in rows}
    await sent(desk, first)
    later = clock.now() + timedelta(minutes=5)  # sooner, it would be a machine
    hits = [
        Hit(id=f"h{person}", kind="open", mailing=first, n=0, index=place[person], at=later, agent=agent)
        for person, agent in (("p1", "google-proxy"), ("p2", "automat"))
    ]
    await desk.write(subjects.engagement(0), HitsRecorded(hits=hits))
    key = keys.address_key("p3@x.example")
    list_id = (await desk.ask(commands.Lists()))["lists"][0]["id"]
    left = OptedOut(address_key=key, scope=list_id, how="page", mailing=first, n=0, index=place["p3"])
    await desk.write(subjects.consent(subjects.partition(key)), left)

    await desk.imported(people(5, 6), "others")
    second = await another(desk, ["others"])
    assert got(await who(desk, second, lists=[], mailings=[OfMailing(mailing=first, group="read")])) == "p1"
    unread = await who(desk, second, lists=[], mailings=[OfMailing(mailing=first, group="not_opened")])
    assert unread == {"p2": "", "p3": "opted_out", "p4": "", "p5": ""}
    everybody = await who(desk, second, mailings=[OfMailing(mailing=first)])
    assert got(everybody) == "p1 p2 p4 p5 p6"
    assert got(await who(desk, second, mailings=[OfMailing(mailing=first)], cap=Cap(mails=1, days=7))) == "p6"
    capped = await who(desk, second, cap=Cap(mails=1, days=7))
    assert capped == {"p5": "frequency_cap", "p6": ""}
    made = await desk.do(commands.ListFrom(mailing=first, group="sent", list="follow up"))
    assert made["contacts"] == 4  # the removed one is not among them
    third = await another(desk, ["follow up"])
    assert got(await who(desk, third)) == "p1 p2 p4 p5"
    unfrozen = Sources(mailings=[OfMailing(mailing=await another(desk, ["one"]))])
    assert await desk.refused(commands.ChooseSources(mailing=third, sources=unfrozen)) == "audience_missing"
