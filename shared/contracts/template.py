"""The language of templates: `{{ field }}`, `{{ field | default("text") }}`, and regions for an engine, with places.

In comes the source of a subject, an HTML or a text body; out go its placeholders, or a `TemplateError` with line and
column. What is neither text nor a plain placeholder is a `Region`: an expression (`{{ a | upper }}`), or a condition or
loop with all between its tags (see `expressions`). Pure: the planner refuses a draft with it, the sender compiles
with it, so both read a template alike. In HTML the inside of a tag may be entity-encoded, as editors write it.
"""

import re
from bisect import bisect_right
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import unescape

from shared.contracts.expressions import (
    FIELDS,
    PRESENT,
    Expression,
    ExpressionError,
    canonical,
    literal,
    softened,
    unknown,
)
from shared.contracts.records import STATUS

UNSUBSCRIBE_URLS = frozenset({"unsubscribe_url", "optouturl"})
UNSUBSCRIBE_LINK = "optoutlink"
OPT_IN_URL = "optinurl"
OPT_IN_LINK = "optinlink"
VIEW_URL = "webviewurl"
VIEW_LINK = "webviewlink"
WAYS_OUT = UNSUBSCRIBE_URLS | {UNSUBSCRIBE_LINK}
LINKS = frozenset({*WAYS_OUT, OPT_IN_URL, OPT_IN_LINK, VIEW_URL, VIEW_LINK})
"""What stands for a link of the recipient's own; a whole one (`optOutLink`) brings words in the mail's language."""

TIMES = frozenset({"today", "now"})
"""The day and the minute that stand in the Date of the mail, the same on every attempt."""

SYSTEM_FIELDS = frozenset({*LINKS, *TIMES, "email", "name"})
MAX_PLACEHOLDERS = 500
MAX_INSIDE = 1_000
MAX_NESTED = 10
HTML = "html"
MASK = "\ue000"

_OPENING = re.compile(r"\{\{|\{%(?=[-+]?\s*[A-Za-z_]+(?:\s|[-+]?%\}))")
"""Two braces, or a brace and a percent sign with a word behind: `?q={%22a%22:1}` is a URL."""
_CLOSING = {"{{": "}}", "{%": "%}"}
_WORD = re.compile(r"[-+]?\s*([A-Za-z_]+)")
_BOUND = re.compile(r"[-+]?\s*for\s+([\w\s,]+?)\s+in\s")
_ENDS = {"if": "endif", "for": "endfor"}
_BETWEEN = frozenset({"elif", "else"})
_NAME = re.compile(r"[^\W_][\w.-]{0,63}")
_FILTER = re.compile(r"[^\s(\"']*")
_ARGUMENT = re.compile(r"""\(\s*(?:"(?P<double>(?:[^"\\]|\\.)*)"|'(?P<single>(?:[^'\\]|\\.)*)')\s*\)""", re.DOTALL)
_SPECIAL = re.compile(r'[\\"]')
_DEFAULT = re.compile(
    r"""(\|\s*default\s*\(\s*(?:"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')\s*)\)""", re.IGNORECASE | re.DOTALL
)
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_ENTITY = re.compile(r"&(?:#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});")


class TemplateError(ValueError):
    """The template cannot be read; `code` is stable, `line` and `column` are 1-based."""

    def __init__(self, code: str, message: str, line: int, column: int) -> None:
        super().__init__(f"line {line}, column {column}: {message}")
        self.code = code
        self.message = message
        self.line = line
        self.column = column


@dataclass(frozen=True, slots=True)
class Placeholder:
    """One placeholder. `name` is in lower case; `default` is None where the author gave none; `source[start:end]`."""

    name: str
    default: str | None
    start: int
    end: int
    line: int
    column: int


@dataclass(frozen=True, slots=True)
class Tag:
    """One pair of braces that the engine reads, `source` as it reads it."""

    source: str
    start: int
    end: int
    line: int
    column: int


@dataclass(frozen=True, slots=True)
class Region:
    """What the engine renders, `template[start:end]`.

    Attributes:
        parts: The tags and the plain placeholders in it, in order.
        names: The fields its tags ask for, in lower case.
    """

    parts: tuple["Placeholder | Tag", ...]
    names: tuple[str, ...]
    start: int
    end: int
    line: int
    column: int

    @property
    def soft(self) -> frozenset[str]:
        """The names that may be missing: they have a default, or are asked for."""
        inside = "\n".join(part.source for part in self.parts if isinstance(part, Tag))
        return frozenset(canonical(name) for name in softened(inside.lower(), self.names))


