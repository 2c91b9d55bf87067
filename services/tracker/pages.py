"""The pages people see: plain HTML without scripts, one inline style sheet pinned by its hash, nothing loaded.

All words come from `shared.languages`. Pages hold no address and no text a request brought; the only text from outside
are names of lists, which are escaped like everything else.
"""

from base64 import b64encode
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from hashlib import sha256
from html import escape

from shared import languages
from shared.contracts.consent import REASONS
from shared.languages import Language

MAX_COMMENT = 2000

_STYLE = (
    ":root{color-scheme:light dark}"
    "body{font:1.1rem/1.5 system-ui,sans-serif;max-width:36rem;margin:3rem auto;padding:0 1rem;color:#1a1a1a;"
    "background:#fff}h1{font-size:1.6rem}fieldset{margin:1rem 0;padding:.3rem 1rem .7rem;border:1px solid #595959}"
    "legend,.label{font-weight:600;padding:0 .3rem}.label{display:block;margin:1rem 0 .3rem;padding:0}"
    ".option{display:flex;gap:.6rem;align-items:baseline;padding:.25rem 0}"
    "input{inline-size:1.1rem;block-size:1.1rem;flex:none}"
    "textarea{width:100%;box-sizing:border-box;font:inherit;padding:.5rem;border:1px solid #595959}"
    "button{font:inherit;padding:.6rem 1.2rem;margin-block-start:1rem;margin-inline-end:.5rem;border:2px solid #1a4d8f;"
    "border-radius:.3rem;background:#fff;color:#1a4d8f;cursor:pointer}button.main{background:#1a4d8f;color:#fff}"
    "a{color:#1a4d8f}nav{margin-block-start:3rem;font-size:1rem}nav ul{display:flex;flex-wrap:wrap;gap:.3rem 1.2rem;"
    "list-style:none;margin:0;padding:0}nav a,nav b{display:inline-block;padding:.2rem 0}"
    ":focus-visible{outline:3px solid #b35900;outline-offset:2px}"
    "@media(prefers-color-scheme:dark){body{background:#1a1a1a;color:#f2f2f2}fieldset,textarea{border-color:#b3b3b3}"
    "button{background:#1a1a1a;color:#9cc4ff;border-color:#9cc4ff}button.main{background:#9cc4ff;color:#1a1a1a}"
    "a{color:#9cc4ff}:focus-visible{outline-color:#ffb066}}"
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


@dataclass(frozen=True, slots=True)
class View:
    """What all pages of one answer have in common.

    Attributes:
        language: Whose words they say.
        page_id: Tells a repeated press from a new one.
        lists: Names of the lists the link is about, "" where one is not known; none where it is about all mail.
    """

    language: Language
    page_id: str
    lists: Sequence[str] = ()

    def named(self, place: int) -> str:
        """Return what the list at `place` is called on the page."""
        texts = self.language.page
        if self.lists[place]:
            return self.lists[place]
        return texts.these if len(self.lists) == 1 else texts.numbered.format(number=place + 1)


def _page(language: Language, title: str, inner: str, *, switch: bool = False) -> Page:
    html = (
        f'<!doctype html>\n<html lang="{language.code}" dir="{language.direction}"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head>"
        f"<body><main><h1>{escape(title)}</h1>{inner}</main>{_switch(language) if switch else ''}</body></html>\n"
    )
    headers = [*HEADERS, (b"content-language", language.code.encode())]
    return Page(html.encode(), headers)


def _switch(current: Language) -> str:
    """Return links to this page in every language."""
    items = []
    for code, other in languages.known().items():
        attributes = f'lang="{code}" dir="{other.direction}"'
        if code == current.code:
            items.append(f'<li><b {attributes} aria-current="true">{escape(other.name)}</b></li>')
        else:
            items.append(f'<li><a href="?lang={code}" hreflang="{code}" {attributes}>{escape(other.name)}</a></li>')
    return f'<nav aria-label="{escape(current.page.languages)}"><ul>{"".join(items)}</ul></nav>'


def _form(page_id: str, inner: str) -> str:
    return f'<form method="post"><input type="hidden" name="page" value="{page_id}">{inner}</form>'


def _hidden(names: Collection[str]) -> str:
    return "".join(f'<input type="hidden" name="{name}" value="on">' for name in names)


def _button(action: str, label: str, *, main: bool = False) -> str:
    look = ' class="main"' if main else ""
    return f'<button type="submit" name="action" value="{action}"{look}>{escape(label)}</button>'


def _option(kind: str, name: str, value: str, label: str, *, chosen: bool = False) -> str:
    known = f"{name}-{value}" if kind == "radio" else name
    mark = " checked" if chosen else ""
    return (
        f'<div class="option"><input type="{kind}" id="{known}" name="{name}" value="{value}"{mark}>'
        f'<label for="{known}">{escape(label)}</label></div>'
    )


def _which(view: View, problem: str) -> str:
    """Return the choice of lists: all of the link's are chosen, all mail of the sender is not."""
    if not view.lists:
        return ""
    texts = view.language.page
    about = ' aria-describedby="problem"' if problem else ""
    options = [_option("checkbox", f"list{i}", "on", view.named(i), chosen=True) for i in range(len(view.lists))]
    options.append(_option("checkbox", "all", "on", texts.everything))
    inner = "".join(options)
    return f"{_hidden(['choose'])}<fieldset{about}><legend>{escape(texts.which)}</legend>{inner}</fieldset>"


def _choice(view: View, problem: str = "") -> str:
    texts = view.language.page
    reasons = "".join(_option("radio", "reason", reason, getattr(texts, reason)) for reason in REASONS)
    return _form(
        view.page_id,
        _which(view, problem)
        + f"<fieldset><legend>{escape(texts.reason)}</legend>{reasons}</fieldset>"
        + f'<label class="label" for="comment">{escape(texts.comment)}</label>'
        f'<textarea id="comment" name="comment" rows="3" maxlength="{MAX_COMMENT}"></textarea>'
        + _button("unsubscribe", texts.unsubscribe, main=True)
        + _button("stay", texts.stay),
    )


def _said(text: str, role: str = "status") -> str:
    return f'<p role="{role}" id="problem">{escape(text)}</p>'


def ask(view: View) -> Page:
    """The page behind the link in the mail: asks, does nothing."""
    texts = view.language.page
    return _page(view.language, texts.ask_title, f"<p>{escape(texts.ask_intro)}</p>{_choice(view)}", switch=True)


def unclear(view: View) -> Page:
    """After a POST that says neither this nor that."""
    texts = view.language.page
    return _page(view.language, texts.unclear_title, _said(texts.unclear_text) + _choice(view))


def nothing_chosen(view: View) -> Page:
    """After an opt-out of nothing."""
    texts = view.language.page
    return _page(view.language, texts.choose_title, _said(texts.choose_text, "alert") + _choice(view, "choose"))


def unsubscribed(view: View, left: Collection[str]) -> Page:
    """After an opt-out, with the way back to what was `left` (names of the form's fields)."""
    texts = view.language.page
    back = _form(view.page_id, _hidden(["after", *left]) + _button("stay", texts.changed_mind))
    return _page(view.language, texts.out_title, f"{_said(texts.out_text)}{back}")


def subscribed(view: View) -> Page:
    """After an opt-in, with the way out."""
    texts = view.language.page
    out = _form(view.page_id, _button("unsubscribe", texts.unsubscribe))
    return _page(view.language, texts.in_title, f"{_said(texts.in_text)}{out}")


def stayed(view: View) -> Page:
    """After "stay" without an opt-out before: says that nothing happened, offers the way back from an older opt-out."""
    texts = view.language.page
    back = _form(view.page_id, _hidden(["after"]) + _button("stay", texts.again))
    return _page(view.language, texts.stay_title, f"{_said(texts.stay_text)}{back}")


def failed(view: View) -> Page:
    """The choice could not be saved."""
    texts = view.language.page
    return _page(view.language, texts.failed_title, _said(texts.failed_text, "alert") + _choice(view))


def confirm(view: View, problem: str = "") -> Page:
    """The page behind the link that confirms an opt-in: asks, does nothing."""
    texts = view.language.page
    named = "".join(f"<li>{escape(view.named(place))}</li>" for place, name in enumerate(view.lists) if name)
    inner = f"<p>{escape(texts.confirm_intro)}</p>" + (f"<ul>{named}</ul>" if named else "")
    inner += _form(view.page_id, _button("confirm", texts.confirm, main=True))
    inner += f"<p>{escape(texts.confirm_ignore)}</p>"
    return _page(
        view.language, texts.confirm_title, (_said(problem, "alert") if problem else "") + inner, switch=not problem
    )


def confirmed(view: View) -> Page:
    """After the confirmation of an opt-in."""
    texts = view.language.page
    return _page(view.language, texts.confirmed_title, _said(texts.confirmed_text))


def expired(view: View) -> Page:
    """The link that confirms is too old."""
    texts = view.language.page
    return _page(view.language, texts.expired_title, _said(texts.expired_text))


def gone(language: Language) -> Page:
    """The mail of the link is kept no more."""
    return _page(language, language.page.gone_title, _said(language.page.gone_text))


def later(language: Language) -> Page:
    """The mail of the link cannot be shown just now."""
    return _page(language, language.page.later_title, _said(language.page.later_text))


def not_found(language: Language | None = None) -> Page:
    """Whatever the reason."""
    language = language or languages.of(languages.DEFAULT)
    return _page(language, language.page.missing_title, f"<p>{escape(language.page.missing_text)}</p>")
