"""What a mail says: every placeholder of other systems and ours, in mass mail and single mail; at the sink."""

import re
from email.message import EmailMessage
from email.utils import parsedate_to_datetime
from html import unescape
from pathlib import Path
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import pytest

from tests.harness.marketer import Marketer, body_of, read
from tests.harness.recipient import browser, read_by_a_person
from tests.harness.waiting import until

pytestmark = pytest.mark.asyncio(loop_scope="package")

ZONE = "Pacific/Kiritimati"
TEXT = "{Person.emailAddress}|{Account.name}|{today}|{now}|{optOutUrl}|{optInUrl}|{trackingUrl:42}|"
HTML = """<style>p{top:0}</style><p>{Person.emailAddress}|{Account.name}|{today}|{now}|</p>
<p><a class="out" href="{optOutUrl}">leave</a> {optOutLink} <a class="in" href="{optInUrl}">join</a> {optInLink}
<a class="sale" href="{trackingUrl:42}">sale</a></p>"""
SALE = "https://shop.example/sale?from=mail&at=1"


def says(mail: EmailMessage, address: str, account: str, *, tracked: bool) -> tuple[str, str]:
    """See that each placeholder stands for what it should; return the links to leave and to join."""
    date = parsedate_to_datetime(str(mail["Date"])).astimezone(ZoneInfo(ZONE))
    known = [address, account, f"{date:%Y-%m-%d}", f"{date:%Y-%m-%d %H:%M}"]
    text, html = body_of(mail).split("|"), body_of(mail, "html")
    assert text[:4] == known
    assert [unescape(each) for each in html.partition("<p>")[2].split("|")[:4]] == known
    assert "p{top:0}" in html, "no placeholder: a style sheet"
    links = {name: unescape(url) for name, url in re.findall(r'<a class="(\w+)" href="([^"]+)"', html)}
    assert [urlsplit(url).path[:3] for url in text[4:6]] == ["/u/", "/s/"]
    assert (links["out"], links["in"]) == (text[4], text[5])
    for name, path in (("out", "/u/"), ("in", "/s/")):
        whole = [url for url, words in re.findall(r'<a href="([^"]+)">([^<]+)</a>', html) if path in url and words]
        assert list(map(unescape, whole)) == [links[name]], "the whole link brings its own words"
    assert ("/c/" in links["sale"], "/c/" in text[6]) == (tracked, tracked)
    assert tracked or (links["sale"], text[6]) == (SALE, SALE)
    return links["out"], links["in"]


