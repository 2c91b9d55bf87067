"""Contacts and lists as somebody looks at them, and an address that is taken off a list, through the planner."""

import pytest

from shared.contracts import commands, subjects
from shared.contracts.audience import MemberRemoved
from shared.contracts.consent import OptedOut
from shared.keys import KeyRing
from tests.integration.planner.conftest import Desk
from tests.integration.planner.test_statuses import synced, told

pytestmark = pytest.mark.usefixtures("database")  # both of them


async def addresses(desk: Desk, name: str = "readers") -> list[str]:
    """Return who was put on a list."""
    return sorted(row["address"] for row in (await desk.ask(commands.ListMembers(list=name)))["rows"])


async def removals(desk: Desk) -> list[MemberRemoved]:
    """Return what the log says of those who were taken off lists."""
    found: list[MemberRemoved] = []
    async for commits in desk.log.scan([subjects.ALL_AUDIENCE]):
        events = [record.event for commit in commits for record in commit.events]
        found += [event for event in events if isinstance(event, MemberRemoved)]
    return found


async def test_a_contact_is_shown_with_all_that_is_known_of_it(desk: Desk) -> None:
    """Fields, kind, provider, account, records, addresses of the customer with their slots, lists, status, flags."""
    person = {"name": "Bob", "addresses": ["bob@gmail.com"]}
    await synced(
        desk,
        told("g", version=3, kind="account", name="Globex", fields={"city": "Oslo"}, lists=[]),
        told(
            "ann",
            "Info@one.example",
            "ann@two.example",
            version=7,
            kind="lead",
            name="Ann",
            account="g",
            status="Customer",
            persons=[person],
            fields={"points": "7"},
        ),
    )
    await desk.imported(b"email\ninfo@one.example\n", "Others")
    seen = await desk.ask(commands.ShowContact(address="info@ONE.example"))
    lists = {row["name"]: row["id"] for row in (await desk.ask(commands.Lists()))["lists"]}
    assert (seen["address"].lower(), seen["name"], seen["kind"]) == ("info@one.example", "Ann", "lead")
    assert (seen["status"], seen["flags"], seen["provider"]) == ("Customer", ["role"], "")
    assert seen["fields"]["points"] == "7"
    assert seen["account"] == {"source": "crm", "external": "g", "name": "Globex"}
    assert seen["records"] == [{"source": "crm", "external": "ann", "version": 7, "slot": "first"}]
    found = [(row["address"].lower(), row["name"], row["slot"]) for row in seen["addresses"]]
    assert found == [
        ("info@one.example", "Ann", "first"),
        ("ann@two.example", "Ann", "second"),
        ("bob@gmail.com", "Bob", "persons"),
    ]
    assert seen["lists"] == [{"id": lists[name], "name": name} for name in ("Others", "readers")]
    assert seen["created"] <= seen["updated"]
    bob = await desk.ask(commands.ShowContact(contact=seen["addresses"][2]["contact"]))
    assert (bob["address"], bob["provider"], bob["addresses"]) == ("bob@gmail.com", "gmail", seen["addresses"])
    assert bob["records"][0]["slot"] == "persons"


async def test_a_contact_of_a_file_is_a_customer_of_its_own(desk: Desk) -> None:
    """Without a record; a row with several addresses has one that no source owns; an account is not its own account."""
    await desk.imported(b"email,email2\nann@x.example,\nbob@x.example,bob@y.example\n")
    ann = await desk.ask(commands.ShowContact(address="ann@x.example"))
    assert (ann["kind"], ann["records"], ann["account"], ann["status"]) == ("contact", [], None, "")
    assert [(row["address"], row["slot"]) for row in ann["addresses"]] == [("ann@x.example", "first")]
    bob = await desk.ask(commands.ShowContact(address="bob@y.example"))
    assert bob["records"] == [{"source": "", "external": "", "version": 0, "slot": "second"}]
    assert [row["address"] for row in bob["addresses"]] == ["bob@x.example", "bob@y.example"]
    await synced(desk, told("g", "office@g.example", kind="account", name="Globex"))
    office = await desk.ask(commands.ShowContact(address="office@g.example"))
    assert (office["kind"], office["account"]) == ("account", None)


async def test_whom_nobody_knows_is_not_shown(desk: Desk) -> None:
    """An address, an id, none of both, and what is no address."""
    wanted = [{"address": "nobody@x.example"}, {"contact": "nope"}, {}, {"address": "no address"}]
    codes = []
    for each in wanted:
        answer = await desk.client.query(commands.ShowContact.model_validate(each))
        codes.append(answer.refusal and answer.refusal.code)
    assert codes == ["contact_unknown", "contact_unknown", "contact_unknown", "address_invalid"]


