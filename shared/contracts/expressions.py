"""What of a template is more than a field: one region of it as a program of MiniJinja, with bounded work.

In comes the source of a region (an expression, or a condition or loop from its first tag to its last), out goes an
`Expression` that renders it with plain texts, or an `ExpressionError` with the line inside the region. A program has no
files, no macros, no Python objects and no clock: the same values give the same text. Its fuel is spent by steps and by
bytes, so endless loops and growing strings end within milliseconds. Errors hold no values, so they may be recorded.
"""

import re
from collections.abc import Collection, Mapping
from functools import lru_cache
from typing import Any

from minijinja import Environment
from minijinja import TemplateError as EngineError

FUEL = 30_000
"""Steps of one region for one recipient; a step of the engine is a value, a jump, or some bytes written."""

FIELDS, PRESENT = "_fields", "_present"
"""Under which names a region finds what its plain placeholders stand for; asking PRESENT for what is missing fails."""

GIVEN = frozenset({FIELDS, PRESENT, "loop", "range", "true", "false", "none", "True", "False", "None"})
"""Names that are no fields."""

FILTERS = frozenset(
    {
        *("abs", "batch", "capitalize", "count", "default", "e", "escape", "first", "float", "format", "int", "join"),
        *("last", "length", "lines", "list", "lower", "max", "min", "replace", "reverse", "round", "slice", "sort"),
        *("split", "string", "sum", "title", "trim", "unique", "upper", "urlencode"),
    }
)
TESTS = frozenset(
    {
        *("defined", "undefined", "none", "number", "integer", "float", "string", "sequence", "odd", "even", "in"),
        *("divisibleby", "eq", "ne", "lt", "le", "gt", "ge", "startingwith", "endingwith", "true", "false"),
    }
)
FUNCTIONS = frozenset({"range"})

ALIASES = {"person.emailaddress": "email", "person.name": "name"}
"""What templates of other systems call what every contact has."""

_LOOKED_UP = re.compile(rf'{FIELDS}\["([^"]*)"\]')
_PRESENT = re.compile(rf'{PRESENT}\["([^"]*)"\]')
_QUOTED = re.compile(r"""\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*'""", re.DOTALL)
_USED = re.compile(r"(\||\bis\s+not\b|\bis\b|\.|)\s*\b([A-Za-z_]\w*)\s*(\(?)")
_BEFORE_BRACKETS = frozenset({"in", "not", "and", "or", "if", "elif", "else", "is"})

_REMOVED_GLOBALS = ("debug", "namespace", "cycler", "joiner", "lipsum")
_REMOVED_FILTERS = ("safe", "pprint", "random", "attr", "map", "tojson")
_NEVER = "\ue00f"  # comments would be looked for in style sheets: `@media print{#head{...}}`
_WORDS = {
    "OutOfFuel": "it takes too much work",
    "UndefinedError": "a value is missing",
    "InvalidOperation": "its values do not fit",
    "UnknownFilter": "there is no such filter",
    "UnknownTest": "there is no such test",
    "UnknownFunction": "there is no such function",
    "UnknownMethod": "there is no such method",
    "SyntaxError": "it cannot be read",
}


class ExpressionError(ValueError):
    """It cannot be read or rendered; `kind` is the engine's word, `line` 1-based from the first line of the region."""

    def __init__(self, kind: str, line: int, message: str) -> None:
        super().__init__(message)
        self.kind, self.line, self.message = kind, line, message


class Expression:
    """A region, compiled."""

    __slots__ = ("_environment", "_looks_up", "_paths", "_present", "_template", "names")

    def __init__(self, source: str, *, html: bool) -> None:
        """Compile.

        Raises:
            ExpressionError: The source is no program.
        """
        self._environment = _environment()
        self._present = tuple(dict.fromkeys(_PRESENT.findall(source)))
        self._looks_up = tuple(dict.fromkeys(_LOOKED_UP.findall(source)))
        self._template = "region.html" if html else "region.txt"
        try:
            self._environment.add_template(self._template, source)
            found = self._environment.undeclared_variables_in_str(source, nested=True)
        except EngineError as error:
            raise _readable(error, detail=True) from None
        names = sorted(name for name in found if name.partition(".")[0] not in GIVEN)
        self._paths = [(tuple(name.split(".")), canonical(name.lower())) for name in names]
        self.names = tuple(names)
        """The fields it asks for, as they are spelled."""

    def render(self, values: Mapping[str, str], own: Mapping[str, str]) -> str:
        """Return the text.

        Args:
            values: Fields by name in lower case; a missing one is empty, but fails where it is a plain placeholder.
            own: What else the source names, texts that we make.

        Raises:
            ExpressionError: It fails with these values.
        """
        context: dict[str, Any] = {}
        for path, name in self._paths:
            if len(path) > 1:
                _put(context, path, values.get(name))
            elif name in values:
                context.setdefault(path[0], values[name])
        try:
            return self._environment.render_template(self._template, **context, **own, **self._plain(values))
        except EngineError as error:
            raise _readable(error, detail=False) from None

    def _plain(self, values: Mapping[str, str]) -> dict[str, Any]:
        """Return what plain placeholders look up."""
        given: dict[str, Any] = {}
        if self._present:
            given[PRESENT] = {name: (values[name],) for name in self._present if name in values}
        if self._looks_up:
            given[FIELDS] = {name: values[name] for name in self._looks_up if name in values}
        return given


def _put(context: dict[str, Any], path: tuple[str, ...], value: str | None) -> None:
    """Put a value in its place; of a missing one only what it would stand in, so that one may ask for it."""
    for name in path[:-1]:
        inner = context.get(name)
        if not isinstance(inner, dict):
            inner = context[name] = {}
        context = inner
    if value is not None:
        context.setdefault(path[-1], value)


def _readable(error: EngineError, *, detail: bool) -> ExpressionError:
    words = _WORDS.get(error.kind, "it fails")
    if detail and error.detail:  # what the author wrote; with values of recipients it stays away
        words = f"{words}: {error.detail}"
    return ExpressionError(error.kind, error.line or 1, words)


def _environment() -> Environment:
    made = Environment(fuel=FUEL, debug=False, keep_trailing_newline=True)
    made.comment_start_string = made.comment_end_string = _NEVER
    for name in _REMOVED_GLOBALS:
        made.remove_global(name)
    for name in _REMOVED_FILTERS:
        made.remove_filter(name)
    return made


def unknown(tag: str) -> tuple[str, str] | None:
    """Return what a tag uses and does not exist here, as what it was taken for and its name."""
    for before, name, bracket in _USED.findall(_QUOTED.sub("''", tag)):
        if before == "|":
            if name not in FILTERS:
                return "filter", name
        elif before.startswith("is"):
            if name not in TESTS:
                return "test", name
        elif bracket and name not in (frozenset() if before == "." else _BEFORE_BRACKETS | FUNCTIONS):
            return "function", name
    return None


def canonical(name: str) -> str:
    """Return what we call a field."""
    return ALIASES.get(name, name)


def literal(text: str) -> str:
    """Return text of a region so that the engine takes it as it stands."""
    return text.replace("{%", "{{ '{%' }}") if "{%" in text else text


@lru_cache(256)
def softened(inside: str, names: Collection[str]) -> frozenset[str]:
    """Return which of the names the insides of tags give a default, or ask whether they are there."""
    return frozenset(
        name
        for name in names
        if re.search(rf"(?<![\w.]){re.escape(name)}\s*(\|\s*default\b|\s+is\s+(not\s+)?(un)?defined\b)", inside)
    )
