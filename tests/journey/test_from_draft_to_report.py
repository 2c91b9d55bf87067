"""A mailing from a CSV file to the report, by command line and HTTP in turn, on everything real."""

import asyncio
import email.policy
import re
import urllib.request
from email.parser import BytesParser
from pathlib import Path
from typing import Any

import pytest

from deploy.local import Local
from tests.harness.marketer import BothWays, asking
from tests.harness.recipient import BROWSER, read_by_a_person
from tests.harness.waiting import until

PEOPLE = """Email;Name;City
ann@one.example;Ann Ångström;Wien
Bob@two.example;"Bob ""the"" Builder";Łódź
reject-1@three.example;Rita;Αθήνα
defer-1@four.example;Dora;תל אביב
ANN@one.example;Ann again;Wien
not an address;Nobody;Wien
eve@five.example;Ève;
"""
HTML = """<html><body><h1>Hello {{ name | default("reader") }}</h1>
<p>From {{ city | default("somewhere") }}: <a href="{{ trackingUrl:Sale }}">the sale</a></p></body></html>
"""


def get(url: str, body: bytes | None = None) -> bytes:
    """Ask a URL as a browser would, without following redirects."""

    class Stay(urllib.request.HTTPRedirectHandler):
        def http_error_302(self, req: object, fp: Any, code: int, msg: str, headers: object) -> Any:  # noqa: ANN401
            del req, code, msg, headers
            return fp

    request = urllib.request.Request(url, body, BROWSER)  # noqa: S310 - a link of our own tracker
    with urllib.request.build_opener(Stay).open(request, timeout=10) as answer:
        return bytes(answer.read())


def links_of(mails: Path, to: str) -> tuple[str, str, str]:
    """Return pixel, first link and List-Unsubscribe of the mail to `to`."""
    parsed = [BytesParser(policy=email.policy.default).parsebytes(mail.read_bytes()) for mail in mails.glob("*/*.eml")]
    mail = next(mail for mail in parsed if to in str(mail["To"]).lower())
    part = mail.get_body(("html",))
    assert part is not None
    html = part.get_content()
    pixel, click = re.search(r'src="([^"]+/o/[^"]+)"', html), re.search(r'href="([^"]+/c/[^"]+)"', html)
    assert pixel is not None
    assert click is not None
    return pixel[1], click[1], str(mail["List-Unsubscribe"]).strip("<>")


@pytest.mark.feature("G1", "G3", "G9", "P8", "M5", "B14", "F3", "A13")
@pytest.mark.usefixtures("database")
async def test_a_mailing_travels_from_csv_to_report(local: Local, tmp_path: Path) -> None:
    """Import, draft, freeze, test, send, open, click, unsubscribe: each shows in the report, the ledger balances."""
    async with asking(local) as both:
        await travelled(local, both, tmp_path)


