"""Through which account mails go, what becomes of each, and who is told; by command line and HTTP, up to the sink."""

import asyncio
import json
from collections import Counter
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from shared import clock
from tests.harness.hooked import Told, signature
from tests.harness.marketer import LETTER, PATIENCE, Marketer, body_of, events_of, read
from tests.harness.recipient import browser, links_of, read_by_a_person
from tests.harness.smtp import Accepted, Phase, ScriptedSmtp, Session
from tests.harness.waiting import until

pytestmark = pytest.mark.asyncio(loop_scope="package")


@pytest.mark.feature("P2", "P5", "A2")
async def test_nothing_goes_without_an_account_that_works(shop: Marketer, tmp_path: Path) -> None:
    """Of several each mailing names one; untested or broken, it lets none be made or started; what breaks it fails.

    Nobody but the senders that an administrator allowed an account can be the sender of a mail through it.
    """
    await shop.told({"id": "ann", "lists": ["One"]})
    campaign = await shop.campaign("One")
    refuses = False

    def greets(_session: Session, phase: Phase) -> bytes | None:
        return b"554 5.7.1 We do not know you\r\n" if refuses and phase == "greeting" else None

    async with ScriptedSmtp(greets) as other:
        smtp = ("--host", "127.0.0.1", "--tls", "none", "--sender", "other@shop.example")
        added = await shop.ran("account", "add", "--name", "other", "--port", "1", *smtp)
        named = {"account": added["account"], "sender_address": "other@shop.example"}
        wanted = LETTER | {"campaign": campaign, "name": "x"} | named
        assert await shop.denied("POST", "/mailings", wanted) == "account_not_tested"
        assert await shop.denied("POST", f"/accounts/{added['account']}/test", {}) == "account_not_working"
        assert await shop.denied("POST", "/mailings", wanted) == "account_not_working"
        await shop.ran("account", "edit", "other", "--port", str(other.port))
        await shop.ran("account", "test", "other", "--to", "me@shop.example")
        assert [mail.recipient for mail in other.accepted] == ["me@shop.example"]

        (text := tmp_path / "x.txt").write_text("Hello")
        of = ("--account", "other", "--from", "news@shop.example", "--subject", "x", "--text", str(text))
        assert await shop.fails("mailing", "draft", "--name", "x", "--campaign", campaign, *of) == "sender_not_allowed"
        assert await shop.fails("mail", "send", "--to", "ann@one.example", *of) == "sender_not_allowed"
        theirs = {"account": shop.system.account, "sender_address": "other@shop.example"}
        assert await shop.denied("POST", "/mailings", wanted | theirs) == "sender_not_allowed"
        mail = theirs | {"to": "ann@one.example", "subject": "x", "text": "x"}
        assert await shop.denied("POST", "/mails", mail) == "sender_not_allowed"

        through, over = await shop.draft(campaign, **named), await shop.draft(campaign)
        for mailing in (through, over):
            await shop.fixed(mailing)
        await shop.ran("account", "edit", "other", "--port", "1")
        assert await shop.fails("mailing", "schedule", through) == "account_not_tested"
        await shop.ran("account", "edit", "other", "--port", str(other.port))
        await shop.ran("account", "test", "other")
        refuses = True
        await shop.ran("mailing", "schedule", through)
        failed = await shop.becomes(through, lambda status: status["status"] == "Failed")
        assert "554" in failed["reason"]
        assert await shop.denied("POST", f"/mailings/{through}/resume", {}) == "account_not_working"
        refuses = False
        await shop.ran("account", "test", "other")
        await shop.ran("mailing", "resume", through)
        await shop.ran("mailing", "schedule", over)
        assert set(await shop.completed(over)) == {"ann@one.example"}
        await shop.completed(through)
        assert [mail.sender for mail in other.accepted[1:]] == ["other@shop.example"]
        assert [mail.sender for mail in shop.arrived(over)] == ["news@shop.example"]
        assert not shop.arrived(through), "it went through the other relay"


async def _signed_in(shop: Marketer, name: str) -> str:
    """Make a person who works on mailings; return the session."""
    signs_in = {"email": f"{name.lower()}@shop.example", "password": "correct horse"}
    await shop.done("POST", "/users", signs_in | {"name": name, "permissions": ["view", "create", "edit", "send"]})
    return str((await shop.done("POST", "/sessions", signs_in))["session"])


