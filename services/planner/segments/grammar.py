"""Reads rules: a parser by recursive descent for the grammar of docs/segments.md. Pure.

In come a text and the day on which it is asked, out comes a `Rule` in which days like `today - 90 days` are dates. What
cannot be read raises `RuleError` with line and column, what was expected and what stands there instead. Length, depth
and number of conditions are limited, so that whatever is read can be asked of a database.
"""

import re
from calendar import monthrange
from collections.abc import Mapping
from datetime import date, timedelta
from decimal import Decimal
from typing import cast, get_args

from services.planner.contacts.search_text import MOMENTS, NUMBER
from services.planner.segments.rule import (
    Act,
    Compare,
    Consent,
    Empty,
    Engaged,
    Every,
    Flag,
    How,
    Match,
    Not,
    OneOf,
    OnList,
    Rule,
    Some,
    Value,
)
from services.planner.segments.words import RuleError, Word, split
from shared.contracts.records import STATUS

__all__ = ("RuleError", "parse")

DEEPEST = 20
MOST_CONDITIONS = 500
LONGEST_TEXT = 300
MOST_UNITS = 9_999

_FIELD = re.compile(r"[\w.-]{1,64}")
_RESERVED = frozenset(("and", "or", "not", "in", "is", "on", "contains", "starts", "ends", "with", "empty", "today"))
_ACTS: tuple[str, ...] = get_args(Act)
_FLAGS: Mapping[str, Flag] = {"role": Flag("role"), "disposable": Flag("disposable")}
_DAYS = {"day": 1, "days": 1, "week": 7, "weeks": 7}
_MONTHS = {"month": 1, "months": 1, "year": 12, "years": 12}
_COMPARED = ("=", "!=", "<>", "<", "<=", ">", ">=")


def parse(text: str, today: date) -> Rule:
    """Return the rule that a text is.

    Raises:
        RuleError: It is none.
    """
    return _Parser(split(text), today).whole()


