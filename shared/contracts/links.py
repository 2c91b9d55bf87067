"""Where the links of a template are, with their exact places in the source, so that the sender can replace them.

In comes the source of an HTML or a text body; out go absolute http and https links. Those with placeholders, of odd
length or inside comments are left alone. Pure; the planner lists the links with it, the sender rewrites with it.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import quote

from shared.contracts.template import MASK, masked, unescaped

MAX_URL = 1_500

_NOT_PLAIN = re.compile(rf"[{MASK}\x00-\x20\x7f]")
_COMMENT_END = re.compile("-->")
_OPENING = re.compile(r"<([A-Za-z][^\s/>]*)")
_LINKING = frozenset({"a", "area"})
_RAW = {tag: re.compile(rf"</{tag}", re.IGNORECASE) for tag in ("script", "style", "title", "textarea")}
_BARE_URL = re.compile(r"""https?://[^\s<>"'`\\^{}|]+""", re.IGNORECASE)
_TRAILING = ".,;:!?*_~"
_ATTRIBUTE = re.compile(
    r"""[\s/]*(?P<name>[^\s/>=]+)(?:\s*=\s*(?:"(?P<double>[^"]*)"|'(?P<single>[^']*)'|(?P<bare>[^\s"'>][^\s>]*)))?"""
)


@dataclass(frozen=True, slots=True)
class Link:
    """An absolute http(s) URL as the reader's program sees it; `source[start:end]` is how it is spelled."""

    url: str
    start: int
    end: int


def links_in_html(source: str) -> list[Link]:
    """Return the absolute links of `a` and `area` elements; those with placeholders are left out."""
    elements = elements_in_html(source)
    found = (_href(attribute) for tag, _, attributes in elements if tag in _LINKING for attribute in attributes)
    return [link for link in found if link is not None]


def elements_in_html(source: str) -> Iterator[tuple[str, int, list[re.Match[str]]]]:
    """Yield the name in lower case, the place and the attributes of each element outside comments and scripts.

    One pass, every character looked at a bounded number of times (html.parser takes minutes for hostile input).
    """
    text = masked(source)
    at = text.find("<")
    while at >= 0:
        if text.startswith("<!--", at):
            at = _after(text, _COMMENT_END, at + 4)
        elif (opening := _OPENING.match(text, at)) is not None:
            tag = opening[1].lower()
            start, at = at, opening.end()
            attributes: list[re.Match[str]] = []
            while (attribute := _ATTRIBUTE.match(text, at)) is not None:
                at = attribute.end()
                attributes.append(attribute)
            yield tag, start, attributes
            if tag in _RAW:
                at = _after(text, _RAW[tag], at)
        else:
            at += 1
        at = text.find("<", at) if at >= 0 else at


def _after(text: str, closing: re.Pattern[str], at: int) -> int:
    match = closing.search(text, at)
    return match.end() if match is not None else len(text)


def _href(attribute: re.Match[str]) -> Link | None:
    group = attribute.lastgroup or ""
    if group == "name" or attribute["name"].lower() != "href":
        return None
    url = unescaped(attribute[group]).strip()
    return Link(url, attribute.start(group), attribute.end(group)) if _is_plain(url) else None


def links_in_text(source: str) -> list[Link]:
    """Return bare URLs without the punctuation that ends a sentence; those with placeholders are left out."""
    links: list[Link] = []
    for match in _BARE_URL.finditer(masked(source)):
        url = _without_sentence(match[0])
        if _is_plain(url):
            links.append(Link(url, match.start(), match.start() + len(url)))
    return links


def _without_sentence(url: str) -> str:
    """Cut off what ends a sentence, and closing brackets that were not opened inside the URL."""
    surplus = {")": url.count(")") - url.count("("), "]": url.count("]") - url.count("[")}
    end = len(url)
    while end and (url[end - 1] in _TRAILING or surplus.get(url[end - 1], 0) > 0):
        end -= 1
        if url[end] in surplus:
            surplus[url[end]] -= 1
    return url[:end]


def _is_plain(url: str) -> bool:
    """Whether it is absolute, of bounded length, one line and without placeholders."""
    scheme, _, rest = url[: MAX_URL + 1].partition("://")
    return scheme.lower() in {"http", "https"} and bool(rest) and len(url) <= MAX_URL and not _NOT_PLAIN.search(url)


def ascii_url(url: str) -> str:
    """Return `url` as a redirect can name it: what is not ASCII is percent-encoded."""
    return url if url.isascii() else quote(url, safe="!\"#$%&'()*+,-./:;<=>?@[]^_`{|}~")