@pytest.mark.feature("P4", "A11")
async def test_a_test_goes_to_whoever_is_signed_in(shop: Marketer) -> None:
    """Before the start, in the words of a real recipient; to others where they are named; the list gets nothing."""
    await shop.told({"id": "bob", "lists": ["Two"]})
    session = await _signed_in(shop, "Eve")
    mailing = await shop.draft(await shop.campaign("Two"))
    await shop.fixed(mailing)
    assert await shop.fails("mailing", "test", mailing) == "no_own_address"
    tests = [await shop.done("POST", f"/mailings/{mailing}/test", {}, bearer=session)]
    tests.append(await shop.ran("mailing", "test", mailing, "--to", "me@shop.example"))
    for tried, to in zip(tests, ("eve@shop.example", "me@shop.example"), strict=True):
        await shop.becomes(tried["test"], lambda status: status["sent"] == 1)
        (mail,) = shop.arrived(tried["test"])
        assert (mail.recipient, read(mail)["Subject"]) == (to, "For Bob")
        assert body_of(read(mail)).startswith("Dear Bob")
    status = await shop.status(mailing)
    assert (status["status"], status["sent"], len(shop.arrived(mailing))) == ("Planned", 0, 0)


@pytest.mark.feature("G4")
async def test_whoever_drafts_a_mailing_is_told_how_it_ended(shop: Marketer) -> None:
    """A person who signed in and named nobody; who names nobody on purpose, and a program, is told nothing."""
    await shop.told({"id": "uli", "lists": ["Own"]})
    session = await _signed_in(shop, "Liv")
    wanted = LETTER | {"campaign": await shop.campaign("Own"), "account": shop.system.account}
    own = (await shop.done("POST", "/mailings", wanted | {"name": "Mine"}, bearer=session))["mailing"]
    silent = (await shop.done("POST", "/mailings", wanted | {"name": "Quiet", "notify": []}, bearer=session))["mailing"]
    program = (await shop.done("POST", "/mailings", wanted | {"name": "Program"}))["mailing"]
    for mailing in (silent, program, own):
        await shop.fixed(mailing)
        await shop.done("POST", f"/mailings/{mailing}/schedule", {})
        await shop.completed(mailing)

    def told() -> list[str]:
        return [
            str(read(mail)["Subject"]) for mail in shop.system.relay.accepted if mail.recipient == "liv@shop.example"
        ]

    assert await until(told, PATIENCE) == ["Completed: Mine"]


@pytest.mark.feature("P7")
async def test_each_recipient_has_a_status_and_a_cause(shop: Marketer) -> None:
    """Pending, sent, or failed: rejected, expired, skipped, in doubt, cancelled."""
    names = ("cyd", "reject-1", "busy-1", "lost-1", "gone")
    await shop.told(*({"id": name, "lists": ["Fates"]} for name in names))
    campaign = await shop.campaign("Fates")
    mailing = await shop.draft(campaign, tracking="off")
    await shop.fixed(mailing)
    await shop.ran("contacts", "opt-out", "gone@one.example")
    await shop.done("POST", f"/mailings/{mailing}/schedule", {})
    brief = await shop.draft(campaign, retry_for=0)
    await shop.ran("mailing", "audience", brief, "--no-lists", "--add", "busy-1@one.example")
    await shop.ran("mailing", "schedule", brief)

    async def stands(mailing: str) -> dict[str, tuple[str, str]]:
        rows = (await shop.ran("mailing", "recipients", mailing))["rows"]
        return {row["address"].partition("@")[0]: (row["status"], row["outcome"]) for row in rows}

    async def tried() -> bool:
        found = await stands(mailing)
        busy = found.get("busy-1", ("", ""))
        return busy[1] == "deferred" and Counter(status for status, _ in found.values())["Pending"] == 1

    await until(tried, PATIENCE, every=0.2)
    assert await stands(mailing) == {
        "cyd": ("Sent", "accepted"),
        "reject-1": ("Failed", "rejected"),
        "busy-1": ("Pending", "deferred"),
        "lost-1": ("Failed", "in_doubt"),
        "gone": ("Failed", "skipped"),
    }
    rows = {
        row["address"].partition("@")[0]: row
        for row in (await shop.done("GET", f"/mailings/{mailing}/recipients"))["rows"]
    }
    assert (rows["reject-1"]["code"], rows["reject-1"]["enhanced"]) == (550, "5.1.1")
    assert rows["busy-1"]["code"] == 450
    assert rows["gone"]["cause"], "the event by which the person left"
    assert rows["lost-1"]["cause"], "what happened to the connection"
    assert {mail.recipient for mail in shop.arrived(mailing)} == {"cyd@one.example", "lost-1@one.example"}
    await shop.ran("mailing", "cancel", mailing)

    async def given_up() -> bool:
        return (await stands(mailing))["busy-1"] == ("Failed", "cancelled")

    await until(given_up, PATIENCE, every=0.2)
    await shop.completed(brief)
    assert await stands(brief) == {"busy-1": ("Failed", "expired")}


