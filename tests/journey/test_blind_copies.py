"""Blind copies at the sink: of every mail that was accepted one, to the archive, and it acts for nobody."""

from email.message import EmailMessage
from pathlib import Path

import pytest

from tests.harness.marketer import LETTER, Marketer, body_of, read
from tests.harness.waiting import until

pytestmark = pytest.mark.asyncio(loop_scope="package")

TABLE = "email,name\nann@one.example,Ann\n"
HTML = """<p>Dear {{ name }}, <a href="https://shop.example/sale">the sale</a>,
<a href="{{ webViewUrl }}">in the browser</a>, <a href="{{ optOutUrl }}">leave</a></p>"""


def copies_to(shop: Marketer, archive: str) -> dict[str, EmailMessage]:
    """Return the copies that an archive got by whom they show."""
    mails = [read(mail) for mail in shop.system.relay.accepted if mail.recipient == archive]
    found = {str(mail["To"]): mail for mail in mails}
    assert len(found) == len(mails), "copied twice"
    return found


@pytest.mark.feature("M2")
async def test_every_accepted_mail_is_copied_once(shop: Marketer, tmp_path: Path) -> None:
    """The copy says what the mail says; who was refused has none; its links neither count nor unsubscribe anybody.

    The same where it was drafted by the command line, and over HTTP.
    """
    await shop.told(*({"id": name, "lists": ["Copied"]} for name in ("ann", "bob", "reject-3")))
    campaign = await shop.campaign("Copied")
    table, html = tmp_path / "people.csv", tmp_path / "mail.html"
    table.write_text(TABLE)
    html.write_text(HTML)
    draft = ("--name", "x", "--campaign", campaign, "--account", "relay", "--from", "The shop <news@shop.example>")
    draft += ("--subject", "Hi {{ name }}", "--reply-to", "help@shop.example", "--attach", str(table))
    draft += ("--html", str(html))
    wrong = await shop.posthaste("mailing", "draft", *draft, "--blind-copy", "archive")
    assert wrong.code == 2
    assert "blind_copy" in wrong.error
    file = {"file_name": "people.csv", "media_type": "text/csv"} | await shop.uploaded(TABLE.encode())
    wanted = {"sender_name": "The shop", "reply_to": "help@shop.example", "subject": "Hi {{ name }}"}
    wanted |= {"html": HTML, "text": "", "attachments": [file]}
    refused = LETTER | wanted | {"campaign": campaign, "name": "x", "account": shop.system.account}
    assert await shop.denied("POST", "/mailings", refused | {"blind_copy": "archive"}) == "bad_address"

    archives = ("commands@archive.example", "http@archive.example")
    mailings = [
        str((await shop.ran("mailing", "draft", *draft, "--blind-copy", archives[0]))["mailing"]),
        await shop.draft(campaign, **wanted, blind_copy=archives[1]),
    ]
    for mailing in mailings:
        assert (await shop.fixed(mailing))["recipients"] == 3
        await shop.done("POST", f"/mailings/{mailing}/schedule", {})
    for mailing, archive in zip(mailings, archives, strict=True):
        await shop.becomes(mailing, lambda status: status["status"] == "Completed" and status["copied"] == 2)
        status = await shop.ran("mailing", "status", mailing)
        assert (status["total"], status["sent"], status["rejected"], status["copied"]) == (3, 2, 1, 2)
        copies = await until(lambda to=archive: found if len(found := copies_to(shop, to)) == 2 else None, 10)
        assert set(copies) == {"Ann <ann@one.example>", "Bob <bob@one.example>"}
        copied_as_it_was(copies["Ann <ann@one.example>"])


def copied_as_it_was(copy: EmailMessage) -> None:
    """See that it says what Ann's mail says, and leads nobody out."""
    assert (copy["Subject"], copy["List-Unsubscribe"]) == ("Hi Ann", None)
    assert (copy["From"], copy["Reply-To"]) == ("The shop <news@shop.example>", "help@shop.example")
    (attached,) = copy.iter_attachments()
    assert (attached.get_filename(), attached.get_content().strip()) == ("people.csv", TABLE.strip())
    said = body_of(copy, "html")
    assert "Dear Ann" in said
    assert 'href="https://shop.example/sale"' in said
    assert '/u/copy"' in said
    assert '/v/copy"' in said
    assert "<img" not in said
