"""The words of a rule, each with its place. Pure.

A rule that cannot be read raises `RuleError`, which says where, what stands there and what was expected.
"""

import re
from dataclasses import dataclass
from typing import Literal

LONGEST = 10_000

Kind = Literal["text", "date", "number", "word", "field", "mark", "end"]

_WORDS = re.compile(
    r"""(?P<space>\s+)
    | (?P<text>'(?:[^']|'')*' | "(?:[^"]|"")*")
    | (?P<date>[0-9]{4}-[0-9]{2}-[0-9]{2}(?![0-9]))
    | (?P<number>[0-9]+(?:\.[0-9]+)?(?![\w.]))
    | (?P<word>[^\W\d][\w.]*)
    | (?P<field>\[[^\]\n]*\])
    | (?P<mark><=|>=|!=|<>|[=<>(),+-])""",
    re.VERBOSE,
)
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")


class RuleError(ValueError):
    """A rule that cannot be read: what is wrong, on which line and in which column, both from 1."""

    def __init__(self, message: str, line: int, column: int) -> None:
        super().__init__(f"line {line}, column {column}: {message}")
        self.message = message
        self.line = line
        self.column = column


@dataclass(frozen=True, slots=True)
class Word:
    """One word: `said` is what it means (quotes and brackets taken off), `shown` how it was written."""

    kind: Kind
    said: str
    shown: str
    line: int
    column: int

    def wrong(self, message: str) -> RuleError:
        """Return the error that this word is."""
        return RuleError(message, self.line, self.column)


def split(text: str) -> list[Word]:
    """Return the words of a rule, the end among them.

    Raises:
        RuleError: Something is no word.
    """
    if len(text) > LONGEST:
        raise RuleError(f"the rule is longer than {LONGEST} characters", 1, 1)
    if bad := _CONTROL.search(text):
        raise RuleError("a control character stands here", *_place(text, bad.start()))
    found: list[Word] = []
    at = 0
    while at < len(text):
        match = _WORDS.match(text, at)
        if match is None:
            raise RuleError(_unknown(text[at]), *_place(text, at))
        kind, shown = match.lastgroup, match.group()
        if kind != "space":
            found.append(Word(kind, _meant(shown), shown, *_place(text, at)))  # type: ignore[arg-type]  # named above
        at = match.end()
    return [*found, Word("end", "", "the end", *_place(text, len(text)))]


def _place(text: str, at: int) -> tuple[int, int]:
    return text.count("\n", 0, at) + 1, at - text.rfind("\n", 0, at)


def _meant(shown: str) -> str:
    if shown[0] in "'\"":
        return shown[1:-1].replace(shown[0] * 2, shown[0])
    return shown[1:-1].strip() if shown[0] == "[" else shown


def _unknown(character: str) -> str:
    if character in "'\"":
        return f"the text that begins here is not closed by {character}"
    if character == "[":
        return "the field that begins here is not closed by ]"
    if character.isdigit():
        return "a number or a date that cannot be read: 12, 12.5 and 2027-05-03 can"
    return f"{character!r} is nothing that a rule can hold here"
