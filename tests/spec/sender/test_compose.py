"""Compose: what a recipient receives is what the author wrote, whatever the values are, byte for byte the same."""

import email
import hashlib
import html as markup
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.sender.mails.compose import RenderError
from services.sender.mails.mime import CompileError
from services.sender.smtp.link import Capabilities
from services.sender.smtp.offers import fit
from services.sender.smtp.window import Mail
from shared import tokens
from shared.contracts.mailing_settings import Tracking
from tests.spec.sender.composing import (
    BLOG,
    DATE,
    HTML,
    PIXEL,
    RING,
    SHOP,
    SIGNER,
    TEXT,
    UNSUBSCRIBE,
    body,
    click,
    composer,
    content,
    crlf,
    parsed,
    row,
    values,
)


def expected_bodies(first: str, company: str) -> tuple[str, str]:
    """Return what HTML and text have to be for the recipient of `row`, by plain replacement of what the tests wrote."""
    first, company = crlf(first), crlf(company)
    told = company.replace("{", "\ue000")
    html = HTML.replace('{{ First | default("you & me") }}', markup.escape(first.replace("{", "\ue000") or "you & me"))
    html = html.replace("{{company}}", markup.escape(told)).replace("{{ company }}", markup.escape(told))
    html = html.replace(SHOP.replace("&", "&amp;"), click(0, SHOP), 1)
    html = html.replace(BLOG, click(1, "https://blog.example/%C3%BC"), 1)
    footer = f'<p style="font-size:12px;color:#707070"><a href="{UNSUBSCRIBE}">Unsubscribe</a></p>\n'
    html = html.replace("</body></html>", f"{footer}{PIXEL}</body></html>")
    text = TEXT.replace("{{ company }}", told).replace(
        "{{ first | default('you') }}", first.replace("{", "\ue000") or "you"
    )
    text = (
        text.replace(SHOP, click(0, SHOP), 1).replace("{{ email }}", "anna@example.com").replace("{{ name }}", "Anna")
    )
    text += f"\n\n-- \nUnsubscribe: {UNSUBSCRIBE}\n"
    return crlf(html.replace("\ue000", "{")), crlf(text.replace("\ue000", "{"))


BOTH = composer(content(subject="Hi"))


@given(first=values, company=values)
@settings(max_examples=300)
def test_bodies_say_what_the_template_says(first: str, company: str) -> None:
    """Values are escaped in HTML and verbatim in text, links and pixel carry tokens, a footer offers to leave."""
    mail = BOTH.render(row(fields={"first": first, "company": company}), 7, DATE)
    html, text = expected_bodies(first, company)
    if "\ue000" not in first + company and "</body>" not in first + company:
        assert body(mail, "html") == html
    assert body(mail, "plain") == text or "\ue000" in first + company


@given(
    first=values,
    company=values,
    single=st.sampled_from(["html", "text", ""]),
    tracking=st.sampled_from(["off", "person"]),
)
@settings(max_examples=300)
def test_a_message_is_ready_for_the_wire_by_construction(
    first: str, company: str, single: str, tracking: Tracking
) -> None:
    """CRLF only, short lines, ends once, no dot to be stuffed, body canonical for DKIM, nothing to be escaped."""
    what = content(subject="Hi", **({single: "", "unsubscribe": False} if single else {}))
    message = (
        composer(what, tracking=tracking).render(row(fields={"first": first, "company": company}), 7, DATE).message
    )
    assert message.isascii()
    assert message.count(b"\r\n.\r\n") == 1
    assert message.endswith(b"\r\n.\r\n")
    lines = message.split(b"\r\n")
    assert lines[-2:] == [b".", b""]
    for line in lines[:-2]:
        assert not re.search(rb"[\x00-\x1f\x7f]", line)
        assert not line.startswith(b".")
        assert len(line) <= 200
    wire = message[:-3].partition(b"\r\n\r\n")[2]
    assert wire == _relaxed(wire)


