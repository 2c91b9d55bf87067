"""Records of several kinds on one list, and people who are addressed with what is known of their account."""

from itertools import permutations
from typing import Any

import pytest

from services.planner.settings import PlannerSettings
from shared.contracts import commands
from tests.integration.planner.conftest import Desk
from tests.integration.planner.test_statuses import synced, told

LETTER = {
    "subject": "For {{ name }} of {{ account.name | default('nobody') }}",
    "text": "In {{ account.city | default('?') }}",
}


@pytest.fixture
def planner_settings(planner_settings: PlannerSettings) -> PlannerSettings:
    """Return settings that know one kind of record more."""
    return planner_settings.model_copy(update={"record_kinds": "partner"})


async def shown(desk: Desk, mailing: str, address: str) -> tuple[str, str]:
    """Return subject and text as somebody would get it."""
    seen = await desk.ask(commands.PreviewMailing(mailing=mailing, contact=address))
    return seen["subject"], seen["text"].splitlines()[0]


def account(version: int = 1, name: str = "Globex", **fields: str) -> dict[str, Any]:
    """Return an account without an address."""
    return told("g", version=version, kind="account", name=name, fields=fields)


def person(record: str, version: int = 1, **more: object) -> dict[str, Any]:
    """Return a person of the account."""
    return told(record, f"{record}@one.example", version=version, name=record.title(), **{"account": "g", **more})


@pytest.mark.feature("A7")
@pytest.mark.parametrize("order", list(permutations(range(2))), ids=str)
async def test_people_are_addressed_with_what_is_known_of_their_account(desk: Desk, order: tuple[int, int]) -> None:
    """Whichever of the two is told first; they follow when it changes, and lose it when they leave it."""
    events = [account(city="Oslo"), person("ann")]
    for place in order:
        await synced(desk, events[place])
    mailing = await desk.drafted(html="", **LETTER)
    assert await shown(desk, mailing, "ann@one.example") == ("For Ann of Globex", "In Oslo")
    await synced(desk, account(version=2, name="Initech"))
    assert await shown(desk, mailing, "ann@one.example") == ("For Ann of Initech", "In ?")
    await synced(desk, person("ann", version=2, account=""))
    assert await shown(desk, mailing, "ann@one.example") == ("For Ann of nobody", "In ?")


@pytest.mark.feature("A6", "A7")
async def test_an_account_that_has_an_address_is_its_own(desk: Desk) -> None:
    """It is addressed as its people are; when it becomes a person without an account it is so no more."""
    await synced(desk, told("g", "office@g.example", kind="account", name="Globex", fields={"city": "Oslo"}))
    mailing = await desk.drafted(html="", **LETTER)
    assert await shown(desk, mailing, "office@g.example") == ("For Globex of Globex", "In Oslo")
    await synced(desk, told("g", "office@g.example", version=2, name="Globex"))
    assert await shown(desk, mailing, "office@g.example") == ("For Globex of nobody", "In ?")


@pytest.mark.feature("A7")
async def test_a_list_mixes_kinds_of_records(desk: Desk) -> None:
    """Contacts, leads, users, accounts and a kind that the settings add get one mailing; a rule tells them apart."""
    kinds = ("contact", "lead", "user", "account", "partner")
    await synced(desk, *(told(kind, f"{kind}@one.example", kind=kind) for kind in kinds))
    mailing = await desk.drafted()
    done = await desk.do(commands.FreezeAudience(mailing=mailing))
    assert (done["recipients"], done["customers"]) == (5, 5)
    found = await desk.ask(commands.CountSegment(rule="kind in ('lead', 'partner')"))
    assert {row["address"] for row in found["rows"]} == {"lead@one.example", "partner@one.example"}


@pytest.mark.feature("A7")
async def test_a_kind_that_nobody_knows_is_left_out_with_the_reason(
    desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    """Parked where a producer says it, answered where a program does, a rejected row in a file; the others are in."""
    kinds = ["contact", "lead", "account", "user", "partner"]
    assert (await desk.ask(commands.Lists()))["kinds"] == kinds
    known = f"is no kind of record that is known here: {', '.join(kinds)} are (POSTHASTE_RECORD_KINDS)"
    donor, partner = (told(kind, f"{kind}@one.example", kind=kind) for kind in ("donor", "Partner"))
    answered = await desk.do(commands.TellContacts(events=[donor, partner]))
    (problem,) = answered["problems"]
    assert (answered["taken"], problem["place"], problem["field"]) == (1, 0, "data.kind")
    assert known in problem["why"]
    await synced(desk, donor)
    assert f"parked: 1 of 1 events: event 0, data.kind: Value error, {known}" in caplog.text
    upload, parts = await desk.upload(b"email,kind\nann@x.example,Lead\nbob@x.example,donor\n")
    await desk.do(commands.ImportContacts(upload=upload, parts=parts, list="readers"))
    status = await desk.import_ended(upload)
    assert (status["added"], status["rejected"]) == (1, 1)
    (row,) = (await desk.ask(commands.RejectedRows(upload=upload)))["rows"]
    assert (row["line"], row["column"], row["reason"], row["value"]) == (3, "kind", known, "donor")
