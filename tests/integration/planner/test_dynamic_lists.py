"""Lists that a rule makes, through the planner: given, counted, changed, and frozen as an audience."""

import pytest

from shared.contracts import commands, subjects
from shared.contracts.audience import DomainBlocked, ListRuled
from shared.contracts.consent import OptedOut
from shared.keys import KeyRing
from tests.integration.planner.conftest import Desk

PEOPLE = b"""email,name,City,points
ann@x.example,Ann,ATHENS,7
bob@x.example,Bob,Rome,50
eve@x.example,Eve,Athens,
kim@x.example,Kim,athens,1000
info@x.example,,Oslo,1
"""

pytestmark = pytest.mark.usefixtures("database")  # both of them


async def audience(desk: Desk, mailing: str) -> dict[str, str]:
    """Freeze and return address -> why it was left out."""
    await desk.do(commands.FreezeAudience(mailing=mailing))
    rows = (await desk.ask(commands.Audience(mailing=mailing)))["rows"]
    return {row["address"]: row["skipped"] for row in rows}


async def test_a_list_by_a_rule_is_a_list(desk: Desk) -> None:
    """Its members are whom the rule finds when the audience is frozen, and those who were put on it."""
    await desk.imported(PEOPLE)
    done = await desk.do(commands.RuleList(list="Athenians", rule="city = 'Athens' and not points > 100"))
    assert (done["found"], done["unknown_fields"]) == (2, [])
    rows = {row["name"]: row for row in (await desk.ask(commands.Lists()))["lists"]}
    assert rows["Athenians"]["rule"] == "city = 'Athens' and not points > 100"
    mailing = await desk.drafted(["Athenians"], html="<p>{{ city }} {{ points | default('0') }}</p>")
    assert await audience(desk, mailing) == {"ann@x.example": "", "eve@x.example": ""}
    await desk.do(commands.RuleList(list="Athenians", rule="points >= 50"))
    assert await audience(desk, mailing) == {"bob@x.example": "", "kim@x.example": ""}
    await desk.imported(b"email,points\nann@x.example,60\nbob@x.example,1\n", "Others")
    assert await audience(desk, mailing) == {"ann@x.example": "", "kim@x.example": ""}
    await desk.imported(b"email\ninfo@x.example\n", "Athenians")
    assert set(await audience(desk, mailing)) == {"ann@x.example", "kim@x.example", "info@x.example"}
    await desk.do(commands.RuleList(list=rows["Athenians"]["id"]))
    assert await audience(desk, mailing) == {"info@x.example": ""}


async def test_consent_to_a_list_by_a_rule_is_consent_to_that_list(desk: Desk) -> None:
    """Who opted out of it is left out by name of the list, however the rule came to find them."""
    await desk.imported(PEOPLE)
    list_id = (await desk.do(commands.RuleList(list="Athenians", rule="city = 'Athens'")))["list"]
    key = KeyRing.of(desk.settings.secret_keys, desk.settings.address_pepper).address_key("ann@x.example")
    opted = OptedOut(address_key=key, scope=list_id, how="page")
    position = await desk.write(subjects.consent(subjects.partition(key)), opted)
    mailing = await desk.drafted(["Athenians"])
    assert await audience(desk, mailing) == {"ann@x.example": "opted_out", "eve@x.example": "", "kim@x.example": ""}
    wanted = commands.CountSegment(rule="on list 'Athenians' and not opted out of 'Athenians'", limit=0)
    assert (await desk.ask(wanted, at_least=position))["count"] == 2


async def test_whom_a_rule_finds_is_counted_and_shown_in_pages(desk: Desk) -> None:
    """The count is of all, the rows of a page, by contact; fields that nobody has are named."""
    await desk.imported(PEOPLE)
    first = await desk.ask(commands.CountSegment(rule="city = 'athens' or cty = 'Rome'", limit=2))
    assert (first["count"], first["unknown_fields"]) == (3, ["cty"])
    rest = await desk.ask(commands.CountSegment(rule="city = 'athens'", limit=2, after=first["next"]))
    found = [row["address"] for row in first["rows"] + rest["rows"]]
    assert sorted(found) == ["ann@x.example", "eve@x.example", "kim@x.example"]
    assert rest["next"] == ""
    only = await desk.ask(commands.CountSegment(rule="name = 'bob'", limit=0))
    assert (only["count"], only["rows"], only["next"]) == (1, [], "")


async def test_what_is_no_rule_changes_nothing(desk: Desk) -> None:
    """It is refused with line and field; a list that would be looked for in itself is, too, and made by nobody."""
    await desk.imported(PEOPLE)
    assert await desk.refused(commands.RuleList(list="Broken", rule="city =")) == "rule_invalid"
    assert await desk.refused(commands.RuleList(list="Broken", rule="on list 'Broken'")) == "list_unknown"
    assert await desk.refused(commands.RuleList(list="Broken")) == "list_unknown"
    assert await desk.refused(commands.RuleList(list="readers", rule="on list 'readers'")) == "list_in_itself"
    await desk.do(commands.RuleList(list="A", rule="on list 'readers'"))
    assert await desk.refused(commands.RuleList(list="readers", rule="on list 'A'")) == "list_in_itself"
    assert [row["name"] for row in (await desk.ask(commands.Lists()))["lists"]] == ["A", "readers"]


async def test_the_log_tells_that_a_rule_changed_and_not_what_it_says(desk: Desk) -> None:
    """Once each, under one key once; the words stay in the database, for they may name people."""
    await desk.imported(PEOPLE)
    wanted = commands.RuleList(list="One", rule="email = 'ann@x.example'")
    done = await desk.do(wanted, "k")
    assert await desk.do(wanted, "k") == done
    await desk.do(commands.RuleList(list="One"))
    told: list[ListRuled] = []
    async for commits in desk.log.scan([subjects.ALL_AUDIENCE]):
        events = [record.event for commit in commits for record in commit.events]
        told += [event for event in events if isinstance(event, ListRuled)]
    assert [bool(event.rule) for event in told] == [True, False]
    assert {event.list for event in told} == {done["list"]}
    assert "ann" not in "".join(event.model_dump_json() for event in told)


async def test_contacts_of_a_blocked_domain_are_left_out(desk: Desk) -> None:
    """Of the domain and those below it, whatever the case, with the reason, until it is let go."""
    await desk.imported(b"email\na@Rival.example\nb@sub.rival.example\nc@arrival.example\n")
    done = await desk.do(commands.BlockDomain(domain="RIVAL.example", reason="a rival"))
    assert done == {"domain": "rival.example", "blocked": True}
    mailing = await desk.drafted()
    assert await audience(desk, mailing) == {
        "a@Rival.example": "blocked_domain",
        "b@sub.rival.example": "blocked_domain",
        "c@arrival.example": "",
    }
    assert (await desk.ask(commands.BlockedDomains()))["rows"] == [{"domain": "rival.example", "reason": "a rival"}]
    await desk.do(commands.BlockDomain(domain="rival.example", blocked=False))
    assert set((await audience(desk, mailing)).values()) == {""}
    assert await desk.refused(commands.BlockDomain(domain="no domain")) == "domain_invalid"
    told: list[DomainBlocked] = []
    async for commits in desk.log.scan([subjects.ALL_AUDIENCE]):
        events = [record.event for commit in commits for record in commit.events]
        told += [event for event in events if isinstance(event, DomainBlocked)]
    assert [event.blocked for event in told] == [True, False]
    assert "rival" not in "".join(event.model_dump_json() for event in told)