def _relaxed(wire: bytes) -> bytes:
    """Canonicalise a body as RFC 6376 3.4.4 says."""
    lines = [re.sub(rb"[ \t]+", b" ", line).rstrip(b" ") for line in wire.split(b"\r\n")]
    while lines and not lines[-1]:
        lines.pop()
    return b"".join(line + b"\r\n" for line in lines)


@given(first=values, company=values, name=values)
def test_merged_headers_are_right_or_refused(first: str, company: str, name: str) -> None:
    """A value with a control character is refused for that recipient; any other is read back as it was."""
    made = composer(content())
    control = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")
    given_row = row(fields={"first": first, "company": company}, name=name)
    if control.search(first + company + name) or len(first + company) > 900:
        with pytest.raises(RenderError, match=r"^(control character in (name|subject)|subject is longer than .*)$"):
            made.render(given_row, 7, DATE)
        return
    message = email.message_from_bytes(made.render(given_row, 7, DATE).message[:-3])
    subject = re.sub(" +", " ", f"Für {company}: {first or 'you'}").strip(" ")
    decoded = email.header.make_header(email.header.decode_header(message["Subject"].replace("\r\n ", " ")))
    assert str(decoded) == subject


def test_headers_are_complete_and_single() -> None:
    """What a bulk mail needs, each once; unsubscribing is one click, identity is stable."""
    mail = composer(content()).render(row(), 7, DATE)
    message = parsed(mail)
    assert message["From"] == '"Müller, Example" <news@mail.example.com>'
    assert message["To"] == "Anna <anna@example.com>"
    assert message["Reply-To"] == "hello@example.com"
    assert message["Subject"] == "Für Acme: Anna"
    assert message["Date"] == "Thu, 01 Jan 2026 00:00:00 +0000"
    who = SIGNER.recipient("m1", 3, 7).removeprefix(SIGNER.kid + ".")
    assert message["Message-ID"] == f"<{who}@mail.example.com>"
    assert message["List-Id"] == "News <news.example.com>"
    assert message["List-Unsubscribe"] == f"<{UNSUBSCRIBE}>"
    assert message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert message["Precedence"] == "bulk"
    assert message["MIME-Version"] == "1.0"
    assert message.get_content_type() == "multipart/alternative"
    assert [part.get_content_type() for part in message.iter_parts()] == ["text/plain", "text/html"]
    assert len(set(message.keys())) == len(message.keys())
    assert (mail.sender, mail.recipient) == (b"news@mail.example.com", b"anna@example.com")
    assert mail.digest == hashlib.sha256(mail.message).digest()[:8]
    feedback = message["Feedback-ID"].split(":")
    assert feedback[:3] == ["m1", "c1", "a1"]
    assert 5 <= len(feedback[3]) <= 15


def test_mail_comes_back_to_an_address_of_its_own() -> None:
    """With a bounce domain, MAIL names the recipient by a signed token; the message only gains a mailbox."""
    what = content()
    plain = composer(what).render(row(), 7, DATE)
    mail = composer(what, bounce_domain="bounces.example.com").render(row(), 7, DATE)
    path = mail.sender.decode()
    local, _, domain = path.partition("@")
    assert domain == "bounces.example.com"
    who = tokens.verify_bounce(RING, local)
    assert who is not None
    assert (who.mailing, who.n, who.index) == ("m1", 3, 7)
    mailto = rb",\r\n <mailto:u\+[^>]*>"
    assert re.sub(mailto, b"", mail.message) == plain.message


def test_a_relay_that_knows_them_is_asked_for_reports() -> None:
    """ENVID names the mail, ORCPT the address as it was; both as xtext."""
    mail = composer(content()).render(row(address="anna+x=y@example.com"), 7, DATE)
    message_id = parsed(mail)["Message-ID"].partition("@")[0].removeprefix("<")
    offered = Capabilities(extensions=("dsn",))
    said = fit(Mail(7, mail.sender, mail.recipient, mail.message, mail_id=mail.mail_id), offered)
    assert isinstance(said, bytes)
    assert f" RET=HDRS ENVID={message_id}\r\n".encode() in said
    assert b" NOTIFY=FAILURE,DELAY ORCPT=rfc822;anna+2Bx+3Dy@example.com\r\n" in said


