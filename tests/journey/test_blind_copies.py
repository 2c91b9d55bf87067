"""Blind copies at the sink: of every mail that was accepted one, to the archive, and it acts for nobody."""

import email.policy
from email.message import EmailMessage
from email.parser import BytesParser
from pathlib import Path
from typing import Any

import orjson
import pytest

from deploy.local import Local
from tests.harness.posthaste import Posthaste
from tests.harness.waiting import until

PEOPLE = "email,name\nann@one.example,Ann\nbob@two.example,Bob\nreject@three.example,Eve\n"
HTML = """<p>Dear {{ name }}, <a href="https://shop.example/sale">the sale</a>,
<a href="{{ webViewUrl }}">in the browser</a>, <a href="{{ optOutUrl }}">leave</a></p>"""
ARCHIVE = "archive@shop.example"


def to_the_archive(local: Local) -> dict[str, EmailMessage]:
    """Return the copies by whom they show."""
    mails = local.folder.path / "mails"
    index = [orjson.loads(line) for line in (mails / "index.jsonl").read_bytes().splitlines()]
    parse = BytesParser(policy=email.policy.default).parsebytes
    found = {}
    for entry in index:
        if entry["recipients"] == [ARCHIVE]:
            mail = parse((mails / str(entry["id"] // 1000) / f"{entry['id']}.eml").read_bytes())
            assert isinstance(mail, EmailMessage)
            assert str(mail["To"]) not in found, "copied twice"
            found[str(mail["To"])] = mail
    return found


@pytest.mark.feature("M2")
async def test_every_accepted_mail_is_copied_once(local: Local, posthaste: Posthaste, tmp_path: Path) -> None:
    """The copy says what the mail says; who was refused has none; its links neither count nor unsubscribe anybody."""

    async def ran(*arguments: str) -> Any:  # noqa: ANN401 - whatever was printed
        ended = await posthaste(*arguments, "--json")
        assert ended.code == 0, ended.out + ended.error
        return ended.json

    people, html = tmp_path / "people.csv", tmp_path / "mail.html"
    people.write_text(PEOPLE)
    html.write_text(HTML)
    smtp = ("--host", "127.0.0.1", "--port", str(local.urls.smtp_port), "--tls", "none")
    await ran("account", "add", "--name", "relay", *smtp, "--sender", "news@shop.example")
    await ran("account", "test", "relay")
    await ran("contacts", "import", str(people), "--list", "Readers")
    await ran("campaign", "open", "--name", "Spring", "--list", "Readers")
    draft = ["--campaign", "Spring", "--account", "relay", "--from", "The shop <news@shop.example>"]
    draft += ["--subject", "Hi {{ name }}", "--reply-to", "help@shop.example", "--attach", str(people)]
    wrong = await posthaste("mailing", "draft", "--name", "x", *draft, "--html", str(html), "--blind-copy", "archive")
    assert wrong.code == 2
    assert "blind_copy" in wrong.error
    drafted = await ran("mailing", "draft", "--name", "May", *draft, "--html", str(html), "--blind-copy", ARCHIVE)
    mailing = drafted["mailing"]
    assert (await ran("mailing", "audience", mailing))["recipients"] == 3
    await ran("mailing", "schedule", mailing)

    async def copied() -> Any:  # noqa: ANN401 - the status
        status = await ran("mailing", "status", mailing)
        return status if status["status"] == "Completed" and status["copied"] == 2 else None

    status = await until(copied, 60, every=0.3)
    assert (status["total"], status["sent"], status["rejected"]) == (3, 2, 1)
    copies = await until(lambda: found if len(found := to_the_archive(local)) == 2 else None, 10)
    assert set(copies) == {"Ann <ann@one.example>", "Bob <bob@two.example>"}
    copy = copies["Ann <ann@one.example>"]
    assert (copy["Subject"], copy["List-Unsubscribe"]) == ("Hi Ann", None)
    assert (copy["From"], copy["Reply-To"]) == ("The shop <news@shop.example>", "help@shop.example")
    (attached,) = copy.iter_attachments()
    assert (attached.get_filename(), attached.get_content().strip()) == ("people.csv", PEOPLE.strip())
    body = copy.get_body(("html",))
    assert body is not None
    said = body.get_content()
    assert "Dear Ann" in said
    assert 'href="https://shop.example/sale"' in said
    assert '/u/copy"' in said
    assert '/v/copy"' in said
    assert "<img" not in said
