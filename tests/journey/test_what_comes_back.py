"""Mail goes out, and what comes back for it goes the whole way: mailbox, tracker, log, planner, reports, people."""

import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from email import message_from_bytes
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import pytest_asyncio

from shared.contracts import commands, subjects
from shared.eventlog.connection import close
from shared.eventlog.documents import Documents
from tests.harness import answers
from tests.harness.imap import PASSWORD, USER, ImapServer
from tests.harness.installations import Installation, running
from tests.harness.marketer import Marketer, at_work, body_of, read
from tests.harness.posthaste import Posthaste
from tests.harness.recipient import browser, links_of, read_by_a_person
from tests.harness.smtp import Accepted
from tests.harness.system import System
from tests.harness.waiting import until

pytestmark = pytest.mark.asyncio(loop_scope="module")

PEOPLE = [f"{name}@{name}.example" for name in ("ann", "bob", "cyd", "dan", "eve", "flo")]
LETTER = {
    "html": '<html><body><p>Hello</p><a href="https://shop.example/sale">the sale</a></body></html>',
    "text": "Hello\n\nhttps://shop.example/sale\n",
}
NUMBERS = ("bounced", "complained", "replied", "auto_replied")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def system(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[System]:
    """Yield one installation for all tests of this module, whose mails come back to addresses of ours."""
    async with running(tmp_path_factory.mktemp("back") / "data") as system:
        told = {"name": "back", "host": "127.0.0.1", "port": system.relay.port, "tls": "none"}
        told |= {"senders": ["news@shop.example"], "bounce_domain": "bounces.shop.example"}
        system.account = str((await system.do(commands.AddAccount.model_validate(told)))["account"])
        await system.do(commands.TestAccount(account=system.account))
        yield system


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def marketer(system: System) -> AsyncIterator[Marketer]:
    """Yield somebody who asks of it by both ways."""
    async with at_work(system) as marketer:
        yield marketer


@pytest.fixture(scope="module")
def imap() -> Iterator[ImapServer]:
    """Yield an IMAP server with an empty folder `Back`."""
    server = ImapServer().start()
    server.renew("Back")
    server.renew("Sent")
    yield server
    server.stop()


@pytest.fixture
def posthaste(system: System) -> Posthaste:
    """Return the command line of the installation."""
    return Posthaste(system.local.folder.path)


async def ran(posthaste: Posthaste, *arguments: str) -> Any:  # noqa: ANN401 - whatever was printed
    """Run a command that must succeed and return its JSON."""
    ended = await posthaste(*arguments, "--json")
    assert ended.code == 0, ended.out + ended.error
    return ended.json


async def feedback_ids(system: System) -> list[str]:
    """Return the ids of all facts in the log about what came back."""
    return [
        record.id
        async for commits in system.log.scan([subjects.ALL_FEEDBACK])
        for commit in commits
        for record in commit.events
    ]


async def arrived(system: System, mailing: str) -> dict[str, Accepted]:
    """Return the mails of a mailing by recipient, once it is over."""
    await system.ended(mailing)
    return {mail.recipient: mail for mail in system.relay.accepted if mail.message_id.startswith(f"<{mailing}.")}


def bodies_of(mail: Accepted) -> list[str]:
    """Return the text and the HTML of a mail."""
    parts = message_from_bytes(mail.content).walk()
    payloads = [part.get_payload(decode=True) for part in parts if part.get_content_maintype() == "text"]
    return [payload.decode() for payload in payloads if isinstance(payload, bytes)]


def urls_of(mail: Accepted) -> set[str]:
    """Return all URLs in the bodies of a mail."""
    return {url for body in bodies_of(mail) for url in re.findall(r"https?://[^\s\"'<>]+", body)}


@pytest.mark.feature("B8")
async def test_each_answer_is_matched_and_shown_once(system: System, imap: ImapServer, posthaste: Posthaste) -> None:
    """A bounce, an out-of-office, a reply and a complaint about very mails of ours: each with its person, only once."""
    mailing = await system.start(PEOPLE, **LETTER)
    ann, bob, cyd, dan, *_ = [(await arrived(system, mailing))[address] for address in PEOPLE]
    back = [answers.not_delivered(ann), answers.away(bob), answers.answered(cyd, "Call me!"), answers.complained(dan)]
    imap.deliver(back, "Back")
    letter = b"From: news@shop.example\r\nTo: mum@home.example\r\nSubject: Sunday\r\n\r\nI come for lunch.\r\n"
    imap.deliver([answers.answered_back(cyd, "I called you."), letter], "Sent")
    told = {"name": "back", "host": "127.0.0.1", "port": imap.port, "security": "none", "username": USER}
    told |= {"password": PASSWORD, "folders": ["Back"], "sent": "Sent", "interval": 5}
    mailbox = str((await system.do(commands.AddMailbox.model_validate(told)))["mailbox"])

    async def seen() -> dict[str, Any]:
        status = await system.ask(commands.Status(mailing=mailing))
        rows = (await system.ask(commands.Recipients(mailing=mailing)))["rows"]
        texts = any(row["reply"] and row["answered"] not in ("", "yes") for row in rows)
        return status if texts and [status[name] for name in NUMBERS] == [1, 1, 1, 1] else {}

    status = await until(seen, 60)
    assert status is not None
    assert (status["sent"], status["bounce_reasons"]) == (len(PEOPLE), {"user-unknown": 1})
    rows = {row["address"]: row for row in (await ran(posthaste, "mailing", "recipients", mailing))["rows"]}
    names = ("bounced", "complained", "replied", "reply", "answered")
    shown = {address: tuple(row[name] for name in names) for address, row in rows.items()}
    assert shown == {
        ann.recipient: ("user-unknown", False, False, "", ""),
        bob.recipient: ("", False, False, "", ""),
        cyd.recipient: ("", False, True, "Re: Hello Person 2\n\nCall me!", "Re: Hello Person 2\n\nI called you."),
        dan.recipient: ("", True, False, "", ""),
        **dict.fromkeys(PEOPLE[4:], ("", False, False, "", "")),
    }
    for person, why in ((ann, "user-unknown"), (dan, "complaint")):
        acts = (await ran(posthaste, "contacts", "consent", "--address", person.recipient))["acts"]
        assert [(act["act"], act["reason"], act["mailing"]) for act in acts] == [("suppressed", why, mailing)]

    facts = await feedback_ids(system)
    assert len(facts) == len(set(facts)) == 5, "of the folder of sent mail only what is about a mail of ours"
    imap.renew("Back")
    imap.deliver(back, "Back")
    await system.do(commands.TestMailbox(mailbox=mailbox))

    async def read_again() -> bool:
        (row,) = (await system.ask(commands.Mailboxes()))["mailboxes"]
        assert isinstance(row["taken"], int)
        return row["taken"] == 2 * len(back) + 2 and row["state"] == "waiting"

    await until(read_again, 60)
    assert set(await feedback_ids(system)) == set(facts)
    again = await system.ask(commands.Status(mailing=mailing))
    assert [again[name] for name in NUMBERS] == [1, 1, 1, 1]


@pytest.mark.feature("B8")
async def test_a_bounce_taken_by_hand_closes_an_address_until_it_is_lifted(
    system: System, posthaste: Posthaste, tmp_path: Path
) -> None:
    """`feedback take` matches it and leaves the person out; `contacts lift` lets the person in again."""
    mailing = await system.start(["gus@gus.example"], "gus", **LETTER)
    (mail,) = (await arrived(system, mailing)).values()
    (tmp_path / "bounce.eml").write_bytes(answers.not_delivered(mail))
    for _ in range(2):
        (taken,) = (await ran(posthaste, "feedback", "take", str(tmp_path)))["rows"]
        assert (taken["kind"], taken["proven"], taken["mailing"], taken["facts"]) == (
            "bounce",
            "return-path",
            mailing,
            1,
        )

    async def left_out() -> dict[str, int]:
        again = await system.do(commands.FreezeAudience(mailing=await system.draft("gus", **LETTER)))
        skipped: dict[str, int] = again["skipped"]
        return skipped

    await until(lambda: _is(left_out, {"suppressed": 1}), 30)
    lifted = await ran(posthaste, "contacts", "lift", "--address", mail.recipient, "--reason", "works again")
    assert lifted["reason"] == "user-unknown"
    await until(lambda: _is(left_out, {}), 30)


async def _is(asked: Callable[[], Awaitable[object]], wanted: object) -> bool:
    return await asked() == wanted


@pytest.mark.feature("A15", "G12")
async def test_who_is_captured_is_asked_and_confirms_by_the_mail(system: System, marketer: Marketer) -> None:
    """Double opt-in: one mail that asks, nothing of the list before the button is pressed, mail of the list after."""
    await system.bring_in(["hal@hal.example"], "double")
    sender = ["--account", "back", "--from", "Shop <news@shop.example>"]
    await marketer.ran("contacts", "confirmation", "double", *sender, "--language", "it")
    asked = await marketer.ran("contacts", "opt-in", "ida@ida.example", "--list", "double")
    assert asked["state"] == "asked"
    asked = await marketer.done("POST", "/consent/in", {"address": "joe@joe.example", "list": "double"})
    assert asked["state"] == "asked"
    campaign = await marketer.campaign("double", name="Double")

    async def prompt() -> Accepted | None:
        came = {mail.recipient: mail for mail in system.relay.accepted}
        return came["ida@ida.example"] if {"ida@ida.example", "joe@joe.example"} <= set(came) else None

    mail = await until(prompt, 30)
    assert mail is not None
    link = urlsplit(next(url for url in urls_of(mail) if "/s/" in url))
    path = f"{link.path}?{link.query}"
    frozen = await marketer.fixed(await marketer.draft(campaign))
    assert (frozen["recipients"], frozen["skipped"]) == (1, {"unconfirmed": 2})
    web = browser(system.local.urls.public)
    page = await web.get(path)
    assert page.status == 200
    assert b'lang="it"' in page.body
    frozen = await marketer.fixed(await marketer.draft(campaign))
    assert frozen["recipients"] == 1, "a GET confirms nothing"
    assert (await web.post(path, b"action=confirm")).status == 200

    async def subscribed() -> bool:
        acts = (await marketer.ran("contacts", "consent", "--address", "ida@ida.example"))["acts"]
        return [(act["act"], act["how"]) for act in acts if act["holds"]] == [("opted_in", "confirmed")]

    await until(subscribed, 30)
    assert set(await marketer.completed(await marketer.begun(campaign))) == {"hal@hal.example", "ida@ida.example"}


@pytest.mark.feature("A12")
async def test_each_level_of_tracking_is_what_arrives(marketer: Marketer, tmp_path: Path) -> None:
    """Off has no link of ours but the one to leave; anonymous has links that all share; person has links of one's own.

    The link to leave is appended to each body by itself.
    """
    await marketer.told({"id": "jan", "lists": ["levels"]}, {"id": "kim", "lists": ["levels"]})
    campaign = await marketer.campaign("levels", name="Levels")
    tracked: dict[str, list[set[str]]] = {}
    for level in ("off", "anonymous", "person"):
        if level == "off":
            mailing = await drafted(marketer, tmp_path, campaign, LETTER, "--tracking", level)
            await marketer.ran("mailing", "audience", mailing)
            await marketer.ran("mailing", "schedule", mailing)
        else:
            mailing = await marketer.begun(campaign, **LETTER, tracking=level)
        await marketer.completed(mailing)
        mails = marketer.arrived(mailing)
        tracked[level] = [{url for url in urls_of(mail) if "/c/" in url or "/o/" in url} for mail in mails]
        assert len(mails) == 2
        for mail in mails:
            assert len(bodies_of(mail)) == 2
            assert all("/u/" in body for body in bodies_of(mail)), "the link to leave is in both bodies"
            assert ("https://shop.example/sale" in urls_of(mail)) == (level == "off")
    assert tracked["off"] == [set(), set()]
    (one, other) = tracked["anonymous"]
    assert one == other
    assert len(one) == 2
    (one, other) = tracked["person"]
    assert not one & other
    assert len(one) == len(other) == 2


async def drafted(marketer: Marketer, folder: Path, campaign: str, letter: dict[str, str], *options: str) -> str:
    """Draft a mailing by the command line."""
    for kind, body in letter.items():
        (folder / kind).write_text(body)
    bodies = [part for kind in letter for part in (f"--{kind}", str(folder / kind))]
    of = ("--name", "x", "--campaign", campaign, "--account", "back", "--from", "news@shop.example")
    made = await marketer.ran("mailing", "draft", *of, "--subject", "Hi {{ name }}", *bodies, *options)
    return str(made["mailing"])


async def leaves(marketer: Marketer, *mailings: str) -> set[tuple[int, int, bool]]:
    """Start mailings; return how often text and HTML of each mail lead out, and whether its header does."""
    found = set()
    for mailing in mailings:
        await marketer.fixed(mailing)
        await marketer.done("POST", f"/mailings/{mailing}/schedule", {})
    for mailing in mailings:
        await marketer.completed(mailing)
        for mail in map(read, marketer.arrived(mailing)):
            text, html = body_of(mail), body_of(mail, "html")
            found.add((text.count("/u/"), html.count("/u/"), "/u/" in str(mail["List-Unsubscribe"])))
    return found


@pytest.mark.feature("A12")
async def test_a_link_to_leave_of_its_own_is_enough_and_an_administrator_may_want_none(
    marketer: Marketer, tmp_path: Path
) -> None:
    """A body that has one gets no other; none gets any where the administrator says so; the header has it always."""
    await marketer.told({"id": "lou", "lists": ["own link"]})
    campaign = await marketer.campaign("own link", name="Own link")
    own = LETTER | {"html": '<html><body><p>Hello, <a href="{{ optOutUrl }}">no more</a></p></body></html>'}
    both = own | {"text": "Hello\n\n{{ optOutUrl }}\n"}

    async def each(letter: dict[str, str]) -> set[tuple[int, int, bool]]:
        by_command = await drafted(marketer, tmp_path, campaign, letter)
        return await leaves(marketer, by_command, await marketer.draft(campaign, **letter))

    assert await each(both) == {(1, 1, True)}
    assert await each(own) == {(1, 1, True)}, "the text has none of its own, so it gets one"
    installation = marketer.local
    assert isinstance(installation, Installation)
    await installation.anew("planner", POSTHASTE_APPEND_UNSUBSCRIBE="false")
    try:
        assert await each(LETTER) == {(0, 0, True)}
        assert await each(own) == {(0, 1, True)}, "what a template says itself stays"
    finally:
        await installation.anew("planner")


async def test_a_mail_is_shown_in_the_browser_until_it_is_erased(system: System) -> None:
    """The very page, with links of the person's own; nothing is changed by looking; 503 without a sender, then 410."""
    html = '<html><body>{{ webViewLink }}<p>Hi {{ name }}</p><a href="https://shop.example/">shop</a></body></html>'
    await system.bring_in(["lea@lea.example", "mia@mia.example"], "view")
    mailing = await system.draft("view", html=html, text="{{ webViewUrl }}", language="he")
    await system.do(commands.FreezeAudience(mailing=mailing))
    await system.do(commands.ScheduleMailing(mailing=mailing))
    mails = await arrived(system, mailing)
    links = {to: next(url for url in urls_of(mail) if "/v/" in url) for to, mail in mails.items()}
    lea, mia = (urlsplit(links[to]).path for to in ("lea@lea.example", "mia@mia.example"))
    web = browser(system.local.urls.public)
    page = await web.get(links["lea@lea.example"])
    assert (page.status, page.headers["cache-control"]) == (200, "no-store, private")
    assert "sandbox" in page.headers["content-security-policy"]
    sent = next(body for body in bodies_of(mails["lea@lea.example"]) if "<html" in body)
    assert page.body.decode().split() == sent.split()
    head = await web.ask("HEAD", lea)
    assert (head.status, head.body) == (200, b"")
    assert (await web.post(lea, b"")).status == 405
    for forged in (lea[:-1], lea[:-1] + "!", lea.replace(".0.", ".1."), lea.replace("/v/", "/o/") + ".gif"):
        assert (await web.get(forged)).status == 404
    status = await system.ask(commands.Status(mailing=mailing))
    assert sum((status["opens_by"] | {}).values()) == 0, "the page alone is no open"

    await system.local.down("sender")
    away = await web.get(f"{mia}?lang=he")
    assert (away.status, away.headers["retry-after"]) == (503, "5")
    await system.local.up("sender")
    planner = await system.local.connect("planner")
    await Documents(planner, subjects.PAYLOADS).erase(subjects.payload(mailing, 0))
    await close(planner)
    gone = await web.get(links["mia@mia.example"])
    assert gone.status == 410
    assert b'dir="rtl"' in gone.body
    assert b"mia" not in gone.body


async def told_of(marketer: Marketer, wire_type: str, count: int) -> list[dict[str, Any]]:
    """Follow the feed until it told so many things of a type, and then to its end; return their data."""
    found: list[dict[str, Any]] = []
    cursor = ""

    async def told() -> bool:
        nonlocal cursor
        page = await marketer.done("GET", f"/events?after={cursor}&limit=1000")
        cursor = page["cursor"]
        found.extend(event["data"] for event in page["events"] if event["type"] == wire_type)
        return len(found) >= count and bool(page["end"])

    await until(told, 60, every=0.2)
    return found


@pytest.mark.feature("M3")
async def test_the_crm_hears_once_which_status_each_outcome_set(marketer: Marketer) -> None:
    """Both are written to, one clicks, the other unsubscribes: `out.statuses` tells exactly that, each with its id."""
    people = {"1": "lea@lea.example", "2": "max@max.example"}
    await marketer.told(*({"id": of, "addresses": [address], "lists": ["status"]} for of, address in people.items()))
    words = ("--status", "sent=Written to", "--status", "clicked=Interested", "--status", "removed=No mail")
    campaign = (await marketer.ran("campaign", "open", "--name", "Status", "--list", "status", *words))["campaign"]
    mailing = await marketer.begun(campaign, **LETTER)
    await marketer.completed(mailing)
    mails = {mail.recipient: mail for mail in marketer.arrived(mailing)}

    heard = await told_of(marketer, "statuses.changed/1", 1)
    assert [(each["outcome"], each["status"], len(each["customers"])) for each in heard] == [("sent", "Written to", 2)]
    await read_by_a_person((await marketer.status(mailing))["last_sent"])
    web = browser(marketer.local.urls.public)
    assert (await web.get(links_of(mails[people["1"]].content).click)).status == 302
    leave = message_from_bytes(mails[people["2"]].content)["List-Unsubscribe"]
    path = urlsplit(re.findall(r"<(http[^>]+)>", leave)[0]).path
    assert (await web.post(path, b"List-Unsubscribe=One-Click")).status == 200
    heard = await told_of(marketer, "statuses.changed/1", 3)
    told = [
        (customer["source"], customer["external"], each["status"], each["outcome"], each["campaign"], each["mailing"])
        for each in heard
        for customer in each["customers"]
    ]
    at = (campaign, mailing)
    assert sorted(told) == [
        ("crm", "1", "Interested", "clicked", *at),
        ("crm", "1", "Written to", "sent", *at),
        ("crm", "2", "No mail", "removed", *at),
        ("crm", "2", "Written to", "sent", *at),
    ]
    first = await marketer.ran("campaign", "statuses", "--campaign", campaign, "--limit", "1")
    rest = await marketer.done("GET", f"/statuses?campaign={campaign}&after={first['cursor']}")
    shown = {row["external"]: (row["address"], row["status"]) for row in (*first["rows"], *rest["rows"])}
    assert shown == {"1": (people["1"], "Interested"), "2": (people["2"], "No mail")}
    again = await marketer.ran("campaign", "statuses", "--campaign", campaign, "--after", rest["cursor"])
    assert (again["rows"], again["cursor"], again["next"]) == ([], rest["cursor"], "")

    mapped = await marketer.campaign("status", name="Mapped over HTTP", statuses={"sent": "Told twice"})
    await marketer.completed(await marketer.begun(mapped))
    last = (await told_of(marketer, "statuses.changed/1", 4))[-1]
    assert (last["campaign"], last["status"], len(last["customers"])) == (mapped, "Told twice", 1)
    rows = (await marketer.ran("campaign", "statuses", "--campaign", mapped))["rows"]
    assert [(row["external"], row["status"]) for row in rows] == [("1", "Told twice")], "who left gets nothing more"


@pytest.mark.feature("M1")
async def test_a_customer_gets_it_at_the_addresses_a_mailing_chose(marketer: Marketer) -> None:
    """Told over the API; two mails go to one customer, and the report says to which of its addresses."""
    person = {"name": "Kit", "addresses": ["kit@ned.example"]}
    own = ["ned@ned.example", "ned@home.example", "ned@work.example"]
    data = {"id": "9", "version": 1, "addresses": own, "lists": ["several"]}
    event = {"specversion": "1.0", "id": "9", "source": "crm", "type": "contact.upserted/1"}
    events = [event | {"data": data | {"name": "Ned", "persons": [person]}}, event | {"data": data | {"name": 7}}]
    told = await marketer.done("POST", "/contacts", {"events": events})
    assert (told["taken"], [(each["place"], each["field"]) for each in told["problems"]]) == (1, [(1, "data.name")])
    campaign = await marketer.campaign("several", name="Several")
    chosen = {
        "second,persons": {("ned@home.example", "second", "Ned"), ("kit@ned.example", "persons", "Kit")},
        "first,third": {("ned@ned.example", "first", "Ned"), ("ned@work.example", "third", "Ned")},
    }
    for slots, to in chosen.items():
        mailing = await marketer.draft(campaign, **LETTER)
        if slots == "first,third":
            frozen = await marketer.fixed(mailing, addresses=slots.split(","))
            await marketer.ran("mailing", "schedule", mailing)
        else:
            frozen = await marketer.ran("mailing", "audience", mailing, "--addresses", slots)
            await marketer.done("POST", f"/mailings/{mailing}/schedule", {})
        assert (frozen["recipients"], frozen["customers"], frozen["skipped"]) == (2, 1, {"other_address": 2})
        assert set(await marketer.completed(mailing)) == {address for address, _, _ in to}
        shown = await marketer.done("GET", f"/mailings/{mailing}/recipients")
        for rows in (shown["rows"], (await marketer.ran("mailing", "recipients", mailing))["rows"]):
            assert {(row["address"], row["slot"], row["name"]) for row in rows if row["status"] == "Sent"} == to
        for status in (await marketer.status(mailing), await marketer.ran("mailing", "status", mailing)):
            assert (status["sent"], status["customers"]) == (2, 1)
        groups = (await marketer.done("GET", f"/mailings/{mailing}/customers"))["groups"]
        assert [(row["mails"], row["customers"]) for row in groups if row["group"] == "accepted"] == [(2, 1)]
        for kept in (
            await marketer.ran("mailing", "sources", mailing),
            await marketer.done("GET", f"/mailings/{mailing}/sources"),
        ):
            assert kept["sources"]["addresses"] == slots.split(",")
