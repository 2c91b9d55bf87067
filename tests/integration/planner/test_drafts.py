"""Drafts with files and header fields, on a planner with real log, INBOX and CONTENT."""

import hashlib
from typing import Any

import pytest

from shared.contracts import commands, subjects
from shared.contracts.content import Content
from shared.contracts.mailing import MailingDrafted, MailingEdited
from shared.eventlog.objects import Objects
from tests.integration.planner.conftest import Desk

LOGO = bytes(range(256)) * 3000
HTML = '<p>Hello <img src="cid:logo"></p>'


async def _content(desk: Desk, mailing: str) -> Content:
    last = (await desk.events(subjects.mailing(mailing)))[-1]
    assert isinstance(last, MailingDrafted | MailingEdited)
    return Content.model_validate_json(await Objects(desk.nc, subjects.CONTENT).get(last.content))


def _file(**changes: Any) -> dict[str, Any]:  # noqa: ANN401 - fields of an attachment
    return {"file_name": "logo.png", "media_type": "image/png", "content_id": "logo"} | changes


async def test_files_are_kept_by_hash_and_may_be_used_again(desk: Desk) -> None:
    """An upload becomes an object; an edit names the object that `mailing.content` told of."""
    await desk.imported(b"email\none@example.org\n")
    upload, parts = await desk.upload(LOGO)
    mailing = await desk.drafted(html=HTML, attachments=[_file(upload=upload, parts=parts)], headers={"X-Shop": "a"})
    content = await _content(desk, mailing)
    assert content.headers == {"X-Shop": "a"}
    assert [(file.file_name, file.size) for file in content.attachments] == [("logo.png", len(LOGO))]
    name = content.attachments[0].object
    assert name == hashlib.sha256(LOGO).hexdigest()
    assert await Objects(desk.nc, subjects.CONTENT).get(name) == LOGO
    wrote = await desk.ask(commands.Draft(mailing=mailing))
    assert wrote["attachments"] == [_file(object=name, size=len(LOGO))]
    kept = {key: wrote[key] for key in commands.EditMailing.model_fields if key in wrote}
    edited = kept | {"attachments": [_file(object=name)], "subject": "other"}
    await desk.do(commands.EditMailing.model_validate(edited))
    assert (await _content(desk, mailing)).attachments == content.attachments


async def test_what_cannot_go_with_a_mail_is_refused(desk: Desk) -> None:
    """Parts that are missing, too much, an empty object, a type that mails cannot carry."""
    await desk.imported(b"email\none@example.org\n")
    account = await desk.account()
    campaign = (await desk.do(commands.OpenCampaign(name="c", lists=["readers"])))["campaign"]
    upload, parts = await desk.upload(bytes(3_000_000))
    there = {"upload": upload, "parts": parts, "content_id": ""}
    draft = {"campaign": campaign, "name": "m", "account": account, "sender_address": "a@example.com"}
    draft |= {"subject": "s", "html": "<p>x</p>"}

    async def refused(*files: dict[str, Any], **more: object) -> str:
        wanted = draft | {"attachments": list(files)} | more
        return await desk.refused(commands.DraftMailing.model_validate(wanted))

    assert await refused(_file(upload="nothere", parts=1)) == "upload_missing"
    assert await refused(_file(object="0" * 64)) == "upload_missing"
    assert await refused(_file()) == "attachment_invalid"
    assert await refused(_file(**there, media_type="message/rfc822")) == "attachment_invalid"
    assert await refused(_file(**there, file_name="a/b")) == "attachment_invalid"
    assert await refused(_file(**there), _file(**there)) == "attachments_too_large"
    assert await refused(*[_file(**there)] * 21) == "too_many_attachments"
    assert await refused(_file(**there | {"content_id": "logo"})) == "content_id_unknown"
    assert await refused(headers={"From": "x"}) == "header_not_allowed"


@pytest.mark.feature("B28")
async def test_links_get_the_parameters_of_their_campaign(desk: Desk) -> None:
    """In all versions, where they have them not; what was written keeps its own, and an edit adds nothing again."""
    await desk.imported(b"email,name\nann@x.example,Ann\n")
    utm = {"utm_source": "news", "utm_medium": "email"}
    campaign = (await desk.do(commands.OpenCampaign(name="c", lists=["readers"], utm=utm)))["campaign"]
    wanted = {"campaign": campaign, "name": "m", "account": await desk.account(), "sender_address": "a@example.com"}
    wanted |= {
        "subject": "s",
        "html": '<a href="https://a.example/?utm_source=own">x</a> <a href="{{ unsubscribe_url }}">u</a>',
    }
    wanted["ab_test"] = {"versions": {"b": {"html": '<a href="https://b.example/#top">y</a>'}}, "percent": 10}
    drafted = await desk.do(commands.DraftMailing.model_validate(wanted))
    links = ["https://a.example/?utm_source=own&utm_medium=email"]
    links += ["https://b.example/?utm_source=news&utm_medium=email#top"]
    assert drafted["links"] == links
    again = await desk.ask(commands.Draft(mailing=drafted["mailing"]))
    edited = wanted | {"html": again["html"], "ab_test": again["ab_test"], "mailing": drafted["mailing"]}
    assert (await desk.do(commands.EditMailing.model_validate(edited)))["links"] == links


@pytest.mark.feature("B28")
async def test_a_preheader_is_in_the_mail_and_not_in_what_was_written(desk: Desk) -> None:
    """Hidden in the HTML of each version, not in the text; shown to its author apart, and an edit puts it in once."""
    await desk.imported(b"email,name\nann@x.example,Ann\n")
    wanted: dict[str, object] = {"preheader": "For {{ name }}", "html": "<p>Hello</p>"}
    wanted["ab_test"] = {"versions": {"b": {"subject": "Another"}}, "percent": 50}
    mailing = await desk.drafted(**wanted)
    written = await desk.ask(commands.Draft(mailing=mailing))
    assert (written["preheader"], written["html"], written["text"]) == ("For {{ name }}", "<p>Hello</p>", "")
    assert written["ab_test"]["versions"]["b"]["html"] == "<p>Hello</p>"
    for version in "ab":
        shown = await desk.ask(commands.PreviewMailing(mailing=mailing, contact="ann@x.example", version=version))
        assert shown["html"].count(">For Ann</div><p>Hello</p>") == 1
        assert "For Ann" not in shown["text"]
    fields = commands.EditMailing.model_fields.keys() & written.keys()
    again = {name: written[name] for name in fields} | {"mailing": mailing, "html": "<p>Bye</p>"}
    await desk.do(commands.EditMailing.model_validate(again))
    shown = await desk.ask(commands.PreviewMailing(mailing=mailing, contact="ann@x.example"))
    assert shown["html"].count("For Ann") == 1
