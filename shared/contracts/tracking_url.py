"""Named tracking URLs: made once, put into templates as `{{ trackingUrl:NAME }}`, told by name in reports.

Events (`evt.tracking_url.<id>`, written by the planner; the id comes from the name) and what is done with them in a
template. Pure.
"""

import re
from collections.abc import Mapping
from html import escape
from typing import ClassVar, NamedTuple

from shared.contracts.envelope import DomainEvent

NAME = r"[^\W_](?:[\w .-]{0,62}\w)?"
"""What a name looks like: letters, digits, spaces, dots, dashes; a letter or digit at either end."""

_PLACEHOLDER = re.compile(rf"\{{\{{\s*trackingUrl:\s*({NAME})\s*\}}\}}", re.IGNORECASE)


class TrackingUrlSaved(DomainEvent):
    """The name stands for this URL from now on; mailings that were drafted before keep theirs."""

    TYPE: ClassVar[str] = "tracking_url.saved/1"

    name: str
    url: str


class TrackingUrlDeleted(DomainEvent):
    """The name is offered no more."""

    TYPE: ClassVar[str] = "tracking_url.deleted/1"


EVENTS = (TrackingUrlSaved, TrackingUrlDeleted)


class Filled(NamedTuple):
    """A source with URLs in place of their names; the first name that stands for none, and its line."""

    source: str
    unknown: str = ""
    line: int = 0


def folded(name: str) -> str:
    """Return a name as names are told apart: case and the width of spaces make no difference."""
    return " ".join(name.split()).casefold()


def mentions(source: str) -> bool:
    """Tell whether a template names any."""
    return _PLACEHOLDER.search(source) is not None


def fill(source: str, urls: Mapping[str, str], *, html: bool) -> Filled:
    """Return a template with URLs (by folded name) in place of their names; in HTML they are escaped."""
    for match in _PLACEHOLDER.finditer(source):
        if folded(match[1]) not in urls:
            return Filled(source, match[1], source.count("\n", 0, match.start()) + 1)

    def url(match: re.Match[str]) -> str:
        found = urls[folded(match[1])]
        return escape(found) if html else found

    return Filled(_PLACEHOLDER.sub(url, source))


def page_of(url: str) -> str:
    """Return where a URL leads whatever campaign it is in: without the parameters that campaigns add (`utm_...`)."""
    whole, hash_, fragment = url.partition("#")
    page, mark, query = whole.partition("?")
    rest = "&".join(part for part in query.split("&") if not part.lower().startswith("utm_"))
    return page + (mark if rest else "") + rest + hash_ + fragment


def without(source: str) -> str:
    """Return a template with some URL in place of each name, of the same line: to look at the rest of its syntax."""
    return _PLACEHOLDER.sub("https://tracking-url.example/", source)
