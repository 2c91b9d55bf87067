"""Rules of `<style>` written into the elements they are for: several mail programs know nothing else.

In comes the draft, out goes the draft with its HTML anew; the style sheet stays for what cannot be inlined (media
queries). Nothing is loaded, from the net or from files. Placeholders, conditions and loops stand aside meanwhile: a
comment in their place may stand anywhere between tags, also in a table, a word in attributes and comments. HTML that
cannot be read is left as it is, and so is what has no style sheet.
"""

import re
from typing import TypeVar

from css_inline import CSSInliner, InlineError

from shared.contracts.commands import DraftMailing, LanguageVariant
from shared.contracts.links import elements_in_html
from shared.contracts.template import Region, TemplateError, parse

_STYLE = re.compile(r"<style[\s>]", re.IGNORECASE)
_RAW = re.compile(r"<!--.*?-->|<(style|title|textarea|script)\b.*?</\1", re.IGNORECASE | re.DOTALL)
_ASIDE = re.compile(r"<!--\ue010([0-9]+)\ue011-->|\ue010([0-9]+)\ue011")
_DOCUMENT = re.compile(r"<(?:!doctype|html|body|head)[\s>]", re.IGNORECASE)

W = TypeVar("W", DraftMailing, LanguageVariant)


def inlined(draft: DraftMailing) -> DraftMailing:
    """Return the draft with the styles of its HTML, and of that of its variants, inlined."""
    variants = {code: _one(variant) for code, variant in draft.variants.items()}
    return _one(draft).model_copy(update={"variants": variants})


def _one(said: W) -> W:
    return said.model_copy(update={"html": inline(said.html)})


def inline(html: str) -> str:
    """Return HTML with its styles inlined."""
    if not _STYLE.search(html):
        return html
    try:
        found = [part for at in parse(html, html=True) for part in (at.parts if isinstance(at, Region) else (at,))]
    except TemplateError:  # refused in a moment, with its place in what the author wrote
        return html
    inside = [(match.start(), match.end()) for _, _, each in elements_in_html(html) for match in each]
    inside += [match.span() for match in _RAW.finditer(html)]
    kept = [html[part.start : part.end] for part in found]
    pieces: list[str] = []
    last = 0
    for number, part in enumerate(found):
        word = f"\ue010{number}\ue011"
        in_words = any(start <= part.start < end for start, end in inside)
        pieces += [html[last : part.start], word if in_words else f"<!--{word}-->"]
        last = part.end
    source = "".join([*pieces, html[last:]])
    inliner = CSSInliner(load_remote_stylesheets=False, keep_style_tags=True, keep_link_tags=True)
    try:
        done = inliner.inline(source) if _DOCUMENT.search(source) else inliner.inline_fragment(source, "")
    except (InlineError, ValueError):  # a style sheet nobody can read: mail programs will leave it out, too
        return html
    made = _ASIDE.sub(lambda match: kept[int(match[1] or match[2])], done)
    return made if len(_ASIDE.findall(done)) == len(found) else html
