"""The pages people see: plain HTML without scripts, one inline style sheet pinned by its hash, nothing loaded.

All words stand in `Texts`; a further language is one more instance in `LANGUAGES`. Pages hold no name, no address and
no text a request brought, so there is nothing to inject.
"""

from base64 import b64encode
from dataclasses import dataclass
from hashlib import sha256
from html import escape

MAX_COMMENT = 2000


@dataclass(frozen=True)
class Texts:
    """The words of one language."""

    language: str
    ask_title: str = "Unsubscribe"
    ask_intro: str = "Do you want to stop receiving these e-mails?"
    comment_label: str = "Would you like to tell us why? (optional)"
    unsubscribe: str = "Unsubscribe"
    stay: str = "Stay subscribed"
    out_title: str = "You are unsubscribed"
    out_text: str = "You will not receive these e-mails any more. Mail that is already on its way may still arrive."
    changed_mind: str = "I changed my mind, subscribe me again"
    in_title: str = "You are subscribed again"
    in_text: str = "You will receive these e-mails again. You can unsubscribe at any time."
    stay_title: str = "Nothing was changed"
    stay_text: str = "You stay subscribed. If you had unsubscribed before and want these e-mails again, say so here:"
    again: str = "Subscribe me again"
    unclear_title: str = "Nothing was changed"
    unclear_text: str = "We could not see what you want. Please choose:"
    failed_title: str = "That did not work"
    failed_text: str = "We could not save your choice just now. Please try again in a minute."
    missing_title: str = "Page not found"
    missing_text: str = "This link is incomplete or not valid. Please use the link exactly as it stands in the e-mail."


LANGUAGES = {"en": Texts("en")}
_DEFAULT = LANGUAGES["en"]

_STYLE = (
    "body{font:1.1rem/1.5 system-ui,sans-serif;max-width:36rem;margin:3rem auto;padding:0 1rem;color:#1a1a1a;"
    "background:#fff}h1{font-size:1.6rem}label{display:block;margin:1rem 0 .3rem}"
    "textarea{width:100%;box-sizing:border-box;font:inherit;padding:.5rem;border:1px solid #595959}"
    "button{font:inherit;padding:.6rem 1.2rem;margin:1rem .5rem 0 0;border:2px solid #1a4d8f;border-radius:.3rem;"
    "background:#fff;color:#1a4d8f;cursor:pointer}button.main{background:#1a4d8f;color:#fff}"
    ":focus-visible{outline:3px solid #b35900;outline-offset:2px}"
    "@media(prefers-color-scheme:dark){body{background:#1a1a1a;color:#f2f2f2}"
    "button{background:#1a1a1a;color:#9cc4ff;border-color:#9cc4ff}button.main{background:#9cc4ff;color:#1a1a1a}}"
)
_HASH = b64encode(sha256(_STYLE.encode()).digest()).decode()

HEADERS = [
    (b"content-type", b"text/html; charset=utf-8"),
    (b"cache-control", b"no-store, private"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-content-type-options", b"nosniff"),
    (b"x-robots-tag", b"noindex"),
    (
        b"content-security-policy",
        f"default-src 'none'; style-src 'sha256-{_HASH}'; form-action 'self'; base-uri 'none'; "
        "frame-ancestors 'none'".encode(),
    ),
]


@dataclass(frozen=True, slots=True)
class Page:
    """A page ready to be sent."""

    body: bytes
    headers: list[tuple[bytes, bytes]]


def _page(texts: Texts, title: str, inner: str) -> Page:
    html = (
        f'<!doctype html>\n<html lang="{texts.language}"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head>"
        f"<body><main><h1>{escape(title)}</h1>{inner}</main></body></html>\n"
    )
    return Page(html.encode(), HEADERS)


def _form(page_id: str, inner: str) -> str:
    return f'<form method="post"><input type="hidden" name="page" value="{page_id}">{inner}</form>'


def _button(action: str, label: str, *, main: bool = False) -> str:
    look = ' class="main"' if main else ""
    return f'<button type="submit" name="action" value="{action}"{look}>{escape(label)}</button>'


def _choice(texts: Texts, page_id: str) -> str:
    return _form(
        page_id,
        f'<label for="comment">{escape(texts.comment_label)}</label>'
        f'<textarea id="comment" name="comment" rows="4" maxlength="{MAX_COMMENT}"></textarea>'
        + _button("unsubscribe", texts.unsubscribe, main=True)
        + _button("stay", texts.stay),
    )


def ask(page_id: str, texts: Texts = _DEFAULT) -> Page:
    """The page behind the link in the mail: asks, does nothing."""
    return _page(texts, texts.ask_title, f"<p>{escape(texts.ask_intro)}</p>{_choice(texts, page_id)}")


def unclear(page_id: str, texts: Texts = _DEFAULT) -> Page:
    """After a POST that says neither this nor that."""
    return _page(
        texts, texts.unclear_title, f'<p role="status">{escape(texts.unclear_text)}</p>{_choice(texts, page_id)}'
    )


def unsubscribed(page_id: str, texts: Texts = _DEFAULT) -> Page:
    """After an opt-out, with the way back."""
    back = _form(page_id, '<input type="hidden" name="after" value="out">' + _button("stay", texts.changed_mind))
    return _page(texts, texts.out_title, f'<p role="status">{escape(texts.out_text)}</p>{back}')


def subscribed(page_id: str, texts: Texts = _DEFAULT) -> Page:
    """After an opt-in, with the way out."""
    out = _form(page_id, _button("unsubscribe", texts.unsubscribe))
    return _page(texts, texts.in_title, f'<p role="status">{escape(texts.in_text)}</p>{out}')


def stayed(page_id: str, texts: Texts = _DEFAULT) -> Page:
    """After "stay" without an opt-out before: says that nothing happened, offers the way back from an older opt-out."""
    back = _form(page_id, '<input type="hidden" name="after" value="out">' + _button("stay", texts.again))
    return _page(texts, texts.stay_title, f'<p role="status">{escape(texts.stay_text)}</p>{back}')


def failed(page_id: str, texts: Texts = _DEFAULT) -> Page:
    """The choice could not be saved."""
    return _page(texts, texts.failed_title, f'<p role="alert">{escape(texts.failed_text)}</p>{_choice(texts, page_id)}')


def not_found(texts: Texts = _DEFAULT) -> Page:
    """Whatever the reason."""
    return _page(texts, texts.missing_title, f"<p>{escape(texts.missing_text)}</p>")