@pytest.mark.feature("G4", "G5", "G12")
async def test_who_is_named_is_told_of_the_end_by_mail_and_by_webhook(shop: Marketer, tmp_path: Path) -> None:
    """Once each, though they opted out of everything: the totals, and what the relay said against whom it refused."""
    await shop.ran("contacts", "opt-out", "boss@shop.example")
    await shop.told({"id": "kai", "lists": ["End"]}, {"id": "reject-2", "lists": ["End"]})
    (tmp_path / "end.txt").write_text("Hello")
    letter = ("--from", "Shop <news@shop.example>", "--subject", "Hi", "--text", str(tmp_path / "end.txt"))
    told = Told(refuses=0)
    async with await asyncio.start_server(told.answer, "127.0.0.1", 0) as server:
        url = f"http://localhost:{server.sockets[0].getsockname()[1]}/hook"
        notify = ("--notify", "boss@shop.example", "--notify", "editor@shop.example", "--notify-url", url)
        of = ("--name", "The {{ end }}", "--campaign", await shop.campaign("End"), "--account", "relay")
        mailing = (await shop.ran("mailing", "draft", *of, *letter, *notify))["mailing"]
        await shop.ran("mailing", "audience", mailing)
        await shop.ran("mailing", "schedule", mailing)
        await shop.completed(mailing)
        await until(lambda: told.came, PATIENCE)
    ((headers, body),) = told.came
    assert headers["webhook-signature"] == signature(headers["webhook-id"], headers["webhook-timestamp"], body)
    said = json.loads(body)
    assert (said["type"], said["data"]["mailing"]) == ("mailing.completed", mailing)
    assert said["data"]["totals"] == {"accepted": 1, "rejected": 1}
    assert said["data"]["errors"] == [{"reply": "550 5.1.1 User unknown", "recipients": 1}]

    def notices() -> list[Accepted]:
        found = [mail for mail in shop.system.relay.accepted if b"Subject: Completed: The" in mail.content]
        return found if len(found) > 1 else []

    notes = await until(notices, PATIENCE) or []
    assert sorted(mail.recipient for mail in notes) == ["boss@shop.example", "editor@shop.example"]
    for note in map(read, notes):
        assert (note["Subject"], note["Auto-Submitted"]) == ("Completed: The {{ end }}", "auto-generated")
        assert (note["From"], note["List-Unsubscribe"]) == ("Shop <news@shop.example>", None)
        for words in ('"The {{ end }}" is completed.', "accepted: 1", "rejected: 1", "1 x 550 5.1.1 User unknown"):
            assert words in body_of(note)
    rows = (await shop.ran("mailing", "recipients", mailing, "--outcome", "rejected"))["rows"]
    assert [(row["address"], row["text"]) for row in rows] == [("reject-2@one.example", "User unknown")]
    assert (await shop.status(mailing))["rejected"] == 1
    assert len(notices()) == 2, "each was told once"


@pytest.mark.feature("B21")
async def test_a_key_is_one_act_and_the_audit_says_whose(shop: Marketer, tmp_path: Path) -> None:
    """Over HTTP and by the command line; another body under it is refused; who, what, whence, and what came of it."""
    issued = await shop.ran("token", "issue", "--name", "shop", "--permission", "send", "--permission", "view")
    bearer = issued["secret"]
    mail = {"account": shop.system.account, "to": "dan@two.example", "subject": "Once"}
    mail |= {"sender_address": "news@shop.example", "text": "Hello"}
    first = await shop.done("POST", "/mails", mail, key="order-1", bearer=bearer)
    assert await shop.done("POST", "/mails", mail, key="order-1", bearer=bearer) == first
    reply = await shop.asked("POST", "/mails", mail | {"subject": "Twice"}, key="order-1", bearer=bearer)
    assert (reply.status_code, reply.json()["code"]) == (422, "idempotency_key_reused")
    (text := tmp_path / "once.txt").write_text("Hello")
    sent = ("mail", "send", "--account", "relay", "--from", "news@shop.example", "--subject", "Once")
    again = [await shop.ran(*sent, "--to", "dan@two.example", "--text", str(text), "--key", "cli-1") for _ in range(2)]
    assert again[0] == again[1] != first
    assert await shop.denied("POST", "/campaigns", {"name": "x", "lists": ["y"]}, bearer=bearer) == "forbidden"
    for each in (first, again[0]):
        await shop.becomes(each["mail"], lambda status: status["sent"] == 1)
    assert [mail.recipient for mail in shop.system.relay.accepted].count("dan@two.example") == 2

    rows = (await shop.ran("audit", "--principal", issued["token"]))["rows"]
    done = [(row["command"], row["outcome"], row["via"]) for row in reversed(rows)]
    assert done == [
        ("mail.send", "ok", "http"),
        ("mail.send", "ok", "http"),
        ("mail.send", "idempotency_key_reused", "http"),
        ("campaign.open", "forbidden", "http"),
    ]
    assert {row["remote"] for row in rows} == {"127.0.0.1"}
    assert all(datetime.fromisoformat(row["at"]) <= clock.now() for row in rows)
    mine = (await shop.done("GET", "/audit?principal=operator&command=mail.send"))["rows"]
    assert [(row["via"], row["outcome"]) for row in mine[:2]] == [("nats", "ok")] * 2


