"""Bodies of a template as fixed text and slots: placeholders, tracked links, pixel and unsubscribe footer in place.

In comes the source of one body, out go segments (text or a slot number) and, from those, the wire bytes between slots.
Done once a mailing; nothing here knows a recipient.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from dataclasses import field as dataclass_field
from html import escape
from itertools import groupby

from services.sender.mails.quoted import SOFT_BREAK, encode
from shared import languages, tokens
from shared.contracts.expressions import Expression
from shared.contracts.links import Link, ascii_url, links_in_html, links_in_text
from shared.contracts.mailing_settings import Tracking
from shared.contracts.template import (
    LINKS,
    OPT_IN_LINK,
    OPT_IN_URL,
    UNSUBSCRIBE_URLS,
    VIEW_LINK,
    VIEW_URL,
    At,
    Placeholder,
    Region,
    masked,
    parse,
    program,
)
from shared.tokens import Signer

Segment = str | int
"""Text, or the number of the cell that fills a slot."""

DATE, TO, SUBJECT, MESSAGE_ID, UNSUBSCRIBE, UNSUBSCRIBE_IN_BODY, RECIPIENT, OPT_IN, VIEW, FIRST_FIELD = range(10)

_BODY_END = re.compile(r"</body\s*>", re.IGNORECASE)
_HTML_END = re.compile(r"</html\s*>", re.IGNORECASE)
_HTML_FOOTER = ('<p style="font-size:12px;color:#707070">', "</p>\n")
_TEXT_FOOTER = ("\n\n-- \n", "\n")
_PIXEL = ('<img src="', '" width="1" height="1" alt="" style="display:block">')


@dataclass(frozen=True, slots=True)
class FieldUse:
    """A merge field as a template uses it; the same use anywhere shares one value."""

    name: str
    default: str | None


OWN = {RECIPIENT: "_recipient", UNSUBSCRIBE_IN_BODY: "_unsubscribe", OPT_IN: "_opt_in", VIEW: "_view"}
"""What a region calls the cells that links inside it need."""


@dataclass(frozen=True, slots=True)
class ExpressionUse:
    """A region as a template uses it, compiled; `where` it stands, for whoever reads why it failed."""

    source: str
    html: bool
    field: str
    line: int
    own: frozenset[int]
    plain: frozenset[str]
    run: Expression = dataclass_field(compare=False)


@dataclass(slots=True)
class Fields:
    """The cells of merge fields: (place in `uses`, as HTML) by cell number from `FIRST_FIELD`."""

    uses: list[FieldUse | ExpressionUse] = dataclass_field(default_factory=list)
    cells: list[tuple[int, bool]] = dataclass_field(default_factory=list)

    def use(self, wanted: FieldUse | ExpressionUse) -> int:
        """Return the place of the value."""
        if wanted not in self.uses:
            self.uses.append(wanted)
        return self.uses.index(wanted)

    @property
    def expressions(self) -> list[tuple[int, ExpressionUse]]:
        """What the engine makes, with the places of the values."""
        return [(place, use) for place, use in enumerate(self.uses) if isinstance(use, ExpressionUse)]

    def cell(self, use: FieldUse | ExpressionUse, *, html: bool) -> int:
        """Return the number of the cell that holds the value, encoded for the body; `html`: it has to be escaped."""
        wanted = (self.use(use), html)
        if wanted not in self.cells:
            self.cells.append(wanted)
        return FIRST_FIELD + self.cells.index(wanted)


@dataclass(frozen=True, slots=True)
class Urls:
    """The tracker's URLs of one mailing as segments."""

    public_url: str
    signer: Signer
    mailing: str
    tracking: Tracking
    links: Mapping[str, int]
    language: str = ""

    @property
    def query(self) -> str:
        """What has a page shown in the language of the mail."""
        return f"?lang={self.language}" if self.language else ""

    def _recipient(self) -> Segment:
        return self.signer.anonymous(self.mailing) if self.tracking == "anonymous" else RECIPIENT

    def click(self, url: str) -> list[Segment] | None:
        """Return the tracked form of a link, None where it stays as it is."""
        target = ascii_url(url)
        if self.tracking == "off" or url not in self.links or not tokens.is_target(target):
            return None
        link = "/" + self.signer.link(self.mailing, self.links[url], target)
        return [self.public_url + tokens.CLICK_PATH, self._recipient(), link]

    def pixel(self) -> list[Segment]:
        """Return the element that reports an open, or nothing."""
        if self.tracking == "off":
            return []
        source = self.public_url + tokens.PIXEL_PATH
        return [_PIXEL[0] + source, self._recipient(), tokens.PIXEL_SUFFIX + _PIXEL[1]]

    def unsubscribe(self) -> list[Segment]:
        """Return the unsubscribe URL as it stands in a body."""
        return [self.public_url + tokens.UNSUBSCRIBE_PATH, UNSUBSCRIBE_IN_BODY, self.query]

    def own(self, name: str, *, html: bool) -> list[Segment]:
        """Return what a placeholder of `LINKS` stands for: a URL, or a link with its words."""
        if name in UNSUBSCRIBE_URLS:
            return self.unsubscribe()
        if name == OPT_IN_URL:
            return self._opt_in()
        if name == VIEW_URL:
            return self._view()
        words = languages.of(self.language).mail
        if name == VIEW_LINK:
            return _link(words.view, self._view(), html=html)
        if name == OPT_IN_LINK:
            return _link(words.confirm, self._opt_in(), html=html)
        return _link(words.unsubscribe, self.unsubscribe(), html=html)

    def footer(self, *, html: bool) -> list[Segment]:
        """Return what is appended to a body without a link to unsubscribe."""
        language = languages.of(self.language)
        before, after = _HTML_FOOTER if html else _TEXT_FOOTER
        if html and self.language:
            before = before.replace("<p ", f'<p lang="{language.code}" dir="{language.direction}" ')
        return [before, *_link(language.mail.unsubscribe, self.unsubscribe(), html=html), after]

    def _view(self) -> list[Segment]:
        return [self.public_url + tokens.VIEW_PATH, VIEW, self.query]

    def _opt_in(self) -> list[Segment]:
        return [self.public_url + tokens.OPT_IN_PATH, OPT_IN, self.query]