async def test_members_of_a_list_come_in_pages(desk: Desk) -> None:
    """Each once, by contact, with the rule that finds others beside them; what is no cursor or no list is refused."""
    await desk.imported(b"email,name\n" + b"".join(b"p%d@x.example,P%d\n" % (n, n) for n in range(5)))
    await desk.imported(b"email\nother@x.example\n", "Others")
    await desk.do(commands.RuleList(list="readers", rule="email = 'other@x.example'"))
    pages, after = [], ""
    while True:
        page = await desk.ask(commands.ListMembers(list="readers", limit=2, after=after))
        pages.append([(row["address"], row["name"]) for row in page["rows"]])
        if not (after := page["next"]):
            break
    assert [len(rows) for rows in pages] == [2, 2, 1]
    assert sorted(row for rows in pages for row in rows) == [(f"p{n}@x.example", f"P{n}") for n in range(5)]
    assert (page["name"], page["rule"]) == ("readers", "email = 'other@x.example'")
    assert await desk.ask(commands.ListMembers(list=page["list"])) == await desk.ask(
        commands.ListMembers(list="readers")
    )
    for wanted, code in (({"list": "nope"}, "list_unknown"), ({"list": "readers", "after": "\0"}, "invalid")):
        answer = await desk.client.query(commands.ListMembers.model_validate(wanted))
        assert answer.refusal is not None
        assert answer.refusal.code == code


async def test_an_address_is_taken_off_a_list_once(desk: Desk) -> None:
    """Under one key once; the log names list and contact, the audit who; other lists and consent stay as they are."""
    await desk.imported(b"email\nann@x.example\nbob@x.example\n")
    await desk.imported(b"email\nann@x.example\n", "Others")
    wanted = commands.RemoveFromList(address="ann@x.example", list="readers")
    done = await desk.do(wanted, "k")
    assert done["removed"]
    assert await addresses(desk) == ["bob@x.example"]
    assert await addresses(desk, "Others") == ["ann@x.example"]
    await desk.imported(b"email\nann@x.example\n")  # an import puts the person on again
    assert await desk.do(wanted, "k") == done
    assert await addresses(desk) == ["ann@x.example", "bob@x.example"]
    assert (await desk.do(wanted))["removed"]
    assert not (await desk.do(wanted))["removed"]
    event = MemberRemoved(list=done["list"], contact=done["contact"])
    assert await removals(desk) == [event, event]
    rows = (await desk.ask(commands.AuditTrail(command="list.remove")))["rows"]
    assert {row["outcome"] for row in rows} == {"ok"}
    seen = await desk.ask(commands.ShowContact(address="ann@x.example"))
    assert [row["name"] for row in seen["lists"]] == ["Others"]
    mailing = await desk.drafted()
    done = await desk.do(commands.FreezeAudience(mailing=mailing))
    assert done["recipients"] == 1
    assert await desk.refused(commands.RemoveFromList(address="no@x.example", list="readers")) == "contact_unknown"
    assert await desk.refused(commands.RemoveFromList(address="ann@x.example", list="nope")) == "list_unknown"
    assert await desk.refused(commands.RemoveFromList(address="ann", list="readers")) == "address_invalid"


async def test_who_was_taken_off_comes_back_by_a_later_word_of_the_producer(desk: Desk) -> None:
    """That the person is on the list, newer than what was told; not by what is told again, nor by other news."""
    first = told("ann", "ann@x.example", "anna@x.example", name="Ann")
    await synced(desk, first)
    await desk.do(commands.RemoveFromList(address="ann@x.example", list="readers"))
    await synced(desk, first)
    assert await addresses(desk) == ["anna@x.example"]
    await synced(desk, told("ann", "ann@x.example", "new@x.example", version=2, name="Anne", lists=["Others"]))
    assert await addresses(desk) == ["new@x.example"]
    assert await addresses(desk, "Others") == ["ann@x.example", "new@x.example"]
    await synced(desk, told("ann", "ann@x.example", "new@x.example", version=3, name="Anne"))
    assert await addresses(desk) == ["ann@x.example", "new@x.example"]


async def test_a_rule_finds_whom_somebody_took_off(desk: Desk) -> None:
    """The answer says so: membership is taken away, the rule is not."""
    await desk.imported(b"email\nann@x.example\n")
    await desk.do(commands.RuleList(list="readers", rule="email = 'ann@x.example'"))
    done = await desk.do(commands.RemoveFromList(address="ann@x.example", list="readers"))
    assert (done["removed"], done["rule"]) == (True, "email = 'ann@x.example'")
    assert await addresses(desk) == []
    mailing = await desk.drafted()
    assert (await desk.do(commands.FreezeAudience(mailing=mailing)))["recipients"] == 1


async def test_an_opt_out_stays_when_somebody_is_taken_off(desk: Desk) -> None:
    """Whoever comes back is still left out."""
    await desk.imported(b"email\nann@x.example\nbob@x.example\n")
    list_id = (await desk.ask(commands.ListMembers(list="readers")))["list"]
    key = KeyRing.of(desk.settings.secret_keys, desk.settings.address_pepper).address_key("ann@x.example")
    await desk.write(subjects.consent(subjects.partition(key)), OptedOut(address_key=key, scope=list_id, how="page"))
    await desk.do(commands.RemoveFromList(address="ann@x.example", list="readers"))
    await desk.imported(b"email\nann@x.example\n")
    mailing = await desk.drafted()
    done = await desk.do(commands.FreezeAudience(mailing=mailing))
    assert (done["recipients"], done["skipped"]) == (1, {"opted_out": 1})