async def travelled(local: Local, both: BothWays, tmp_path: Path) -> None:
    """Go all the way."""
    people, html = tmp_path / "people.csv", tmp_path / "mail.html"
    people.write_text(PEOPLE, "utf-8")
    html.write_text(HTML, "utf-8")
    smtp = ["--host", "127.0.0.1", "--port", str(local.urls.smtp_port), "--tls", "none"]
    added = await both.ran("account", "add", "--name", "relay", *smtp, "--sender", "news@shop.example")
    await both.ran("account", "test", "relay")
    imported = await both.ran("contacts", "import", str(people), "--list", "Readers")
    assert (imported["added"], imported["rejected"]) == (5, 1)
    assert imported["rejected_rows"][0]["line"] == 7
    spring = (await both.ran("campaign", "open", "--name", "Spring", "--list", "Readers"))["campaign"]
    named = ("--name", "Sale", "--url", "https://shop.example.com/sale")
    await both.ran("tracking-url", "save", *named)
    assert (await both.ran("tracking-url", "list"))["tracking_urls"] == [{"name": "Sale", "url": named[3]}]
    draft = ["--campaign", "Spring", "--account", "relay", "--from", "Shop <news@shop.example>"]
    drafted = await both.ran(
        "mailing", "draft", "--name", "May", *draft, "--subject", "Hi {{ name }}", "--html", str(html)
    )
    mailing = drafted["mailing"]
    frozen = await both.ran("mailing", "audience", mailing)
    assert frozen["recipients"] == len([row for row in frozen["rows"] if not row["skipped"]]) == 5
    listed = (await both.done("GET", f"/mailings/{mailing}/audience"))["rows"]
    assert listed == frozen["rows"], "who gets it is seen before anything goes out"
    planned = await both.done("GET", f"/mailings/{mailing}")
    assert (planned["status"], planned["sent"], planned["finished_at"]) == ("Planned", 0, "")
    await both.ran("mailing", "test", mailing, "--to", "me@shop.example")
    await both.done("POST", f"/mailings/{mailing}/schedule", {})

    async def completed() -> Any:  # noqa: ANN401 - the status
        status = await both.ran("mailing", "status", mailing)
        return status if status["status"] == "Completed" else None

    status = await until(completed, 60, every=0.3)
    assert status is not None
    assert (status["total"], status["sent"], status["rejected"], status["failed"]) == (5, 4, 1, 1)

    rows = (await both.done("GET", f"/mailings/{mailing}/recipients"))["rows"]
    assert sorted(row["status"] for row in rows) == ["Failed", *["Sent"] * 4]
    assert {row["address"] for row in rows} == {row["address"] for row in listed if not row["skipped"]}

    pixel, click, leave = links_of(local.folder.path / "mails", "bob@two.example")
    seen_by_ann, _, _ = links_of(local.folder.path / "mails", "ann@one.example")
    await read_by_a_person(status["last_sent"])
    await asyncio.to_thread(get, seen_by_ann)
    await asyncio.to_thread(get, pixel)
    await asyncio.to_thread(get, click)
    await asyncio.to_thread(get, leave)
    await asyncio.to_thread(get, leave, b"List-Unsubscribe=One-Click")

    async def reported() -> Any:  # noqa: ANN401 - the status
        status = await both.done("GET", f"/mailings/{mailing}")
        return status if status["unsubscribed"] == 1 else None

    status = await until(reported, 20, every=0.3)
    assert status is not None
    numbers = (status["total"], status["to_send"], status["sent"], status["read"], status["clicked"])
    assert (*numbers, status["unsubscribed"]) == (5, 0, 4, 2, 1, 1)
    links = (await both.ran("mailing", "links", mailing))["links"]
    assert [(link["name"], link["url"], link["hits"]) for link in links] == [("Sale", named[3], 1)]
    counted = (await both.ran("mailing", "customers", mailing))["groups"]
    assert {row["group"]: (row["mails"], row["customers"]) for row in counted if row["mails"]} == {
        "accepted": (4, 4),
        "rejected": (1, 1),
        "failed": (1, 1),
        "opened": (2, 2),
        **dict.fromkeys(("clicked", "unsubscribed"), (1, 1)),
    }
    acts = (await both.ran("contacts", "consent", "--address", "bob@TWO.example"))["acts"]
    assert acts[0]["how"] == "one-click"
    ledger = await both.ran("ledger", mailing)
    assert ledger["balanced"]
    assert ledger["totals"] == {"accepted": 4, "rejected": 1} | {
        name: 0 for name in ledger["totals"] if name not in ("accepted", "rejected")
    }

    letter = {"account": added["account"], "sender_address": "news@shop.example", "subject": "Hi", "html": HTML}
    again = await both.done("POST", "/mailings", letter | {"campaign": spring, "name": "June"})
    frozen = await both.ran("mailing", "audience", again["mailing"])
    assert (frozen["recipients"], frozen["skipped"]) == (4, {"opted_out": 1})

    unread = await both.ran("mailing", "audience", again["mailing"], "--no-lists", "--from", f"{mailing}:not_opened")
    assert unread["recipients"] == 2
    sources = {"lists": [], "mailings": [{"mailing": mailing, "group": "not_opened"}]}
    await both.done("PUT", f"/mailings/{again['mailing']}/sources", {"sources": sources})
    same = await both.done("POST", f"/mailings/{again['mailing']}/audience", {})
    assert same["recipients"] == 2
    await both.ran("mailing", "schedule", again["mailing"])
    first, mailing = mailing, again["mailing"]
    await until(completed, 60, every=0.3)
    parse = BytesParser(policy=email.policy.default).parsebytes
    to = [str(parse(mail.read_bytes())["To"]).lower() for mail in (local.folder.path / "mails").glob("*/*.eml")]
    came = {who: sum(who in each for each in to) for who in ("ann@one", "bob@two", "eve@five")}
    assert came == {"ann@one": 1, "bob@two": 1, "eve@five": 2}
    made = await both.done("POST", f"/mailings/{mailing}/list", {"list": "Got June"})
    assert made["contacts"] == 2
    opened = await both.done("POST", "/campaigns", {"name": "Follow-up", "lists": ["Got June"]})
    follow = (await both.done("POST", "/mailings", letter | {"campaign": opened["campaign"], "name": "July"}))[
        "mailing"
    ]
    frozen = await both.ran("mailing", "audience", follow)
    assert {row["address"].lower() for row in frozen["rows"]} == {row["address"].lower() for row in unread["rows"]}
    made = await both.ran("mailing", "list-from", first, "--group", "read", "--list", "Read May")
    assert made["contacts"] == 1, "of the two who read it one has left"
    await both.ran("campaign", "open", "--name", "Readers only", "--list", "Read May")
    draft[1] = "Readers only"
    wanted = ("--name", "August", *draft, "--subject", "Hi", "--html", str(html))
    follow = (await both.ran("mailing", "draft", *wanted))["mailing"]
    frozen = await both.done("POST", f"/mailings/{follow}/audience", {})
    rows = (await both.done("GET", f"/mailings/{follow}/audience"))["rows"]
    assert [row["address"].lower() for row in rows] == ["ann@one.example"]
    out = tmp_path / "left out.csv"
    await both.ran("mailing", "audience", mailing, "--show", "--csv", str(out))
    assert len(out.read_text("utf-8").splitlines()) == 3
