"""Records of several kinds on one list, and people who are addressed with what is known of their account."""

from itertools import permutations
from typing import Any

import pytest

from shared.contracts import commands
from tests.integration.planner.conftest import Desk
from tests.integration.planner.test_statuses import synced, told

LETTER = {
    "subject": "For {{ name }} of {{ account.name | default('nobody') }}",
    "text": "In {{ account.city | default('?') }}",
}


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
    """Contacts, leads, users, accounts and a kind of one's own get one mailing; a rule tells them apart."""
    kinds = ("contact", "lead", "user", "account", "partner")
    await synced(desk, *(told(kind, f"{kind}@one.example", kind=kind) for kind in kinds))
    mailing = await desk.drafted()
    done = await desk.do(commands.FreezeAudience(mailing=mailing))
    assert (done["recipients"], done["customers"]) == (5, 5)
    found = await desk.ask(commands.CountSegment(rule="kind in ('lead', 'partner')"))
    assert {row["address"] for row in found["rows"]} == {"lead@one.example", "partner@one.example"}