class _Parser:
    def __init__(self, words: list[Word], today: date) -> None:
        self._words = words
        self._at = 0
        self._today = today
        self._conditions = 0

    def whole(self) -> Rule:
        rule = self._some(1)
        self._end()
        return rule

    def _end(self) -> None:
        if self._word.kind != "end":
            raise self._expected("`and`, `or` or the end of the rule")

    @property
    def _word(self) -> Word:
        return self._words[self._at]

    def _expected(self, what: str) -> RuleError:
        word = self._word
        shown = word.shown if word.kind == "end" else f"`{word.shown[:40]}`"
        return word.wrong(f"{what} is expected, not {shown}")

    def _is(self, *said: str) -> bool:
        """Tell whether these words come next."""
        coming = self._words[self._at : self._at + len(said)]
        return len(coming) == len(said) and all(
            word.kind in ("word", "mark") and word.said.lower() == wanted
            for word, wanted in zip(coming, said, strict=True)
        )

    def _took(self, *said: str) -> bool:
        found = self._is(*said)
        self._at += len(said) if found else 0
        return found

    def _take(self, *said: str) -> None:
        for wanted in said:
            if not self._took(wanted):
                raise self._expected(f"`{wanted}`")

    def _some(self, depth: int) -> Rule:
        parts = [self._every(depth)]
        while self._took("or"):
            parts.append(self._every(depth))
        return parts[0] if len(parts) == 1 else Some(tuple(parts))

    def _every(self, depth: int) -> Rule:
        parts = [self._one(depth)]
        while self._took("and"):
            parts.append(self._one(depth))
        return parts[0] if len(parts) == 1 else Every(tuple(parts))

    def _one(self, depth: int) -> Rule:
        if depth > DEEPEST:
            raise self._word.wrong(f"this is nested deeper than {DEEPEST} times")
        if self._took("not"):
            return Not(self._one(depth + 1))
        if self._took("("):
            rule = self._some(depth + 1)
            self._take(")")
            return rule
        self._count()
        return self._condition()

    def _count(self) -> None:
        self._conditions += 1
        if self._conditions > MOST_CONDITIONS:
            raise self._word.wrong(f"more than {MOST_CONDITIONS} conditions and values")

    def _condition(self) -> Rule:
        if self._took("on", "list"):
            return OnList(self._text("the name of a list"))
        if self._took("opted", "out"):
            return Consent("opted_out", self._text("the name of a list") if self._took("of") else "")
        for state in ("suppressed", "unconfirmed"):
            if self._is(state) and not self._compares(1):
                self._take(state)
                scope = self._text("the name of a list") if state == "unconfirmed" and self._took("for") else ""
                return Consent("suppressed" if state == "suppressed" else "unconfirmed", scope)
        for act in _ACTS:
            if self._is(act, "any", "mailing") or (self._is(act, "mailing") and self._ahead(2).kind == "text"):
                return self._engaged(cast("Act", act))
        for name, flag in _FLAGS.items():
            if self._is(name) and not self._compares(1):
                self._take(name)
                return flag
        return self._comparison(self._field())

    def _ahead(self, words: int) -> Word:
        return self._words[min(self._at + words, len(self._words) - 1)]

    def _compares(self, ahead: int) -> bool:
        """Tell whether a comparison stands so many words ahead: what comes before it is a field then."""
        word = self._ahead(ahead)
        if word.kind == "mark":
            return word.said in _COMPARED
        said = word.said.lower() if word.kind == "word" else ""
        return said in ("contains", "starts", "ends", "in", "is", "not")

    def _engaged(self, act: Act) -> Engaged:
        self._take(act)
        mailing = ""
        if not self._took("any", "mailing"):
            self._take("mailing")
            mailing = self._text("the id of a mailing")
        since = None
        if self._took("in", "the", "last"):
            since = self._moved(self._today, -1)
        return Engaged(act, mailing, since)

    def _field(self) -> str:
        word = self._word
        if word.kind not in ("word", "field") or (word.kind == "word" and word.said.lower() in _RESERVED):
            raise self._expected("a condition")
        if not _FIELD.fullmatch(word.said):
            raise word.wrong(f"{word.shown[:80]} is no name of a field")
        self._at += 1
        return STATUS if word.said.lower() == STATUS else word.said

    def _comparison(self, field: str) -> Rule:
        if field in MOMENTS:
            return self._moment(field)
        for sign in ("=", "!=", "<>"):
            if self._took(sign):
                same = Compare(field, "=", self._value())
                return same if sign == "=" else Not(same)
        for how in ("<", "<=", ">", ">="):
            if self._is(how):
                return self._order(field, how)
        if self._took("is"):
            negated = self._took("not")
            self._take("empty")
            return Not(Empty(field)) if negated else Empty(field)
        if self._took("not"):
            return Not(self._part(field, "`contains`, `starts with`, `ends with` or `in`"))
        return self._part(field, "a comparison (`=`, `<`, `contains`, `in`, `is empty` ...)")

    def _moment(self, field: str) -> Rule:
        """Return a comparison of when the contact was made or changed, which is a day and never missing."""
        word = self._word
        for how in _COMPARED:
            if self._took(how):
                value = self._value()
                if isinstance(value, date):
                    same = Compare(field, cast("How", "=" if how in ("!=", "<>") else how), value)
                    return Not(same) if how in ("!=", "<>") else same
        raise word.wrong(f"{field} is compared with a date, by =, <, <=, > or >=")

    def _order(self, field: str, how: str) -> Compare:
        self._take(how)
        if self._word.kind == "text":
            raise self._expected("a number or a date")
        return Compare(field, cast("How", how), self._value())

    def _part(self, field: str, expected: str) -> Rule:
        if self._took("contains"):
            return Match(field, "contains", self._text("a text"))
        if self._took("starts"):
            self._take("with")
            return Match(field, "starts", self._text("a text"))
        if self._took("ends"):
            self._take("with")
            return Match(field, "ends", self._text("a text"))
        if self._took("in"):
            return self._one_of(field)
        raise self._expected(expected)

    def _one_of(self, field: str) -> Rule:
        self._take("(")
        values = [self._value()]
        while self._took(","):
            self._count()
            values.append(self._value())
        self._take(")")
        texts = tuple(value for value in values if isinstance(value, str))
        others: list[Rule] = [Compare(field, "=", value) for value in values if not isinstance(value, str)]
        if not others:
            return OneOf(field, texts)
        parts = [OneOf(field, texts), *others] if texts else others
        return parts[0] if len(parts) == 1 else Some(tuple(parts))

    def _text(self, what: str) -> str:
        word = self._word
        if word.kind != "text":
            raise self._expected(f"{what} in quotes")
        if not word.said.strip():
            raise word.wrong("an empty text finds nothing: say `is empty`")
        if len(word.said) > LONGEST_TEXT:
            raise word.wrong(f"the text is longer than {LONGEST_TEXT} characters")
        self._at += 1
        return word.said

    def _value(self) -> Value:
        word = self._word
        if word.kind == "text":
            return self._text("a text")
        if word.kind == "date":
            self._at += 1
            try:
                return date.fromisoformat(word.said)
            except ValueError as error:  # told with its place
                raise word.wrong(f"there is no day {word.said}") from error
        if self._took("today"):
            if self._took("-"):
                return self._moved(self._today, -1)
            return self._moved(self._today, 1) if self._took("+") else self._today
        sign = "-" if self._took("-") else ""
        if self._word.kind != "number":
            raise self._expected("a number" if sign else "a text in quotes, a number or a date")
        word, self._at = self._word, self._at + 1
        if not NUMBER.fullmatch(sign + word.said):
            raise word.wrong("a number has at most 15 digits before the point and 6 behind it")
        return Decimal(sign + word.said)

    def _moved(self, day: date, direction: int) -> date:
        """Return a day so many days, weeks, months or years away; the last of a month that is too short."""
        word = self._word
        if word.kind != "number" or not word.said.isdigit():
            raise self._expected("a number of days, weeks, months or years")
        many = int(word.said)
        if many > MOST_UNITS:
            raise word.wrong(f"more than {MOST_UNITS} is too far away")
        self._at += 1
        unit = self._word.said.lower() if self._word.kind == "word" else ""
        if unit not in _DAYS and unit not in _MONTHS:
            raise self._expected("`days`, `weeks`, `months` or `years`")
        try:
            if unit in _DAYS:
                moved = day + timedelta(days=direction * many * _DAYS[unit])
            else:
                year, month = divmod(day.year * 12 + day.month - 1 + direction * many * _MONTHS[unit], 12)
                moved = date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))
        except (ValueError, OverflowError) as error:  # before the year 1 or after 9999: told with its place
            raise word.wrong("this day is too far away") from error
        self._at += 1
        return moved
