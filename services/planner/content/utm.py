"""Links of a draft get the parameters by which web analytics tell campaigns apart (utm_source and its like).

Pure. In go bodies with placeholders, out come the same bodies, every absolute link in them with the parameters that it
does not have already. What is tracked is tagged: links with placeholders, our own ones among them, are left alone, as
is what would become longer than a link may be.
"""

from collections.abc import Mapping
from html import escape
from urllib.parse import parse_qsl, urlencode, urlsplit

from shared.contracts.commands import DraftMailing, LanguageVariant
from shared.contracts.links import MAX_URL, Link, links_in_html, links_in_text


def tagged(draft: DraftMailing, parameters: Mapping[str, str]) -> DraftMailing:
    """Return a draft with the parameters added to its links, in all languages."""
    if not parameters:
        return draft
    variants = {code: _said(variant, parameters) for code, variant in draft.variants.items()}
    bodies = {"html": in_html(draft.html, parameters), "text": in_text(draft.text, parameters)}
    return draft.model_copy(update={**bodies, "variants": variants})


def _said(variant: LanguageVariant, parameters: Mapping[str, str]) -> LanguageVariant:
    bodies = {"html": in_html(variant.html, parameters), "text": in_text(variant.text, parameters)}
    return variant.model_copy(update=bodies)


def in_html(source: str, parameters: Mapping[str, str]) -> str:
    """Return HTML with its links tagged."""
    return _replaced(source, [(link, escape(url(link.url, parameters))) for link in links_in_html(source)])


def in_text(source: str, parameters: Mapping[str, str]) -> str:
    """Return text with its links tagged."""
    return _replaced(source, [(link, url(link.url, parameters)) for link in links_in_text(source)])


def _replaced(source: str, links: list[tuple[Link, str]]) -> str:
    pieces: list[str] = []
    last = 0
    for link, new in links:
        pieces += [source[last : link.start], new]
        last = link.end
    return "".join([*pieces, source[last:]])


def url(target: str, parameters: Mapping[str, str]) -> str:
    """Return a URL with those parameters that it has not; everything else stays as it is spelled."""
    known = {name.lower() for name, _ in parse_qsl(urlsplit(target).query, keep_blank_values=True)}
    added = urlencode({name: value for name, value in parameters.items() if name not in known})
    if not added:
        return target
    whole, hash_, fragment = target.partition("#")
    query = whole.partition("?")[2]
    joint = "?" if "?" not in whole else "&" if query and not query.endswith("&") else ""
    longer = f"{whole}{joint}{added}{hash_}{fragment}"
    return longer if len(longer) <= MAX_URL else target
