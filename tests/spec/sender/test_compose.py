"""Compose: what a recipient receives is what the author wrote, whatever the values are, byte for byte the same."""

import email
import hashlib
import html as markup
import re
from email.message import EmailMessage
from email.policy import default
from urllib.parse import unquote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.sender.mails.compiled import compile_content
from services.sender.mails.compose import ChunkComposer, Rendered, RenderError
from services.sender.mails.mime import CompileError
from services.sender.smtp.link import Capabilities
from services.sender.smtp.offers import fit
from services.sender.smtp.window import Mail
from shared import languages, tokens
from shared.contracts.content import Content
from shared.contracts.mailing_settings import Tracking
from shared.keys import KeyRing
from shared.tokens import Signer

RING = KeyRing.of("secret of more than thirty-two characters", "pepper of more than thirty-two characters")
SIGNER = Signer(RING)
PUBLIC = "https://t.example.com"
DATE = 1_767_225_600
SHOP, BLOG = "https://shop.example/sale?a=1&b=2", "https://blog.example/ü"

HTML = f"""<html><body><p>Hello {{{{ First | default("you & me") }}}},
  {{{{company}}}}{{{{ company }}}} says: <a href="{SHOP.replace("&", "&amp;")}">sale</a>
.dot <a href='{BLOG}'>blog</a> <a href="https://x.example/{{{{ company }}}}">x</a></p>
</body></html>
"""
TEXT = f"{{{{ company }}}}\n.\n\n{{{{ first | default('you') }}}}\tä  b \n{SHOP} {{{{ email }}}} {{{{ name }}}}"


def content(**changes: object) -> Content:
    """Return content with both bodies."""
    wanted: dict[str, object] = {
        "subject": "Für {{ company }}: {{ first | default('you') }}",
        "html": HTML,
        "text": TEXT,
        "links": [SHOP, BLOG],
        "sender_name": "Müller, Example",
        "sender_address": "news@mail.example.com",
        "reply_to": "hello@example.com",
        "list_name": "News",
        "list_id": "news.example.com",
        "campaign": "c1",
    }
    return Content.model_validate(wanted | changes)


def composer(
    what: Content,
    *,
    n: int = 3,
    tracking: Tracking = "person",
    public_url: str = PUBLIC,
    bounce_domain: str = "",
) -> ChunkComposer:
    """Return a composer of chunk `n` of mailing m1."""
    compiled = compile_content(
        what,
        mailing="m1",
        public_url=public_url,
        signer=SIGNER,
        tracking=tracking,
        domain="mail.example.com",
        account="a1",
    )
    return ChunkComposer(compiled, n, bounce_domain)


def row(**changes: object) -> dict[str, object]:
    """Return a payload row."""
    wanted: dict[str, object] = {
        "contact": "c1",
        "address": "anna@example.com",
        "name": "Anna",
        "address_key": "0123456789abcdef",
        "lists": ["l2", "l1"],
        "fields": {"first": "Anna", "company": "Acme"},
    }
    return wanted | changes


def parsed(mail: Rendered) -> EmailMessage:
    """Return the message as a reader's program understands it."""
    assert mail.message.endswith(b"\r\n.\r\n")
    message = email.message_from_bytes(mail.message[:-3], policy=default)
    assert isinstance(message, EmailMessage)
    assert not message.defects
    return message


def body(mail: Rendered, subtype: str) -> str:
    """Return one decoded body with its line ends as sent."""
    for part in parsed(mail).walk():
        if part.get_content_subtype() == subtype:
            payload = part.get_payload(decode=True)
            assert isinstance(payload, bytes)
            return payload.decode()
    raise AssertionError(f"no text/{subtype} part")


def crlf(text: str) -> str:
    """Return `text` with its line breaks as a mail has them."""
    return re.sub(r"\r\n|\r|\n", "\r\n", text)


def click(link: int, url: str) -> str:
    """Return the tracked form of a link for recipient (m1, 3, 7)."""
    return f"{PUBLIC}/c/{SIGNER.recipient('m1', 3, 7)}/{SIGNER.link('m1', link, url)}"


UNSUBSCRIBE = f"{PUBLIC}/u/{SIGNER.unsubscribe('m1', 3, 7, '0123456789abcdef', ['l1', 'l2'])}"
PIXEL = f'<img src="{PUBLIC}/o/{SIGNER.recipient("m1", 3, 7)}.gif" width="1" height="1" alt="" style="display:block">'