@pytest.mark.feature("A6", "A13")
async def test_a_template_of_another_system_says_the_same_here(shop: Marketer, tmp_path: Path) -> None:
    """Kept by the command line, sent as mass mail and as a single mail; its links leave, join and lead on."""
    await shop.told({"id": "globex", "kind": "account", "name": "Globex & Sons", "addresses": []})
    await shop.told({"id": "ann", "account": "globex", "lists": ["Readers"]})
    for name, words in (("t.txt", TEXT), ("t.html", HTML)):
        (tmp_path / name).write_text(words)
    bodies = ("--html", str(tmp_path / "t.html"), "--text", str(tmp_path / "t.txt"), "--single-braces")
    subject = "{Account.name} for {Person.emailAddress}"
    template = (await shop.ran("template", "save", "--name", "Theirs", "--subject", subject, *bodies))["template"]
    campaign = await shop.campaign("Readers")
    wanted = {"template": template, "subject": "", "text": "", "zone": ZONE}
    letter = {"name": "x", "campaign": campaign, "account": shop.system.account, "sender_address": "news@shop.example"}
    assert await shop.denied("POST", "/mailings", letter | {"template": template}) == "tracking_url_unknown"
    await shop.done("PUT", "/tracking-urls/42", {"url": SALE})

    mailing = await shop.begun(campaign, **wanted)
    (mail,) = (await shop.completed(mailing)).values()
    assert mail["Subject"] == "Globex & Sons for ann@one.example"
    out, _ = says(mail, "ann@one.example", "Globex & Sons", tracked=True)
    web = browser(shop.system.local.urls.public)
    await read_by_a_person((await shop.status(mailing))["last_sent"])
    (sale,) = {unescape(url) for url in re.findall(r'class="sale" href="([^"]+)"', body_of(mail, "html"))}
    assert (await web.get(sale)).headers["location"] == SALE
    await shop.becomes(mailing, lambda status: status["clicked"] == 1)
    (link,) = (await shop.ran("mailing", "links", mailing))["links"]
    assert (link["name"], link["url"], link["people"]) == ("42", SALE, 1)
    (row,) = (await shop.ran("mailing", "recipients", mailing))["rows"]
    assert (row["address"], row["clicks"]) == ("ann@one.example", 1)
    assert (await web.post(out, b"action=unsubscribe")).status == 200
    await shop.becomes(mailing, lambda status: status["unsubscribed"] == 1)

    single = {"account": shop.system.account, "sender_address": "news@shop.example", "to": "ann@one.example"}
    sent = await shop.done("POST", "/mails", single | {"template": template, "zone": ZONE})
    await shop.becomes(sent["mail"], lambda status: status["sent"] == 1)
    (mail,) = map(read, shop.arrived(sent["mail"]))
    out, joins = says(mail, "ann@one.example", "Globex & Sons", tracked=False)
    assert (await web.post(out, b"action=unsubscribe")).status == 200

    async def refused() -> bool:
        reply = await shop.asked("POST", "/mails", single | {"template": template})
        return reply.status_code == 409 and reply.json()["code"] == "recipient_removed"

    await until(refused, 30, every=0.1)
    assert (await web.post(joins, b"action=confirm")).status == 200

    async def lets_in() -> bool:
        return (await shop.asked("POST", "/mails", single | {"template": template})).status_code == 200

    await until(lets_in, 30, every=0.1)


@pytest.mark.feature("A6")
async def test_a_one_off_template_has_all_placeholders_as_well(shop: Marketer, tmp_path: Path) -> None:
    """What is converted to a file, or written in our spelling, and kept nowhere: a mailing, and a single mail."""
    await shop.told({"id": "acme", "kind": "account", "lists": ["Others"]})
    await shop.told({"id": "bob", "account": "acme", "lists": ["Others"]})
    for name, words in (("t.txt", TEXT), ("t.html", HTML)):
        (tmp_path / name).write_text(words)
        done = await shop.posthaste("template", "import", str(tmp_path / name), "--link", f"42={SALE}")
        assert done.code == 0, done.error
        (tmp_path / f"our-{name}").write_text(done.out)
    bodies = ("--html", str(tmp_path / "our-t.html"), "--text", str(tmp_path / "our-t.txt"), "--zone", ZONE)
    subject = ("--subject", "{{ today }}: {{Account.name}} for {{Person.emailAddress}}")
    common = ("--account", "relay", "--from", "news@shop.example", *subject, *bodies)
    campaign = await shop.campaign("Others", name="One-off")
    mailing = (await shop.ran("mailing", "draft", "--name", "Once", "--campaign", campaign, *common))["mailing"]
    await shop.ran("mailing", "audience", mailing)
    await shop.ran("mailing", "schedule", mailing)
    mails = await shop.completed(mailing)
    for address in ("acme@one.example", "bob@one.example"):
        says(mails[address], address, "Acme", tracked=True)
        assert str(mails[address]["Subject"]).endswith(f": Acme for {address}")
    sent = await shop.ran("mail", "send", "--to", "bob@one.example", *common)
    await shop.becomes(sent["mail"], lambda status: status["sent"] == 1)
    (mail,) = map(read, shop.arrived(sent["mail"]))
    says(mail, "bob@one.example", "Acme", tracked=False)
    assert (await shop.ran("template", "list"))["templates"] == [
        row for row in (await shop.done("GET", "/templates"))["templates"] if row["name"] == "Theirs"
    ]
