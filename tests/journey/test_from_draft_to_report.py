"""A mailing from a CSV file to the report, by the command line alone, on everything real."""

import asyncio
import email.policy
import re
import urllib.request
from email.parser import BytesParser
from pathlib import Path
from typing import Any

import pytest

from deploy.local import Local
from tests.harness.posthaste import Posthaste
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


async def ran(posthaste: Posthaste, *arguments: str) -> Any:  # noqa: ANN401 - whatever was printed
    """Run a command that must succeed and return its JSON."""
    ended = await posthaste(*arguments, "--json")
    assert ended.code == 0, ended.out + ended.error
    return ended.json


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
    mail = next(mail for mail in parsed if to in str(mail["To"]))
    part = mail.get_body(("html",))
    assert part is not None
    html = part.get_content()
    pixel, click = re.search(r'src="([^"]+/o/[^"]+)"', html), re.search(r'href="([^"]+/c/[^"]+)"', html)
    assert pixel is not None
    assert click is not None
    return pixel[1], click[1], str(mail["List-Unsubscribe"]).strip("<>")


@pytest.mark.feature("G1", "G3", "G9", "P8", "M5", "B14", "F3", "A13")
@pytest.mark.usefixtures("database")
async def test_a_mailing_travels_from_csv_to_report(local: Local, posthaste: Posthaste, tmp_path: Path) -> None:
    """Import, draft, freeze, test, send, open, click, unsubscribe: each shows in the report, the ledger balances."""
    people, html = tmp_path / "people.csv", tmp_path / "mail.html"
    people.write_text(PEOPLE, "utf-8")
    html.write_text(HTML, "utf-8")
    smtp = ["--host", "127.0.0.1", "--port", str(local.urls.smtp_port), "--tls", "none"]
    await ran(posthaste, "account", "add", "--name", "relay", *smtp, "--sender", "news@shop.example")
    await ran(posthaste, "account", "test", "relay")
    imported = await ran(posthaste, "contacts", "import", str(people), "--list", "Readers")
    assert (imported["added"], imported["rejected"]) == (5, 1)
    assert imported["rejected_rows"][0]["line"] == 7
    await ran(posthaste, "campaign", "open", "--name", "Spring", "--list", "Readers")
    named = ("--name", "Sale", "--url", "https://shop.example.com/sale")
    await ran(posthaste, "tracking-url", "save", *named)
    assert (await ran(posthaste, "tracking-url", "list"))["tracking_urls"] == [{"name": "Sale", "url": named[3]}]
    draft = ["--campaign", "Spring", "--account", "relay", "--from", "Shop <news@shop.example>"]
    drafted = await ran(
        posthaste, "mailing", "draft", "--name", "May", *draft, "--subject", "Hi {{ name }}", "--html", str(html)
    )
    mailing = drafted["mailing"]
    frozen = await ran(posthaste, "mailing", "audience", mailing)
    assert frozen["recipients"] == len([row for row in frozen["rows"] if not row["skipped"]]) == 5
    await ran(posthaste, "mailing", "test", mailing, "--to", "me@shop.example")
    await ran(posthaste, "mailing", "schedule", mailing)

    async def completed() -> Any:  # noqa: ANN401 - the status
        status = await ran(posthaste, "mailing", "status", mailing)
        return status if status["status"] == "Completed" else None

    status = await until(completed, 60, every=0.3)
    assert (status["total"], status["sent"], status["rejected"], status["failed"]) == (5, 4, 1, 1)

    rows = (await ran(posthaste, "mailing", "recipients", mailing))["rows"]
    assert sorted(row["status"] for row in rows) == ["Failed", *["Sent"] * 4]

    pixel, click, leave = links_of(local.folder.path / "mails", "Bob@two.example")
    await read_by_a_person(status["last_sent"])
    await asyncio.to_thread(get, pixel)
    await asyncio.to_thread(get, click)
    await asyncio.to_thread(get, leave)
    await asyncio.to_thread(get, leave, b"List-Unsubscribe=One-Click")

    async def reported() -> Any:  # noqa: ANN401 - the status
        status = await ran(posthaste, "mailing", "status", mailing)
        return status if status["unsubscribed"] == 1 else None

    status = await until(reported, 20, every=0.3)
    assert (status["read"], status["clicked"], status["unsubscribed"]) == (1, 1, 1)
    links = (await ran(posthaste, "mailing", "links", mailing))["links"]
    assert [(link["name"], link["url"], link["hits"]) for link in links] == [("Sale", named[3], 1)]
    counted = (await ran(posthaste, "mailing", "customers", mailing))["groups"]
    assert {row["group"]: (row["mails"], row["customers"]) for row in counted if row["mails"]} == {
        "accepted": (4, 4),
        "rejected": (1, 1),
        "failed": (1, 1),
        **dict.fromkeys(("opened", "clicked", "unsubscribed"), (1, 1)),
    }
    acts = (await ran(posthaste, "contacts", "consent", "--address", "bob@TWO.example"))["acts"]
    assert acts[0]["how"] == "one-click"
    ledger = await ran(posthaste, "ledger", mailing)
    assert ledger["balanced"]
    assert ledger["totals"] == {"accepted": 4, "rejected": 1} | {
        name: 0 for name in ledger["totals"] if name not in ("accepted", "rejected")
    }

    again = await ran(
        posthaste, "mailing", "draft", "--name", "June", *draft, "--subject", "Hi {{ name }}", "--html", str(html)
    )
    frozen = await ran(posthaste, "mailing", "audience", again["mailing"])
    assert (frozen["recipients"], frozen["skipped"]) == (4, {"opted_out": 1})

    unread = await ran(
        posthaste, "mailing", "audience", again["mailing"], "--no-lists", "--from", f"{mailing}:not_opened"
    )
    assert unread["recipients"] == 3
    await ran(posthaste, "mailing", "schedule", again["mailing"])
    mailing = again["mailing"]
    await until(completed, 60, every=0.3)
    parse = BytesParser(policy=email.policy.default).parsebytes
    to = [str(parse(mail.read_bytes())["To"]).lower() for mail in (local.folder.path / "mails").glob("*/*.eml")]
    came = {who: sum(who in each for each in to) for who in ("ann@one", "bob@two", "eve@five")}
    assert came == {"ann@one": 2, "bob@two": 1, "eve@five": 2}
    made = await ran(posthaste, "mailing", "list-from", mailing, "--list", "Got June")
    assert made["contacts"] == 3
    await ran(posthaste, "campaign", "open", "--name", "Follow-up", "--list", "Got June")
    draft[1] = "Follow-up"
    wanted = ("--name", "July", *draft, "--subject", "Hi", "--html", str(html))
    follow = (await ran(posthaste, "mailing", "draft", *wanted))["mailing"]
    frozen = await ran(posthaste, "mailing", "audience", follow)
    assert {row["address"].lower() for row in frozen["rows"]} == {row["address"].lower() for row in unread["rows"]}
    out = tmp_path / "left out.csv"
    await ran(posthaste, "mailing", "audience", mailing, "--show", "--csv", str(out))
    assert len(out.read_text("utf-8").splitlines()) == 4
