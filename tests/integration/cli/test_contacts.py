"""`posthaste contacts` and the idempotency keys of what changes something: the request it makes, and what it shows."""

from pathlib import Path

import pytest

from shared.contracts import commands
from shared.contracts.commands import Refusal
from tests.harness.posthaste import Posthaste
from tests.integration.cli.conftest import Services

ANN = {
    "contact": "c1",
    "address": "ann@one.example",
    "name": "Ann [x]",
    "kind": "lead",
    "provider": "",
    "status": "Customer",
    "flags": ["role"],
    "fields": {"city": "Oslo"},
    "account": {"source": "crm", "external": "g", "name": "Globex"},
    "records": [{"source": "", "external": "", "version": 0, "slot": "first"}],
    "addresses": [
        {"contact": "c1", "address": "ann@one.example", "name": "Ann", "slot": "first"},
        {"contact": "c2", "address": "bob@one.example", "name": "Bob", "slot": "persons"},
    ],
    "lists": [{"id": "l1", "name": "Readers"}],
    "created": "2026-11-27T12:00:00+00:00",
    "updated": "2026-11-27T12:00:00+00:00",
}


async def test_a_contact_is_shown_by_address_or_id(posthaste: Posthaste, services: Services) -> None:
    """All that is known of it; what has an @ is an address; nobody is a refusal."""
    services.says[commands.ShowContact] = ANN
    ended = await posthaste("contacts", "show", "ann@one.example")
    assert ended.code == 0, ended.error
    for said in (
        "Ann [x]",
        "lead",
        "Customer",
        "Globex (g of crm)",
        "Oslo",
        "row of a file",
        "bob@one.example",
        "Readers",
    ):
        assert said in ended.out, said
    assert (await posthaste("contacts", "show", "c1", "--json")).json["fields"] == {"city": "Oslo"}
    assert services.asked == [commands.ShowContact(address="ann@one.example"), commands.ShowContact(contact="c1")]
    services.says[commands.ShowContact] = Refusal(code="contact_unknown", message="Nobody.", field="contact")
    assert (await posthaste("contacts", "show", "c9")).error == "contact_unknown: Nobody. (contact)\n"


async def test_members_are_listed_with_the_rule_beside_them(posthaste: Posthaste, services: Services) -> None:
    """A page, where the next one begins, and that a rule adds others."""
    row = {"contact": "c1", "address": "ann@one.example", "name": "Ann"}
    page = {"list": "l1", "name": "Readers", "rule": "city = 'Oslo'", "rows": [row], "next": "c1"}
    services.says[commands.ListMembers] = page
    ended = await posthaste("contacts", "members", "Readers", "--limit", "1")
    assert "ann@one.example" in ended.out
    assert "--after c1" in ended.error
    assert "city = 'Oslo'" in ended.error
    assert services.asked == [commands.ListMembers(list="Readers", limit=1)]


async def test_somebody_is_taken_off_a_list(posthaste: Posthaste, services: Services) -> None:
    """Under the key that is given; whoever was not on it is told so, and so is that a rule finds them still."""
    services.says[commands.RemoveFromList] = {"list": "l1", "contact": "c1", "removed": True, "rule": ""}
    ended = await posthaste("contacts", "remove", "ann@one.example", "--list", "Readers", "--key", "once")
    assert (ended.out, services.keys) == ("Taken off the list.\n", ["once"])
    assert services.asked == [commands.RemoveFromList(address="ann@one.example", list="Readers")]
    services.says[commands.RemoveFromList] = {"list": "l1", "contact": "c1", "removed": False, "rule": "not role"}
    ended = await posthaste("contacts", "remove", "ann@one.example", "--list", "Readers")
    assert ended.out == "Nobody had put it on the list.\n"
    assert "not role" in ended.error