def _link(words: str, url: list[Segment], *, html: bool) -> list[Segment]:
    return ['<a href="', *url, f'">{escape(words)}</a>'] if html else [f"{words}: ", *url]


def html_body(source: str, fields: Fields, urls: Urls, *, footer: bool) -> list[Segment]:
    """Return the HTML body: links tracked, then before `</body>` a footer (where it has no such link) and the pixel."""
    edits = _edits(source, links_in_html(source), fields, urls, html=True)
    added: list[Segment] = []
    if footer and not _has_unsubscribe(edits):
        added += urls.footer(html=True)
    end = _end_of_body(source)
    edits.append((end, end, added + urls.pixel()))
    return _applied(source, edits)


def text_body(source: str, fields: Fields, urls: Urls, *, footer: bool) -> list[Segment]:
    """Return the text body: links tracked, and a footer where it has no unsubscribe link."""
    edits = _edits(source, links_in_text(source), fields, urls, html=False)
    if footer and not _has_unsubscribe(edits):
        stripped = len(source.rstrip())
        edits.append((stripped, len(source), urls.footer(html=False)))
    return _applied(source, edits)


_Edit = tuple[int, int, list[Segment]]


def _edits(source: str, links: list[Link], fields: Fields, urls: Urls, *, html: bool) -> list[_Edit]:
    edits: list[_Edit] = []
    found = parse(source, html=html)
    tracked = [(link.start, link.end, click) for link in links if (click := urls.click(link.url)) is not None]
    for at in found:
        if isinstance(at, Region):
            inside = [edit for edit in tracked if at.start <= edit[0] < at.end]
            tracked = [edit for edit in tracked if edit not in inside]
            inside += [
                (part.start, part.end, urls.own(part.name, html=html))
                for part in at.parts
                if isinstance(part, Placeholder) and part.name in LINKS
            ]
            use = _expression(source, at, inside, "html" if html else "text")
            edits.append((at.start, at.end, [fields.cell(use, html=False)]))
        elif at.name in LINKS:
            edits.append((at.start, at.end, urls.own(at.name, html=html)))
        else:
            edits.append((at.start, at.end, [fields.cell(FieldUse(at.name, at.default), html=html)]))
    return edits + tracked


