"""The links in a mail: what is tracked, how one leaves and joins, and that the tracker understands each."""

import email
import html as markup
import re
from email.policy import default
from urllib.parse import unquote

import pytest

from services.sender.mails.compiled import compile_content
from services.sender.mails.compose import ChunkComposer
from shared import languages, tokens
from tests.spec.sender.composing import (
    DATE,
    HTML,
    PIXEL,
    PUBLIC,
    RING,
    SHOP,
    SIGNER,
    UNSUBSCRIBE,
    body,
    composer,
    content,
    parsed,
    row,
)


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