async def test_a_file_is_looked_at_before_it_is_imported(
    posthaste: Posthaste, services: Services, tmp_path: Path
) -> None:
    """Columns with their fields, rows with what is wrong; exit 1 where something keeps it from being imported."""
    (tmp_path / "people.csv").write_text("Mail;City\nann@one.example;Oslo\nnobody;Rome\n")
    rows = [
        {"line": 2, "cells": ["ann@one.example", "Oslo"], "reason": "", "column": ""},
        {"line": 3, "cells": ["nobody", "Rome"], "reason": "no @", "column": "email"},
    ]
    columns = [{"header": "Mail", "field": "email"}, {"header": "City", "field": ""}]
    seen = {"encoding": "utf-8", "delimiter": ";", "columns": columns, "rows": rows, "problem": None}
    services.says[commands.PreviewImport] = seen
    given = [str(tmp_path / "people.csv"), "--column", "Mail=email", "--limit", "5", "--delimiter", ";"]
    ended = await posthaste("contacts", "preview", *given)
    assert ended.code == 0, ended.error
    for said in ("Mail > email", "City > left out", "ann@one.example", "email: no @"):
        assert said in ended.out, said
    (wanted,) = services.asked
    assert isinstance(wanted, commands.PreviewImport)
    assert (wanted.columns, wanted.limit, wanted.delimiter) == ({"Mail": "email"}, 5, ";")
    problem = {"code": "quote_unclosed", "message": "A quote is not closed.", "field": "", "line": 3}
    services.says[commands.PreviewImport] = seen | {"problem": problem}
    ended = await posthaste("contacts", "preview", *given)
    assert ended.code == 1
    assert "quote_unclosed: A quote is not closed. (line 3)" in ended.out
    assert (await posthaste("contacts", "preview", *given, "--json")).json["problem"] == problem
    assert (await posthaste("contacts", "preview", str(tmp_path / "none.csv"))).error.startswith("no_file")


_ACCOUNTS = {"accounts": [{"account": "acc1", "name": "relay"}]}
_MAILBOXES = {"mailboxes": [{"mailbox": "box1", "name": "bounces"}]}
_TAKEN = {"kind": "bounce", "feedback_type": "", "proven": "", "mailing": "", "facts": 0, "recipients": []}


@pytest.mark.parametrize(
    ("typed", "model", "says"),
    [
        ("contacts block rival.example", commands.BlockDomain, {"domain": "rival.example"}),
        ("contacts opt-in ann@one.example --list L", commands.OptIn, {"state": "subscribed"}),
        ("contacts opt-out ann@one.example", commands.OptOut, {"scope": "*"}),
        ("contacts confirmation L --off", commands.ListConfirmation, {}),
        ("account test relay", commands.TestAccount, {}),
        ("mailbox test bounces", commands.TestMailbox, {}),
    ],
)
async def test_a_key_goes_with_what_changes_something(
    posthaste: Posthaste, services: Services, typed: str, model: type[commands.Command], says: dict[str, object]
) -> None:
    """As it was given."""
    services.says |= {model: says, commands.Accounts: _ACCOUNTS, commands.Mailboxes: _MAILBOXES}
    ended = await posthaste(*typed.split(), "--key", "once")
    assert ended.code == 0, ended.error
    assert isinstance(services.asked[-1], model)
    assert services.keys[-1] == "once"


async def test_the_same_file_under_the_same_key_is_the_same_request(
    posthaste: Posthaste, services: Services, tmp_path: Path
) -> None:
    """An import or a mail that came back; another file or key is another one; each mail has a key of its own."""
    done = dict.fromkeys(("rows", "added", "updated", "unchanged", "rejected"), 0) | {"state": "done", "problem": ""}
    services.says |= {commands.ImportStatus: done, commands.TakeFeedback: _TAKEN}
    (tmp_path / "one.csv").write_text("email\nann@one.example\n")
    for key in ("k", "k", "other"):
        ended = await posthaste("contacts", "import", str(tmp_path / "one.csv"), "--list", "L", "--key", key)
        assert ended.code == 0, ended.error
    first, again, other = [asked for asked in services.asked if isinstance(asked, commands.ImportContacts)]
    assert first == again
    assert first.upload != other.upload
    assert [key for key in services.keys if key] == ["k", "k", "other"]
    services.asked.clear()
    services.keys.clear()
    mails = tmp_path / "mails"
    mails.mkdir()
    for name in ("a.eml", "b.eml"):
        (mails / name).write_text(f"Subject: {name}\n\nx\n")
    for _ in range(2):
        ended = await posthaste("feedback", "take", str(mails), "--key", "k")
        assert ended.code == 0, ended.error
    assert services.asked[:2] == services.asked[2:]
    assert services.keys[:2] == services.keys[2:]
    assert len(set(services.keys)) == 2


async def test_each_page_that_is_judged_again_has_its_key(posthaste: Posthaste, services: Services) -> None:
    """The same ones when it is asked again, and others without a key."""
    page = {"judged": 1, "rules": 2}
    services.says[commands.RejudgeHits] = lambda asked: page | {"next": "" if asked.after else "7.0"}
    for given in (["--key", "k"], ["--key", "k"], []):
        ended = await posthaste("hits", "rejudge", "m1", *given)
        assert ended.code == 0, ended.error
    assert services.keys[:2] == services.keys[2:4]
    assert len(set(services.keys[:2])) == 2
    assert set(services.keys[4:]).isdisjoint(services.keys[:4])
