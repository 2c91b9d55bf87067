"""Previews, findings, kept templates and single mails, on a planner with real log and tables."""

import pytest

from shared.contracts import commands, subjects
from shared.contracts.mailing import MailingDrafted
from tests.integration.planner.conftest import Desk

ROWS = b"email,name,first\none@example.org,One,Ann\ntwo@example.org,Two,\n"
HTML = "<p>{% if first %}Dear {{ first }}{% else %}Hello{% endif %}</p>\n<a href='/x'>x</a>"


@pytest.mark.feature("A6")
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


async def test_a_kept_template_is_what_a_draft_does_not_say(desk: Desk) -> None:
    """Saved, replaced, listed, taken as it is at that moment, deleted for good."""
    await desk.imported(ROWS)
    bad = commands.SaveTemplate(name="x", html="a\n{% if %}")
    assert await desk.refused(bad) == "unclosed"
    wanted = commands.SaveTemplate(name="Letter", subject="Hi {{ name }}", html="<p>one</p>")
    template = (await desk.do(wanted, key="k1"))["template"]
    assert (await desk.do(wanted, key="k1"))["template"] == template
    mailing = await desk.drafted(template=template, subject="", html="", text="")
    wrote = await desk.ask(commands.Draft(mailing=mailing))
    assert (wrote["subject"], wrote["html"]) == ("Hi {{ name }}", "<p>one</p>")
    await desk.do(commands.SaveTemplate(template=template, name="Letter 2", subject="Hi", text="two {{ name }}"))
    assert (await desk.ask(commands.Draft(mailing=mailing)))["html"] == "<p>one</p>"
    (row,) = (await desk.ask(commands.Templates()))["templates"]
    assert (row["template"], row["name"], row["subject"]) == (template, "Letter 2", "Hi")
    shown = await desk.ask(commands.ShowTemplate(template=template))
    assert (shown["html"], shown["text"]) == ("", "two {{ name }}")
    await desk.do(commands.DeleteTemplate(template=template))
    assert (await desk.ask(commands.Templates()))["templates"] == []
    assert await desk.refused(commands.SaveTemplate(template=template, name="again")) == "template_unknown"


@pytest.mark.feature("A6")
async def test_a_template_of_another_system_is_kept_as_ours(desk: Desk) -> None:
    """Single braces are rewritten where it is said that they stand there, and only there."""
    said = {
        "subject": "For {Person.firstName}",
        "html": "<style>p{top}</style>{optOutLink} {trackingUrl:42}",
        "text": "",
    }
    ours = {"subject": "For {{ first_name }}", "html": "<style>p{top}</style>{{ optOutLink }} {{ trackingUrl:42 }}"}
    for single, wanted in ((True, ours), (False, said)):
        kept = await desk.do(commands.SaveTemplate(name="Letter", **said, single_braces=single))
        shown = await desk.ask(commands.ShowTemplate(template=kept["template"]))
        assert {name: shown[name] for name in ("subject", "html", "text")} == {"text": ""} | wanted


@pytest.mark.feature("F2")
async def test_a_single_mail_goes_to_one_person_and_to_a_removed_one_when_somebody_insists(desk: Desk) -> None:
    """One chunk in the prompt lane with the fields of the contact; the plan keeps that somebody insisted."""
    await desk.imported(ROWS)
    account = await desk.account()
    wanted = {
        "account": account,
        "to": "One@example.org",
        "sender_address": "a@example.com",
        "subject": "Hi {{ first }}",
    }
    wanted |= {"text": "{{ name }}"}
    sent = await desk.do(commands.SendMail.model_validate(wanted), key="k2")
    assert await desk.do(commands.SendMail.model_validate(wanted), key="k2") == sent
    (plan,) = await desk.planned(sent["mail"], 1)
    assert (plan.kind, plan.lane, plan.contacts, plan.insisted) == ("single", "prompt", [sent["contact"]], False)
    assert await desk.refused(commands.SendMail.model_validate(wanted | {"sender_address": "b@example.com"})) == (
        "sender_not_allowed"
    )
    assert await desk.refused(commands.SendMail.model_validate(wanted | {"subject": ""})) == "empty_subject"
    assert (
        await desk.refused(commands.SendMail.model_validate(wanted | {"text": "{{ frist }}"})) == "unknown_placeholder"
    )
    await desk.do(commands.OptOut(address="one@example.org"))
    assert await desk.refused(commands.SendMail.model_validate(wanted)) == "recipient_removed"
    insisted = await desk.do(commands.SendMail.model_validate(wanted | {"although_removed": True}))
    (plan,) = await desk.planned(insisted["mail"], 1)
    assert plan.insisted
    stranger = await desk.do(commands.SendMail.model_validate(wanted | {"to": "new@example.net", "subject": "Hi"}))
    (plan,) = await desk.planned(stranger["mail"], 1)
    assert plan.contacts == [stranger["contact"]]


@pytest.mark.feature("A13")
async def test_a_name_stands_for_a_url_in_every_template(desk: Desk) -> None:
    """In kept templates, drafts and their languages; what no name stands for is refused with its line."""
    await desk.imported(ROWS)
    await desk.do(commands.SaveTrackingUrl(name="Spring Sale", url="https://shop.example/sale?a=1&b=2"))
    bad = commands.SaveTrackingUrl(name="Spring Sale", url="javascript:alert(1)")
    assert await desk.refused(bad) == "tracking_url_invalid"
    html = '<p>{{ name }}</p>\n<a href="{{ trackingUrl:spring  sale }}">sale</a>'
    template = (await desk.do(commands.SaveTemplate(name="Letter", subject="Hi", html=html)))["template"]
    text = "Angebot: {{trackingUrl:Spring Sale}}"
    mailing = await desk.drafted(template=template, html="", text="", variants={"de": {"subject": "x", "text": text}})
    said = await desk.ask(commands.Draft(mailing=mailing))
    assert 'href="https://shop.example/sale?a=1&amp;b=2"' in said["html"]
    assert said["variants"]["de"]["text"] == "Angebot: https://shop.example/sale?a=1&b=2"
    (drafted,) = [event for event in await desk.events(subjects.mailing(mailing)) if isinstance(event, MailingDrafted)]
    assert drafted.links == ["https://shop.example/sale?a=1&b=2"]
    wanted = commands.DraftMailing(
        campaign=drafted.campaign,
        name="m",
        account=drafted.account,
        sender_address="a@example.com",
        subject="s",
        text="one\n{{ trackingUrl:Other }}",
    )
    answer = await desk.client.command(wanted)
    assert answer.refusal is not None
    assert (answer.refusal.code, answer.refusal.field, answer.refusal.line) == ("tracking_url_unknown", "text", 2)
    await desk.do(commands.DeleteTrackingUrl(name="SPRING SALE"))
    assert (await desk.ask(commands.TrackingUrls()))["tracking_urls"] == []
    assert await desk.refused(commands.DeleteTrackingUrl(name="Spring Sale")) == "tracking_url_unknown"