def _expression(source: str, region: Region, inside: "list[_Edit]", field: str) -> ExpressionUse:
    """Return a region compiled, with the links inside it made as they are outside."""
    own: set[int] = set()
    spelled: list[tuple[int, int, str]] = []
    for start, end, segments in inside:
        own |= {segment for segment in segments if isinstance(segment, int)}
        words = [f"{{{{ {OWN[segment]} }}}}" if isinstance(segment, int) else segment for segment in segments]
        spelled.append((start, end, "".join(words)))
    html = field == "html"
    text = program(source, region, spelled)
    plain = frozenset(part.name for part in region.parts if isinstance(part, Placeholder))
    return ExpressionUse(text, html, field, region.line, frozenset(own), plain, Expression(text, html=html))


def whole(source: str, field: str, found: At) -> FieldUse | ExpressionUse:
    """Return what stands where no link of the recipient's own can be."""
    if isinstance(found, Region):
        return _expression(source, found, [], field)
    return FieldUse(found.name, found.default)


def _has_unsubscribe(edits: list[_Edit]) -> bool:
    return any(UNSUBSCRIBE_IN_BODY in replacement for _, _, replacement in edits)


def _end_of_body(source: str) -> int:
    covered = masked(source)
    for pattern in (_BODY_END, _HTML_END):
        places = [match.start() for match in pattern.finditer(covered)]
        if places:
            return places[-1]
    return len(source)


def _applied(source: str, edits: list[_Edit]) -> list[Segment]:
    segments: list[Segment] = []
    last = 0
    for start, end, replacement in sorted(edits, key=lambda edit: edit[:2]):
        segments += [source[last:start], *replacement]
        last = end
    return [*segments, source[last:]]


def joined(segments: Sequence[Segment]) -> list[Segment]:
    """Return the segments with neighbouring text as one and without empty text."""
    merged: list[Segment] = []
    for is_text, group in groupby(segments, lambda segment: isinstance(segment, str)):
        run = list(group)
        if is_text:
            text = "".join(map(str, run))
            merged += [text] if text else []
        else:
            merged += run
    return merged


def closed(segments: Sequence[Segment]) -> list[Segment]:
    """Return a body that stands alone, ended so that its last line is not empty whatever the values are."""
    merged = joined(segments)
    while merged and isinstance(merged[-1], str) and not merged[-1].rstrip("\n"):
        merged.pop()
    last = merged.pop() if merged else " "
    if isinstance(last, int):
        return [*merged, last, " \n" if last >= FIRST_FIELD else "\n"]
    return [*merged, last.rstrip("\n") + "\n"]


def quoted_printable(segments: Sequence[Segment]) -> list[bytes | int]:
    """Return the wire form: each slot begins a line, and a soft break follows unless the line ends there anyway."""
    merged = joined(segments)
    wire: list[bytes | int] = []
    for place, segment in enumerate(merged):
        before = merged[place - 1] if place else "\n"
        if isinstance(segment, int):
            if isinstance(before, int) or not before.endswith("\n"):
                wire.append(SOFT_BREAK)
            wire.append(segment)
        else:
            if isinstance(before, int) and not segment.startswith("\n"):
                wire.append(SOFT_BREAK)
            wire.append(encode(segment))
    return wire
