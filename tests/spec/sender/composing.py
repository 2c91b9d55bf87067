"""What mails are composed from in tests: content, a recipient, and how the mail that comes out is read."""

import email
import re
from email.message import EmailMessage
from email.policy import default

from hypothesis import strategies as st

from services.sender.mails.compiled import compile_content
from services.sender.mails.compose import ChunkComposer, Rendered
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