At = Placeholder | Region


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a draft is refused: see `TemplateError`, and the field (subject, html, text) it is about."""

    code: str
    message: str
    field: str
    line: int
    column: int


class _Places:
    """Offsets to lines and columns."""

    def __init__(self, source: str) -> None:
        self.starts = [0, *(match.end() for match in re.finditer("\n", source))]

    def of(self, offset: int) -> tuple[int, int]:
        line = bisect_right(self.starts, offset)
        return line, offset - self.starts[line - 1] + 1


def parse(source: str, *, html: bool = False) -> list[At]:
    """Return the placeholders and regions in order.

    Raises:
        TemplateError: `unclosed`, `bad_name`, `too_many_placeholders`, `bad_expression`, `unknown_filter` or `bad_tag`.
    """
    found: list[At] = []
    tags = _tags(source, html=html)
    for tag in tags:
        if not tag.source.startswith("{%"):
            plain = _plain(tag)
            found.append(plain if plain is not None else _region(source, [tag], html=html))
        else:
            found.append(_region(source, list(_block(tag, tags)), html=html))
    return found


def _tags(source: str, *, html: bool) -> Iterator[Tag]:
    """Yield every pair of braces.

    Raises:
        TemplateError: One is not closed, or there are too many.
    """
    places = _Places(source)
    count = 0
    opening = _OPENING.search(source)
    while opening is not None:
        start, sign = opening.start(), opening[0]
        line, column = places.of(start)
        closing = _CLOSING[sign]
        end = source.find(closing, start)
        inside = source[start + 2 : end]
        if end < 0 or len(inside) > MAX_INSIDE or "{{" in inside:
            raise TemplateError("unclosed", f"this placeholder is not closed: {closing} is missing", line, column)
        count += 1
        if count > MAX_PLACEHOLDERS:
            message = f"more than {MAX_PLACEHOLDERS} placeholders in one text"
            raise TemplateError("too_many_placeholders", message, line, column)
        yield Tag(sign + (unescaped(inside) if html else inside) + closing, start, end + 2, line, column)
        opening = _OPENING.search(source, end + 2)


def _block(first: Tag, rest: Iterator[Tag]) -> Iterator[Tag]:
    """Yield the tags of a condition or a loop up to its end, which are taken from the rest.

    Raises:
        TemplateError: A tag does not exist or stands in the wrong place, or the end is missing.
    """
    open_: list[str] = []
    tag: Tag | None = first
    while tag is not None:
        if tag.source.startswith("{%"):
            word = _word(tag)
            if word in _ENDS:
                open_.append(_ENDS[word])
            elif not open_ or word not in {open_[-1], *_BETWEEN}:
                exists = word in {*_ENDS, *_ENDS.values(), *_BETWEEN}
                message = f"{word!r} has nothing to belong to" if exists else f"{word!r}: there are only if and for"
                raise TemplateError("bad_tag", message, tag.line, tag.column)
            if word in _ENDS.values():
                open_.pop()
            if len(open_) > MAX_NESTED:
                raise TemplateError("bad_tag", f"more than {MAX_NESTED} levels", tag.line, tag.column)
        yield tag
        if not open_:
            return
        tag = next(rest, None)
    raise TemplateError("unclosed", f"{open_[-1]} is missing", first.line, first.column)


def _word(tag: Tag) -> str:
    match = _WORD.match(tag.source, 2)
    return match[1] if match else ""


def _plain(tag: Tag) -> Placeholder | None:
    """Return a tag as a plain placeholder, None where it is an expression."""
    inside = tag.source[2:-2]
    if not inside.strip():
        message = "between the braces there is no field name"
        raise TemplateError("bad_name", message, tag.line, tag.column)
    read = _read(inside)
    return Placeholder(*read, tag.start, tag.end, tag.line, tag.column) if read is not None else None


def _region(source: str, tags: Sequence[Tag], *, html: bool) -> Region:
    parts: list[Placeholder | Tag] = []
    bound = {"loop"} if len(tags) > 1 else set()
    for tag in tags:
        loop = _BOUND.match(tag.source, 2)
        if loop is not None:
            bound |= {name.strip() for name in loop[1].split(",")}
        odd = unknown(tag.source)
        if odd is not None:
            message = f"there is no {odd[0]} {odd[1][:64]!r} in templates"
            raise TemplateError("unknown_filter", message, tag.line, tag.column)
        plain = _plain(tag) if len(tags) > 1 and tag.source.startswith("{{") else None
        root = re.split(r"[.|]", tag.source[2:-2].strip(), maxsplit=1)[0].strip()
        parts.append(tag if plain is None or root in bound else plain)
    first, last = tags[0], tags[-1]
    region = Region(tuple(parts), (), first.start, last.end, first.line, first.column)
    try:
        asked = Expression(program(source, region, []), html=html).names
    except ExpressionError as error:
        line = first.line + error.line - 1
        at = next((tag for tag in tags if tag.line == line), first)
        raise TemplateError("bad_expression", f"an expression: {error.message}", line, at.column) from None
    for name in asked:
        if name.startswith("_"):
            raise TemplateError(
                "bad_name", f"{name[:64]!r} is no field name: a letter or digit first", first.line, first.column
            )
    names = tuple(dict.fromkeys(name.lower() for name in asked))
    return Region(region.parts, names, region.start, region.end, region.line, region.column)


def program(source: str, region: Region, edits: Sequence[tuple[int, int, str]]) -> str:
    """Return the region as the engine reads it, with `edits` made (start, end, text): links, and what they hold.

    Plain placeholders that no edit replaces look up their field as they would outside, without regard to case.
    """
    edits = [edit for edit in edits if region.start <= edit[0] < region.end]
    replaced = {edit[0] for edit in edits}
    for part in region.parts:
        if part.start not in replaced:
            edits.append((part.start, part.end, _engine(part)))
    pieces: list[str] = []
    at = region.start
    for start, end, text in sorted(edits, key=lambda edit: edit[:2]):
        pieces += [literal(source[at:start]), text]
        at = end
    return "".join([*pieces, literal(source[at : region.end])])


def _engine(part: Placeholder | Tag) -> str:
    if isinstance(part, Tag):  # a default stands for what is empty, too, as it does outside
        return _DEFAULT.sub(r"\1, true)", part.source)
    if part.default is None:
        return f'{{{{ {PRESENT}["{part.name}"][0] }}}}'
    quoted = _SPECIAL.sub(r"\\\g<0>", part.default)
    return f'{{{{ {FIELDS}["{part.name}"] | default("{quoted}", true) }}}}'


def _read(inside: str) -> tuple[str, str | None] | None:
    """Return name and default of a plain placeholder, None where it is none."""
    name, bar, rest = inside.partition("|")
    name = name.strip()
    if not _NAME.fullmatch(name):
        return None
    if not bar:
        return canonical(name.lower()), None
    rest = rest.strip()
    used = _FILTER.match(rest)
    word = used[0] if used else ""
    argument = _ARGUMENT.fullmatch(rest[len(word) :].strip())
    if word.lower() != "default" or argument is None:
        return None
    quoted = argument["double"] if argument["double"] is not None else argument["single"]
    return canonical(name.lower()), _ESCAPE.sub(r"\1", quoted)


def names_of(found: Sequence[At]) -> set[str]:
    """Return the names of the fields in what `parse` found, in lower case."""
    names: set[str] = set()
    for at in found:
        if isinstance(at, Placeholder):
            names.add(at.name)
        else:
            names |= {canonical(name) for name in at.names}
            names |= {part.name for part in at.parts if isinstance(part, Placeholder)}
    return names


def placeholders(source: str, *, html: bool = False) -> set[str]:
    """Return the names of the fields a template uses, in lower case."""
    return names_of(parse(source, html=html))


def check(fields: Mapping[str, str], known_fields: Collection[str]) -> list[Problem]:
    """Return what is wrong with the templates `fields` (by subject, html, text): the first syntax error of each.

    An unknown field with a default is fine: an import may bring it later.
    """
    known = {name.lower() for name in known_fields} | SYSTEM_FIELDS | {STATUS}
    problems: list[Problem] = []
    for field, source in fields.items():
        try:
            found = parse(source, html=field == HTML)
        except TemplateError as error:
            problems.append(Problem(error.code, error.message, field, error.line, error.column))
            continue
        for at in found:
            for part in (at,) if isinstance(at, Placeholder) else at.parts:
                if isinstance(part, Placeholder):
                    problems += _wrong(part, part.name, field, known, soft=part.default is not None)
            if isinstance(at, Region):
                problems += _tried(source, at, field)
                soft = at.soft
                for name in map(canonical, at.names):
                    problems += _wrong(at, name, field, known, soft=name in soft)
    return problems


def _tried(source: str, region: Region, field: str) -> list[Problem]:
    """Render a region once, with made-up values: what never ends is refused, what only wants other values is not."""
    made_up = dict.fromkeys(names_of([region]), "1")
    try:
        Expression(program(source, region, []), html=field == HTML).render(made_up, {})
    except ExpressionError as error:
        if error.kind != "OutOfFuel":
            return []
        line = region.line + error.line - 1
        return [Problem("too_much_work", f"an expression: {error.message}", field, line, region.column)]
    return []


def _wrong(at: At, name: str, field: str, known: Collection[str], *, soft: bool) -> list[Problem]:
    if name in LINKS and (field == "subject" or isinstance(at, Region)):
        where = "by itself in the body" if isinstance(at, Region) else "in the body"
        message = f"{name} can stand {where} only"
        return [Problem("misplaced_placeholder", message, field, at.line, at.column)]
    if name not in known and not soft:
        message = f'no contact has a field {name!r}; add it, or give a default: {name} | default("...")'
        return [Problem("unknown_placeholder", message, field, at.line, at.column)]
    return []


def masked(source: str) -> str:
    """Return `source` at the same length with every placeholder covered, so that its quotes and signs do not count."""
    pieces: list[str] = []
    last = 0
    opening = _OPENING.search(source)
    while opening is not None:
        end = source.find(_CLOSING[opening[0]], opening.start())
        if end < 0:
            break
        covered = (c if c == "\n" else MASK for c in source[opening.start() : end + 2])
        pieces += [source[last : opening.start()], *covered]
        last = end + 2
        opening = _OPENING.search(source, last)
    return "".join(pieces) + source[last:]


def unescaped(value: str) -> str:
    """Return an HTML value without its entities; `&copy=1` in a URL is no entity (`html.unescape` takes it for one)."""
    return _ENTITY.sub(lambda match: unescape(match[0]), value)