def test_the_same_inputs_give_the_same_bytes() -> None:
    """A second attempt, another process, another order: the bytes are those of the first claim."""
    first, second = composer(content()), composer(content())
    second.render(row(lists=["l9"], address="bob@example.com"), 8, DATE + 1)
    assert first.render(row(), 7, DATE) == second.render(row(), 7, DATE)
    assert first.render(row(), 7, DATE + 1).message != first.render(row(), 7, DATE).message


def test_one_body_alone_makes_a_simple_message() -> None:
    """Text alone or HTML alone needs no multipart."""
    for subtype, changes in (("plain", {"html": ""}), ("html", {"text": ""})):
        message = parsed(composer(content(**changes)).render(row(), 7, DATE))
        assert message.get_content_type() == f"text/{subtype}"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"contact": ""}, "erased"),
        ({"fields": {"first": "Anna"}}, "missing field company"),
        ({"address": "anna"}, "bad address"),
        ({"address": "anna@example.com\r\nDATA"}, "bad address"),
        ({"name": "Anna\r\nBcc: x@y.example"}, "control character in name"),
        ({"fields": {"company": "A\x00B"}}, "control character in subject"),
        ({"fields": {"company": "\ud800"}}, "control character in subject"),
        ({"address_key": ""}, "no address key"),
        ({"lists": ["a.b"]}, "bad list id"),
    ],
)
def test_a_recipient_that_cannot_be_rendered_is_named_by_reason(changes: dict[str, object], reason: str) -> None:
    """The reason is fit for the log: it quotes no value. The next recipient is not touched."""
    made = composer(content())
    with pytest.raises(RenderError) as refused:
        made.render(row(**changes), 7, DATE)
    assert refused.value.reason == reason
    assert made.render(row(), 8, DATE).message


def test_an_address_of_another_script_goes_as_it_is_its_domain_as_a_labels() -> None:
    """Only a local part can be beyond ASCII: it is never changed, and the envelope then asks for SMTPUTF8."""
    mail = composer(content()).render(row(address="δοκιμή@bücher.example"), 7, DATE)
    whole = "δοκιμή@xn--bcher-kva.example"
    assert mail.recipient == whole.encode()
    assert f"<{whole}>".encode() in mail.message.partition(b"\r\n\r\n")[0]
    assert mail.message.partition(b"\r\n\r\n")[2].isascii()


def test_values_of_any_size_do_not_make_mails_of_any_size() -> None:
    """A value that would blow up the mail is refused before the mail is made."""
    made = composer(content(subject="Hi", html="{{ company }}" * 400))
    with pytest.raises(RenderError, match="field company is too long"):
        made.render(row(fields={"company": "ä" * 64_000}), 7, DATE)


def test_field_names_do_not_mind_case() -> None:
    """Neither in the template nor in the payload."""
    mail = composer(content(subject="Hi", html="", text="{{ COMPANY }}!\n", unsubscribe=False)).render(
        row(fields={"Company": "Acme"}), 7, DATE
    )
    assert body(mail, "plain") == "Acme!\r\n"


@pytest.mark.parametrize(
    "changes",
    [
        {"html": "{{ x", "text": ""},
        {"html": "", "text": ""},
        {"sender_address": "x"},
        {"list_id": "a>\r\nb"},
        {"subject": "a\nb"},
    ],
)
def test_content_that_cannot_be_compiled_is_refused_as_a_whole(changes: dict[str, object]) -> None:
    """The planner never freezes such content; the sender parks the chunk with the reason."""
    with pytest.raises(CompileError):
        composer(content(**changes))
    with pytest.raises(CompileError):
        composer(content(), public_url="javascript:alert(1)")
