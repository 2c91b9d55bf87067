"""The placeholder language: `{{ field }}` and `{{ field | default("text") }}`, read with exact places.

In comes the source of a subject, an HTML or a text body; out go its placeholders, or a `TemplateError` with line and
column. Pure: the planner refuses a draft with it, the sender compiles with it, so both read a template alike. In HTML
the inside of a placeholder may be entity-encoded, as editors write it.
"""

import re
from bisect import bisect_right
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from html import unescape

UNSUBSCRIBE_URLS = frozenset({"unsubscribe_url", "optouturl"})
UNSUBSCRIBE_LINK = "optoutlink"
OPT_IN_URL = "optinurl"
OPT_IN_LINK = "optinlink"
VIEW_URL = "webviewurl"
VIEW_LINK = "webviewlink"
LINKS = frozenset({*UNSUBSCRIBE_URLS, UNSUBSCRIBE_LINK, OPT_IN_URL, OPT_IN_LINK, VIEW_URL, VIEW_LINK})
"""What stands for a link of the recipient's own; a whole one (`optOutLink`) brings words in the mail's language."""

SYSTEM_FIELDS = frozenset({*LINKS, "email", "name"})
MAX_PLACEHOLDERS = 500
MAX_INSIDE = 1_000
HTML = "html"
MASK = "\ue000"

_NAME = re.compile(r"[^\W_][\w.-]{0,63}")
_FILTER = re.compile(r"[^\s(\"']*")
_ARGUMENT = re.compile(r"""\(\s*(?:"(?P<double>(?:[^"\\]|\\.)*)"|'(?P<single>(?:[^'\\]|\\.)*)')\s*\)""", re.DOTALL)
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


def parse(source: str, *, html: bool = False) -> list[Placeholder]:
    """Return the placeholders in order.

    Raises:
        TemplateError: `unclosed`, `bad_name`, `unknown_filter`, `bad_default` or `too_many_placeholders`.
    """
    found: list[Placeholder] = []
    places = _Places(source)
    start = source.find("{{")
    while start >= 0:
        line, column = places.of(start)
        end = source.find("}}", start)
        inside = source[start + 2 : end]
        if end < 0 or len(inside) > MAX_INSIDE or "{{" in inside:
            raise TemplateError("unclosed", "this placeholder is not closed: }} is missing", line, column)
        name, default = _read(unescaped(inside) if html else inside, line, column)
        found.append(Placeholder(name, default, start, end + 2, line, column))
        if len(found) > MAX_PLACEHOLDERS:
            message = f"more than {MAX_PLACEHOLDERS} placeholders in one text"
            raise TemplateError("too_many_placeholders", message, line, column)
        start = source.find("{{", end + 2)
    return found


def _read(inside: str, line: int, column: int) -> tuple[str, str | None]:
    name, bar, rest = inside.partition("|")
    name = name.strip()
    if not _NAME.fullmatch(name):
        message = f"{name[:64]!r} is no field name: letters, digits, _ . - only, and a letter or digit first"
        raise TemplateError("bad_name", message, line, column)
    if not bar:
        return name.lower(), None
    rest = rest.strip()
    used = _FILTER.match(rest)
    word = used[0] if used else ""
    if word.lower() != "default":
        message = f'unknown filter {word[:64]!r}: only default("text") exists'
        raise TemplateError("unknown_filter", message, line, column)
    argument = _ARGUMENT.fullmatch(rest[len(word) :].strip())
    if argument is None:
        raise TemplateError("bad_default", 'write the default in quotes: default("text")', line, column)
    quoted = argument["double"] if argument["double"] is not None else argument["single"]
    return name.lower(), _ESCAPE.sub(r"\1", quoted)


def placeholders(source: str, *, html: bool = False) -> set[str]:
    """Return the names of the fields a template uses, in lower case."""
    return {placeholder.name for placeholder in parse(source, html=html)}


def check(fields: Mapping[str, str], known_fields: Collection[str]) -> list[Problem]:
    """Return what is wrong with the templates `fields` (by subject, html, text): the first syntax error of each.

    An unknown field with a default is fine: an import may bring it later.
    """
    known = {name.lower() for name in known_fields} | SYSTEM_FIELDS
    problems: list[Problem] = []
    for field, source in fields.items():
        try:
            found = parse(source, html=field == HTML)
        except TemplateError as error:
            problems.append(Problem(error.code, error.message, field, error.line, error.column))
            continue
        for at in found:
            if at.name in LINKS and field == "subject":
                message = f"{at.name} can stand in the body only"
                problems.append(Problem("misplaced_placeholder", message, field, at.line, at.column))
            elif at.name not in known and at.default is None:
                message = f'no contact has a field {at.name!r}; add it, or give a default: {at.name} | default("...")'
                problems.append(Problem("unknown_placeholder", message, field, at.line, at.column))
    return problems


def masked(source: str) -> str:
    """Return `source` at the same length with every placeholder covered, so that its quotes and signs do not count."""
    pieces: list[str] = []
    last = 0
    while (start := source.find("{{", last)) >= 0 and (end := source.find("}}", start)) >= 0:
        covered = (c if c == "\n" else MASK for c in source[start : end + 2])
        pieces += [source[last:start], *covered]
        last = end + 2
    return "".join(pieces) + source[last:]


def unescaped(value: str) -> str:
    """Return an HTML value without its entities; `&copy=1` in a URL is no entity (`html.unescape` takes it for one)."""
    return _ENTITY.sub(lambda match: unescape(match[0]), value)
