"""Addresses of customers: up to three of their own and those of contact persons; a mailing uses those it chooses."""

import json
from typing import Any

import pytest

from shared.contracts import commands, subjects
from shared.contracts.mailing import AudienceFrozen
from shared.eventlog.documents import Documents
from tests.harness.waiting import until
from tests.integration.planner.conftest import Desk
from tests.integration.planner.test_statuses import synced, told

ANN = ("ann@one.example", "ann@two.example", "ann@three.example")
JOE = {"name": "Joe", "addresses": ["joe@one.example"], "fields": {"role": "buyer"}}


async def frozen(desk: Desk, mailing: str, *slots: str) -> tuple[set[tuple[str, str]], dict[str, int], int]:
    """Freeze with these addresses; return address and slot of each recipient, who is left out, and the customers."""
    if slots:
        wanted = {"mailing": mailing, "sources": {"addresses": slots}}
        await desk.do(commands.ChooseSources.model_validate(wanted))
    done = await desk.do(commands.FreezeAudience(mailing=mailing))
    page = await desk.ask(commands.Audience(mailing=mailing, only="recipients"))
    rows = {(row["address"], row["slot"]) for row in page["rows"]}
    return rows, done["skipped"], done["customers"]


@pytest.mark.feature("M1")
async def test_a_mailing_uses_the_addresses_it_chooses(desk: Desk) -> None:
    """All of the customer's own without a word, else those that are named; mails and customers are counted apart."""
    await synced(desk, told("1", *ANN, persons=[JOE]), told("2", "bob@one.example"))
    mailing = await desk.drafted()
    own = {(address, slot) for address, slot in zip(ANN, ("first", "second", "third"), strict=True)}
    bob, joe = ("bob@one.example", "first"), ("joe@one.example", "persons")
    assert await frozen(desk, mailing) == ({*own, bob}, {"other_address": 1}, 2)
    assert await frozen(desk, mailing, "first") == ({(ANN[0], "first"), bob}, {"other_address": 3}, 2)
    assert await frozen(desk, mailing, "third") == ({(ANN[2], "third")}, {"other_address": 4}, 1)
    assert await frozen(desk, mailing, "persons") == ({joe}, {"other_address": 4}, 1)
    everybody = ("first", "second", "third", "persons")
    assert await frozen(desk, mailing, *everybody) == ({*own, bob, joe}, {}, 2)
    counted = [event for event in await desk.events(subjects.mailing(mailing)) if isinstance(event, AudienceFrozen)]
    assert (counted[-1].recipients, counted[-1].customers) == (5, 2)


@pytest.mark.feature("M1")
async def test_consent_holds_for_the_address_and_a_person_has_its_own_name(desk: Desk) -> None:
    """Who opted out with one address gets it at the other; whoever was added by hand gets it whatever is chosen."""
    await synced(desk, told("1", *ANN[:2], name="Ann", fields={"city": "Oslo"}, persons=[JOE]))
    await desk.do(commands.OptOut(address=ANN[0]))
    mailing = await desk.drafted()
    rows, skipped, customers = await frozen(desk, mailing, "first", "second", "persons")
    assert rows == {(ANN[1], "second"), ("joe@one.example", "persons")}
    assert (skipped, customers) == ({"opted_out": 1}, 1)
    shown = await desk.ask(commands.PreviewMailing(mailing=mailing, contact="joe@one.example"))
    assert shown["subject"] == "Hello Joe"
    assert "Oslo" in shown["html"]
    await desk.do(commands.AddRecipients(mailing=mailing, addresses=["joe@one.example"]))
    rows, skipped, _ = await frozen(desk, mailing, "first")
    assert rows == {("joe@one.example", "persons")}
    assert skipped == {"opted_out": 1, "other_address": 1}


async def slots(desk: Desk, mailing: str) -> dict[str, str]:
    """Return address -> slot of everybody."""
    rows, *_ = await frozen(desk, mailing, "first", "second", "third", "persons")
    return dict(rows)


@pytest.mark.feature("M1")
async def test_an_address_that_moves_is_where_the_record_says_last(desk: Desk) -> None:
    """The order of a record is what counts; who is no longer named is on its lists no more."""
    await synced(desk, told("1", *ANN, persons=[JOE]))
    mailing = await desk.drafted()
    await synced(desk, told("1", ANN[1], ANN[0], version=2))
    assert await slots(desk, mailing) == {ANN[1]: "first", ANN[0]: "second"}


@pytest.mark.feature("M1")
async def test_a_file_brings_customers_with_several_addresses(desk: Desk) -> None:
    """Columns `email2` and of persons; a row that comes again moves the slot; a bad one is left out alone."""
    file = (
        b"email,E-Mail 2,name,city,person.email,person.name\n"
        b"ann@one.example,ann@two.example,Ann,Oslo,joe@one.example,Joe\n"
        b"bob@one.example,nonsense,Bob,Rome,,\n"
        b"cyd@one.example,,Cyd,Bonn,,\n"
    )
    status = await desk.imported(file)
    assert (status["added"], status["rejected"]) == (5, 1)
    (row,) = (await desk.ask(commands.RejectedRows(upload=await _last(desk, file))))["rows"]
    assert (row["line"], row["column"], row["value"]) == (3, "E-Mail 2", "nonsense")
    mailing = await desk.drafted()
    singles = {"bob@one.example": "first", "cyd@one.example": "first"}
    ann = {"ann@one.example": "first", "joe@one.example": "persons"}
    assert await slots(desk, mailing) == singles | ann | {"ann@two.example": "second"}
    shown = await desk.ask(commands.PreviewMailing(mailing=mailing, contact="joe@one.example"))
    assert (shown["subject"], "Oslo" in shown["html"]) == ("Hello Joe", True)
    await desk.imported(b"email,email2\nann@one.example,ann@new.example\n")
    done = await slots(desk, mailing)
    assert (done["ann@new.example"], done["ann@two.example"]) == ("second", "first")


async def _last(desk: Desk, file: bytes) -> str:
    """Return the upload of a file that is imported once more."""
    upload, parts = await desk.upload(file)
    wanted: dict[str, Any] = {"upload": upload, "parts": parts, "list": "readers"}
    await desk.do(commands.ImportContacts.model_validate(wanted))
    await desk.import_ended(upload)
    return upload


async def _customers(desk: Desk) -> dict[str, str]:
    """Return whose customer the directory says each address is, of those that share one."""
    stored = await Documents(desk.nc, subjects.PEOPLE).get(subjects.person_page(0))
    return {row[1]: row[6] for row in json.loads(stored)["people"] if len(row) > 6}


@pytest.mark.feature("M1")
async def test_the_directory_says_who_shares_a_customer(desk: Desk) -> None:
    """By records and by rows of a file; who has one address shares none; who leaves, shares no more."""
    await synced(desk, told("1", *ANN[:2]), told("2", "bob@one.example"))
    await desk.imported(b"email,email2\ncyd@one.example,cyd@two.example\neve@one.example,\n")
    shared = {*ANN[:2], "cyd@one.example", "cyd@two.example"}

    async def are(wanted: set[str]) -> dict[str, str]:
        found = await _customers(desk)
        return found if found.keys() == wanted else {}

    found = await until(lambda: are(shared), 30)
    assert found[ANN[0]] == found[ANN[1]] != found["cyd@one.example"] == found["cyd@two.example"]
    await synced(desk, told("1", ANN[0], version=2), told("2", "bob@one.example", "bob@two.example", version=2))
    await until(lambda: are({"bob@one.example", "bob@two.example", "cyd@one.example", "cyd@two.example"}), 30)
