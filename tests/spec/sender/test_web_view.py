"""A mail as a page: the very HTML that went out, with its own images; and the link to it in the mail."""

import hashlib
import re
from base64 import b64encode
from email import message_from_bytes, policy
from email.message import EmailMessage

from services.sender.mails.compiled import END_OF_MESSAGE, compile_content
from services.sender.mails.compose import ChunkComposer
from services.sender.mails.web_view import MOST_IMAGES, page_of
from shared.contracts.commands import Viewed
from shared.contracts.content import AttachedFile, Content
from shared.keys import KeyRing
from shared.tokens import Signer, verify_recipient, verify_view

RING = KeyRing.of("k1-0123456789abcdefghijklmnopqrstuv", "pepper-0123456789abcdefghijklmnopqrs")
SIGNER = Signer(RING)
ROW = {"contact": "c1", "address": "ann@example.com", "name": "Ann <3", "address_key": "0f3a9c5e7b1d2468", "lists": []}
HTML = (
    '<html><body><a href="{{ webViewUrl }}">Web</a> {{ webViewLink }} <p>Hi {{ name }}</p>'
    '<img src="cid:logo"></body></html>'
)


def _mail(html: str = HTML, text: str = "See {{ webViewUrl }}\n", logo: bytes = b"", tracking: str = "person") -> bytes:
    named = hashlib.sha256(logo).hexdigest()
    files = {named: logo} if logo else {}
    image = {"file_name": "l.png", "media_type": "image/png", "content_id": "logo"}
    attached = [AttachedFile(object=named, size=len(logo), **image)]
    content = Content(
        subject="News",
        sender_address="news@shop.example",
        language="it",
        html=html,
        text=text,
        attachments=attached if logo else [],
    )
    told = {"mailing": "m1", "public_url": "https://t.example", "domain": "shop.example", "signer": SIGNER}
    compiled = compile_content(content, **told, tracking=tracking, files=files)  # type: ignore[arg-type]  # as a dict
    return ChunkComposer(compiled, 3).render(ROW, 7, 1_700_000_000).message.removesuffix(END_OF_MESSAGE)


def _body(message: bytes, kind: str) -> str:
    mail = message_from_bytes(message, policy=policy.default)
    assert isinstance(mail, EmailMessage)
    part = mail.get_body((kind,))
    assert part is not None
    return str(part.get_content())


def test_the_link_names_the_mail_and_is_no_other_token() -> None:
    """In both bodies, in the mail's language; the pixel's token does not show the mail, and this one opens nothing."""
    message = _mail()
    tokens = set(
        re.findall(r"https://t\.example/v/([^?\s\"]+)\?lang=it", _body(message, "html") + _body(message, "plain"))
    )
    assert tokens == {SIGNER.view("m1", 3, 7)}
    (token,) = tokens
    whose = verify_view(RING, token)
    assert whose is not None
    assert (whose.mailing, whose.n, whose.index) == ("m1", 3, 7)
    assert verify_recipient(RING, token) is None
    assert verify_view(RING, SIGNER.recipient("m1", 3, 7)) is None
    assert verify_view(RING, SIGNER.anonymous("m1")) is None
    assert verify_view(RING, token[:-1]) is None
    assert "Visualizza nel browser</a>" in _body(message, "html")


def test_the_page_is_the_mail() -> None:
    """Byte for byte the HTML that went out, values escaped, but for the images that it carries."""
    logo = b"\x89PNG" + bytes(100)
    message = _mail(logo=logo)
    page = page_of(message)
    assert "Hi Ann &lt;3" in page
    inline = f"data:image/png;base64,{b64encode(logo).decode()}"
    assert page == _body(message, "html").replace("cid:logo", inline)
    assert page.count("/o/") == 1, "reading it there is an open like any other"
    assert "/o/" not in page_of(_mail(tracking="off"))
    assert "cid:logo" in page_of(_mail(logo=bytes(MOST_IMAGES + 1))), "what does not fit is left out"


def test_a_mail_of_text_alone_is_shown_as_text() -> None:
    """Whatever looks like markup in it stays text."""
    page = page_of(_mail(html="", text="<b>{{ name }}</b>\n"))
    assert "&lt;b&gt;Ann &lt;3&lt;/b&gt;" in page
    assert "<b>" not in page


def test_an_answer_larger_than_a_message_is_packed() -> None:
    """And what is none is refused, a bomb included."""
    viewed = Viewed(state="shown", html="<p>Hello</p>" * 100_000)
    packed = viewed.packed()
    assert len(packed) < 100_000
    assert Viewed.unpacked(packed) == viewed
    bomb = Viewed(state="shown", html=" " * 17_000_000).packed()
    for raw in (b"", b"nonsense", bomb):
        try:
            Viewed.unpacked(raw)
        except ValueError:
            continue
        raise AssertionError(raw[:20])
