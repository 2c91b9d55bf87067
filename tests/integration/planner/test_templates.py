"""Previews, findings, kept templates and single mails, on a planner with real log and tables."""

from shared.contracts import commands
from tests.integration.planner.conftest import Desk

ROWS = b"email,name,first\none@example.org,One,Ann\ntwo@example.org,Two,\n"
HTML = "<p>{% if first %}Dear {{ first }}{% else %}Hello{% endif %}</p>\n<a href='/x'>x</a>"


async def test_a_preview_is_made_for_any_contact_and_findings_for_any_draft(desk: Desk) -> None:
    """By address or id; nobody else's, and no other mailing's."""
    await desk.imported(ROWS)
    mailing = await desk.drafted(subject="Hi {{ name }}", html=HTML, text="")
    one = await desk.ask(commands.PreviewMailing(mailing=mailing, contact="One@Example.org"))
    assert (one["to"], one["subject"]) == ("one@example.org", "Hi One")
    assert "<p>Dear Ann</p>" in one["html"]
    assert "Dear Ann" in one["text"]
    two = await desk.ask(commands.PreviewMailing(mailing=mailing, contact="two@example.org"))
    assert "<p>Hello</p>" in two["html"]
    assert await desk.ask(commands.PreviewMailing(mailing=mailing, contact=one["contact"])) == one
    for wanted, code in (("no@example.org", "contact_unknown"), ("no@@", "address_invalid")):
        answer = await desk.client.query(commands.PreviewMailing(mailing=mailing, contact=wanted), 0)
        assert answer.refusal is not None
        assert answer.refusal.code == code
    found = (await desk.ask(commands.LintMailing(mailing=mailing)))["findings"]
    assert [(row["code"], row["line"]) for row in found] == [("bad_link", 2), ("text_missing", 1)]