NASTY = [
    "",
    ".",
    "\n.\n",
    "\r\n.\r\n",
    "\r",
    " ",
    "\t",
    "x" * 5000,
    "a\n\n\n",
    ". ",
    "=2E",
    "%s %b %%",
    "</body>",
    "{{ first }}",
]
values = st.one_of(
    st.text(max_size=120),
    st.sampled_from(NASTY),
    st.text("Ελληνικάשלום👩\u200d👩\u200d👧\"'<>&\\. \n", max_size=60),
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


def test_tokens_in_the_mail_verify_at_the_tracker() -> None:
    """The tracker learns recipient, link and scope from what stands in the mail."""
    mail = composer(content()).render(row(), 7, DATE)
    html = body(mail, "html")
    found = re.search(rf"{PUBLIC}/c/([^/]+)/([^\"']+)", html)
    assert found is not None
    who = tokens.verify_recipient(RING, found[1])
    assert who is not None
    link = tokens.verify_link(RING, who, found[2])
    assert link is not None
    assert (who.mailing, who.n, who.index, link.url) == ("m1", 3, 7, SHOP)
    token = parsed(mail)["List-Unsubscribe"].removeprefix(f"<{PUBLIC}/u/").removesuffix(">")
    left = tokens.verify_unsubscribe(RING, token)
    assert left is not None
    assert (left.address_key, left.scope) == ("0123456789abcdef", ("l1", "l2"))


def test_the_same_inputs_give_the_same_bytes() -> None:
    """A second attempt, another process, another order: the bytes are those of the first claim."""
    first, second = composer(content()), composer(content())
    second.render(row(lists=["l9"], address="bob@example.com"), 8, DATE + 1)
    assert first.render(row(), 7, DATE) == second.render(row(), 7, DATE)
    assert first.render(row(), 7, DATE + 1).message != first.render(row(), 7, DATE).message


def test_without_tracking_links_stay_and_no_pixel_is_added() -> None:
    """Only the unsubscribe link leads to the tracker."""
    mail = composer(content(), tracking="off").render(row(), 7, DATE)
    html = body(mail, "html")
    assert markup.escape(SHOP, quote=False) in html
    assert "/o/" not in html
    assert "/c/" not in html + body(mail, "plain")
    assert UNSUBSCRIBE in html


def test_anonymous_tracking_is_the_same_for_all_recipients() -> None:
    """Clicks and opens name the mailing alone; leaving and Message-ID are personal still."""
    made = composer(content(), tracking="anonymous")
    html = body(made.render(row(), 7, DATE), "html")
    assert f"{PUBLIC}/o/{SIGNER.anonymous('m1')}.gif" in html
    assert SIGNER.recipient("m1", 3, 7) not in html
    assert UNSUBSCRIBE in html


def test_a_template_with_its_own_unsubscribe_link_gets_no_footer() -> None:
    """One link is enough; without footer and link there is no List-Unsubscribe either."""
    own = content(html='<a href="{{ unsubscribe_url }}">leave</a>', text="Leave: {{ unsubscribe_url }}\n")
    mail = composer(own).render(row(), 7, DATE)
    assert body(mail, "html") == f'<a href="{UNSUBSCRIBE}">leave</a>{PIXEL}'
    assert body(mail, "plain") == f"Leave: {UNSUBSCRIBE}\r\n"
    assert "List-Unsubscribe" in parsed(mail)
    mass = composer(content(unsubscribe=False), tracking="off").render(row(), 7, DATE)
    assert UNSUBSCRIBE not in body(mass, "html")
    assert parsed(mass)["List-Unsubscribe"] == f"<{UNSUBSCRIBE}>"
    single = content(unsubscribe=False, list_id="")
    none = composer(single, tracking="off").render(row(address_key="", lists=[]), 7, DATE)
    assert "List-Unsubscribe" not in parsed(none)


def test_what_is_appended_speaks_the_language_of_the_mail() -> None:
    """Words and direction in the mail, the language in its links, so that the page behind speaks it, too."""
    mail = composer(content(language="he")).render(row(), 7, DATE)
    link = f"{UNSUBSCRIBE}?lang=he"
    words = languages.of("he").mail.unsubscribe
    footer = f'<p lang="he" dir="rtl" style="font-size:12px;color:#707070"><a href="{link}">{words}</a></p>'
    assert footer in body(mail, "html")
    assert body(mail, "plain").endswith(f"-- \r\n{words}: {link}\r\n")
    assert parsed(mail)["List-Unsubscribe"] == f"<{link}>"


def test_links_of_the_recipient_stand_where_the_template_has_them() -> None:
    """URLs bare, links with their words, to leave and to join; then nothing is appended."""
    source = "{{ optOutUrl }} {{optoutlink}} {{OptInUrl}} {{ optInLink }}"
    mail = composer(content(html=f"<p>{source}</p>", text=source, language="it"), tracking="off").render(row(), 7, DATE)
    join = SIGNER.opt_in("m1", 3, 7, "0123456789abcdef", ["l1", "l2"], until=DATE // 86_400 + tokens.OPT_IN_DAYS)
    out, back = f"{UNSUBSCRIBE}?lang=it", f"{PUBLIC}/s/{join}?lang=it"
    words = languages.of("it").mail
    linked = f'{out} <a href="{out}">{words.unsubscribe}</a> {back} <a href="{back}">{words.confirm}</a>'
    assert body(mail, "html") == f"<p>{linked}</p>"
    assert body(mail, "plain") == f"{out} {words.unsubscribe}: {out} {back} {words.confirm}: {back}"


@pytest.mark.parametrize("lists", [["l1", "l2"], [f"list{i:08d}" for i in range(24)]])
def test_where_mail_comes_back_a_mailbox_unsubscribes_too(lists: list[str]) -> None:
    """The page first, then the mailbox: its address names the mail, its subject is the whole token."""
    compiled = compile_content(
        content(), mailing="m1", public_url=PUBLIC, signer=SIGNER, tracking="off", domain="d.example"
    )
    mail = ChunkComposer(compiled, 3, "bounce.example").render(row(lists=lists), 7, DATE)
    field = str(parsed(mail)["List-Unsubscribe"])
    page, mailbox = re.findall(r"<([^<>]+)>", field)
    assert page.startswith(f"{PUBLIC}/u/")
    address, _, subject = mailbox.removeprefix("mailto:").partition("?subject=")
    local, _, at = address.partition("@")
    assert at == "bounce.example"
    assert len(local) <= 64
    who = tokens.verify_leaving(RING, local.upper())
    assert who is not None
    assert (who.mailing, who.n, who.index) == ("m1", 3, 7)
    token = tokens.unsubscribe_in(RING, f"Re: {unquote(subject)}")
    assert token is not None
    assert token.scope == tuple(lists)
    assert max(map(len, mail.message.split(b"\r\n"))) <= 998


@pytest.mark.parametrize("lists", [[], ["l1"], [f"list{i:08d}" for i in range(24)], [f"l{i}" for i in range(99)]])
def test_any_number_of_lists_gives_an_unsubscribe_link(lists: list[str]) -> None:
    """Long tokens are broken over lines in the body and stay whole in the header."""
    mail = composer(content()).render(row(lists=lists), 7, DATE)
    token = SIGNER.unsubscribe("m1", 3, 7, "0123456789abcdef", lists)
    assert f"<{PUBLIC}/u/{token}>\r\n".encode() in mail.message
    assert f"/u/{token}" in body(mail, "html")
    assert f"/u/{token}" in body(mail, "plain")
    assert max(map(len, mail.message.split(b"\r\n"))) <= 998


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


def test_a_copy_shows_the_customer_and_acts_for_nobody() -> None:
    """The same words to another address; no token of a person stands in it, and no List-Unsubscribe."""
    what = content(html=HTML.replace("</body>", "{{ optOutLink }} {{ webViewUrl }} {{ optInUrl }}</body>"))
    shared = {"mailing": "m1c", "public_url": PUBLIC, "signer": SIGNER, "domain": "mail.example.com", "account": "a1"}
    made = ChunkComposer(compile_content(what, tracking="off", copy=True, **shared), 3)
    mail = made.render(row(address="archive@shop.example", shown="anna@example.com"), 7, DATE)
    assert mail.recipient == b"archive@shop.example"
    parsed = email.message_from_bytes(mail.message, policy=default)
    assert "anna@example.com" in parsed["To"]
    assert parsed["List-Unsubscribe"] is None
    html = markup.unescape(body(mail, "html"))
    assert set(re.findall(r"https://t\.example\.com(/[^\"&< ]*)", html)) == {"/u/copy", "/v/copy", "/s/copy"}
    assert SHOP in html