@pytest.mark.feature("P1")
async def test_each_permission_lets_do_one_thing(shop: Marketer) -> None:
    """View, create, edit, delete, add and remove recipients apart; what is deleted is hidden, its history kept."""
    await shop.told({"id": "fay", "lists": ["Rights"]}, {"id": "gil", "lists": ["Rights"]})
    campaign = await shop.campaign("Rights", name="Rights")
    mailing = await shop.draft(campaign)
    draft = LETTER | {"campaign": campaign, "name": "x", "account": shop.system.account}
    hand = {"addresses": ["gil@one.example"]}
    needs: dict[str, tuple[str, str, dict[str, Any] | None]] = {
        "view": ("GET", f"/mailings/{mailing}", None),
        "create": ("POST", "/mailings", draft),
        "edit": ("PUT", f"/mailings/{mailing}", draft),
        "add_recipient": ("POST", f"/mailings/{mailing}/recipients/add", {"addresses": ["new@two.example"]}),
        "remove_recipient": ("POST", f"/mailings/{mailing}/recipients/remove", hand),
        "delete": ("DELETE", f"/mailings/{mailing}", None),
    }
    tokens = {
        name: (await shop.ran("token", "issue", "--name", name, "--permission", name))["secret"] for name in needs
    }
    for name, bearer in tokens.items():
        for other, wanted in needs.items():
            if other != name:
                assert await shop.denied(*wanted, bearer=bearer) == "forbidden", (name, other)
    for name in ("view", "create", "edit", "add_recipient", "remove_recipient"):
        await shop.done(*needs[name], bearer=tokens[name])
    await shop.fixed(mailing)
    rows = (await shop.ran("mailing", "audience", mailing, "--show"))["rows"]
    assert {row["address"]: row["skipped"] for row in rows} == {
        "fay@one.example": "",
        "new@two.example": "",
        "gil@one.example": "removed",
    }
    await shop.done(*needs["delete"], bearer=tokens["delete"])
    assert mailing not in {
        row["mailing"] for row in (await shop.done("GET", f"/mailings?campaign={campaign}"))["mailings"]
    }
    assert events_of((await shop.ran("mailing", "log", mailing))["rows"])[-1] == "mailing.deleted/1"


@pytest.mark.feature("M6", "F4", "F5")
async def test_who_read_it_and_who_left_and_why(shop: Marketer) -> None:
    """The link to leave leads to a choice: one stays, one leaves and says why; both stand in the report by name."""
    await shop.told(*({"id": name, "lists": ["Choice"]} for name in ("hal", "ida", "jon")))
    html = '<p>Hello {{ name }}</p><a href="https://shop.example/sale">sale</a>'
    mailing = await shop.begun(await shop.campaign("Choice"), html=html)
    mails = await shop.completed(mailing)
    links = {mail.recipient.partition("@")[0]: links_of(mail.content) for mail in shop.arrived(mailing)}
    assert all("unsubscribe" in body_of(mail, "html").lower() for mail in mails.values()), "appended by itself"
    await read_by_a_person((await shop.status(mailing))["last_sent"])
    web = browser(shop.system.local.urls.public)
    await web.get(links["hal"].pixel)
    for name in ("ida", "jon"):
        await web.get(links[name].click)
    page = await web.get(links["ida"].leave)
    assert b"<form" in page.body
    await web.post(links["hal"].leave, b"action=stay")
    await web.post(links["ida"].leave, b"action=unsubscribe&reason=too_often&comment=Every+day+is+too+much")
    wanted = {"unsubscribed": 1, "opened": 1, "clicked": 2}
    await shop.becomes(mailing, lambda status: wanted.items() <= status.items())
    (link,) = (await shop.ran("mailing", "links", mailing))["links"]
    assert (link["url"], link["hits"], link["people"]) == ("https://shop.example/sale", 2, 2)
    rows = (await shop.ran("mailing", "recipients", mailing))["rows"]
    assert {row["name"]: (row["opens"], row["clicks"]) for row in rows} == {"Hal": (1, 0), "Ida": (0, 1), "Jon": (0, 1)}
    opened = (await shop.done("GET", f"/mailings/{mailing}/recipients?outcome=opened"))["rows"]
    assert [row["name"] for row in opened] == ["Hal"]
    left = (await shop.done("GET", f"/mailings/{mailing}/recipients?outcome=unsubscribed"))["rows"]
    assert [(row["name"], row["reason"], row["comment"]) for row in left] == [
        ("Ida", "too_often", "Every day is too much")
    ]
