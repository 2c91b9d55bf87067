"""What an author should know of a template before anybody gets it: mistakes, and what mail programs make of it.

In come subject, HTML and text with the fields contacts have, out go findings with place and remedy, errors first. Pure,
and without a network: a link is judged by its spelling alone.
"""

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Literal

from shared.contracts.links import elements_in_html, links_in_text
from shared.contracts.template import MASK, WAYS_OUT, TemplateError, check, placeholders, unescaped
from shared.contracts.tracking_url import without

CLIPPED = 102 * 1024
"""Bytes of HTML after which Gmail cuts a mail off, with the way out and the pixel behind the cut."""

LONG_SUBJECT = 70
_NOT_SHOWN = {
    "script": "mail programs run no scripts",
    "form": "most mail programs show no forms",
    "iframe": "mail programs show no frames",
    "object": "mail programs show no plug-ins",
    "embed": "mail programs show no plug-ins",
    "video": "most mail programs play no videos",
}
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
_HOST = re.compile(r"https?://[^\s/?#]*[^\s/?#.:@]", re.IGNORECASE)
_ODD = re.compile(r"[\s<>\"{}|\\^`]")
_BARE = re.compile(r"(?<![\w/@.:])www\.[\w-]+\.[a-z]{2,}", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Finding:
    """What is wrong or unwise. An `error` keeps the draft from being taken or the mail from doing its work."""

    code: str
    severity: Literal["error", "warning"]
    message: str
    remedy: str
    field: str
    line: int


def lint(subject: str, html: str, text: str, known_fields: Collection[str], *, appended: bool = True) -> list[Finding]:
    """Return what is found; `appended`: a link to unsubscribe is added where a body has none."""
    html, text = without(html), without(text)  # whether there are such URLs is seen when it is used
    sources = {"subject": subject, "html": html, "text": text}
    problems = check(sources, known_fields)
    found = [Finding(p.code, "error", p.message, "Mend the placeholder.", p.field, p.line) for p in problems]
    if not html.strip() and not text.strip():
        found.append(Finding("empty_body", "error", "There is neither HTML nor text.", "Write a body.", "html", 1))
    found += [*_subject(subject), *_size(html), *_bodies(html, text)]
    if not appended:
        found += _way_out(html, text)
    found += [*_elements(html), *_text(text)]
    return sorted(dict.fromkeys(found), key=lambda finding: (finding.severity, list(sources).index(finding.field)))


def _subject(subject: str) -> Iterator[Finding]:
    if not subject.strip():
        yield Finding("empty_subject", "error", "There is no subject.", "Write one.", "subject", 1)
    elif len(subject) > LONG_SUBJECT:
        message = f"The subject has {len(subject)} characters; telephones show about 40."
        remedy = f"Say what matters first, in {LONG_SUBJECT} characters at most."
        yield Finding("subject_long", "warning", message, remedy, "subject", 1)


def _size(html: str) -> Iterator[Finding]:
    size = len(html.encode(errors="replace"))
    if size > CLIPPED:
        message = f"The HTML has {size:,} bytes; Gmail cuts it off after {CLIPPED:,}."
        line = html.encode(errors="replace")[:CLIPPED].count(b"\n") + 1
        remedy = "Take styles together, leave out comments, or link to a page."
        yield Finding("clipped", "warning", message, remedy, "html", line)


def _bodies(html: str, text: str) -> Iterator[Finding]:
    if html.strip() and not text.strip():
        remedy = "Write one, or look at what is made of the HTML."
        yield Finding("text_missing", "warning", "There is no text body.", remedy, "text", 1)
    if text.strip() and not html.strip():
        message = "There is no HTML body, so opens cannot be counted."
        yield Finding("html_missing", "warning", message, "Write one, or leave it as it is.", "html", 1)


def _way_out(html: str, text: str) -> Iterator[Finding]:
    for field, source in (("html", html), ("text", text)):
        try:
            names = placeholders(source, html=field == "html")
        except TemplateError:  # found above
            continue
        if source.strip() and not names & WAYS_OUT:
            message = "There is no link to unsubscribe, and none is appended."
            yield Finding("no_unsubscribe", "error", message, "Put {{ optOutUrl }} into a link.", field, 1)


def _elements(html: str) -> Iterator[Finding]:
    for tag, start, attributes in elements_in_html(html):
        line = html.count("\n", 0, start) + 1
        values = {match["name"].lower(): unescaped(_value(match)).strip() for match in attributes}
        if tag in {"a", "area"} and "href" in values and (why := _wrong_link(values["href"])):
            remedy = "Write the whole address, as https://www.example.com/page."
            yield Finding("bad_link", "error", f"The link {values['href'][:80]!r} {why}.", remedy, "html", line)
        elif tag == "img":
            yield from _image(values, line)
        elif tag in _NOT_SHOWN:
            message = f"<{tag}>: {_NOT_SHOWN[tag]}."
            yield Finding("not_shown", "warning", message, "Leave it out, or link to a page that has it.", "html", line)
        elif tag == "link" and "stylesheet" in values.get("rel", "").lower():
            message = "Mail programs load no style sheets."
            yield Finding("not_shown", "warning", message, "Write the styles into the template.", "html", line)


def _image(values: dict[str, str], line: int) -> Iterator[Finding]:
    if "alt" not in values:
        message = "An image has no words for those who do not see it; many programs load none at first."
        yield Finding("alt_missing", "warning", message, 'Add alt="..."; alt="" for decoration.', "html", line)
    source = values.get("src", "")
    if source.lower().startswith("data:"):
        message = "Gmail shows no image that stands in the HTML itself."
        yield Finding("data_image", "warning", message, "Attach it and write cid:name, or link to it.", "html", line)
    elif not source or (MASK not in source and not source.lower().startswith(("http://", "https://", "cid:"))):
        message = f"The image {source[:80]!r} has no address that can be loaded from a mail."
        yield Finding("bad_image", "error", message, "Write https://..., or cid:name of an inline image.", "html", line)


def _value(match: re.Match[str]) -> str:
    return match[match.lastgroup] if match.lastgroup not in {None, "name"} else ""


def _wrong_link(href: str) -> str:
    """Return what is wrong with the target of a link, "" where nothing is; a placeholder may be anything."""
    if href.startswith((MASK, "#")):
        return "leads nowhere in a mail" if href == "#" else ""
    if not href:
        return "is empty"
    if not _SCHEME.match(href):
        return "is relative to a page, and a mail has none"
    scheme = href.partition(":")[0].lower()
    if scheme in {"javascript", "data", "file", "vbscript"}:
        return "is opened by no mail program"
    if scheme in {"http", "https"} and MASK not in href:
        if not _HOST.match(href):
            return "names no host"
        if _ODD.search(href):
            return "holds a character that has to be written as %20 or the like"
    return ""


def _text(text: str) -> Iterator[Finding]:
    covered = {place for link in links_in_text(text) for place in range(link.start, link.end)}
    for match in _BARE.finditer(text):
        if match.start() not in covered:
            line = text.count("\n", 0, match.start()) + 1
            message = f"{match[0]!r} is not counted, and some programs make no link of it."
            yield Finding("bad_link", "warning", message, f"Write https://{match[0]}.", "text", line)
