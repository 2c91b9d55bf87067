"""A rule as a tree. Pure data: `grammar` makes it of text, `finding` makes SQL of it.

Every condition is true or false for a contact, never unknown: what a contact does not have fulfils no comparison, so
`not` in front of one finds who has another value and who has none.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Literal

Value = str | Decimal | date
How = Literal["=", "<", "<=", ">", ">="]
Act = Literal["received", "opened", "clicked", "bounced", "complained", "unsubscribed"]
State = Literal["opted_out", "suppressed", "unconfirmed"]


@dataclass(frozen=True, slots=True)
class Compare:
    """A field against a value; texts are only compared for being the same, whatever their case."""

    field: str
    how: How
    value: Value


@dataclass(frozen=True, slots=True)
class Match:
    """A part of a field, whatever its case."""

    field: str
    how: Literal["contains", "starts", "ends"]
    text: str


@dataclass(frozen=True, slots=True)
class OneOf:
    """A field that is one of several texts, whatever their case."""

    field: str
    texts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Empty:
    """A field that the contact does not have."""

    field: str


@dataclass(frozen=True, slots=True)
class OnList:
    """Whoever is on a list, by its name or id; a list with a rule is as its rule finds it."""

    list: str


@dataclass(frozen=True, slots=True)
class Consent:
    """How the address stands: for all mail, or for that of a list."""

    state: State
    list: str = ""


@dataclass(frozen=True, slots=True)
class Engaged:
    """What came of mailings: of one, or of any where `mailing` is ""; on that day or later."""

    act: Act
    mailing: str = ""
    since: date | None = None


@dataclass(frozen=True, slots=True)
class Flag:
    """What the address is: of a function rather than a person, or of a provider of throw-away addresses."""

    name: Literal["role", "disposable"]


@dataclass(frozen=True, slots=True)
class Not:
    """Whoever a rule does not find."""

    rule: "Rule"


@dataclass(frozen=True, slots=True)
class Every:
    """Whoever all of several rules find."""

    rules: tuple["Rule", ...]


@dataclass(frozen=True, slots=True)
class Some:
    """Whoever at least one of several rules finds."""

    rules: tuple["Rule", ...]


Condition = Compare | Match | OneOf | Empty | OnList | Consent | Engaged | Flag
Rule = Condition | Not | Every | Some


def conditions(rule: Rule) -> Iterator[Condition]:
    """Yield the conditions of a rule from left to right."""
    match rule:
        case Not():
            yield from conditions(rule.rule)
        case Every() | Some():
            for part in rule.rules:
                yield from conditions(part)
        case _:
            yield rule


def lists_in(rule: Rule) -> list[str]:
    """Return the lists a rule names, once each."""
    named = [each.list for each in conditions(rule) if isinstance(each, OnList | Consent) and each.list]
    return list(dict.fromkeys(named))


def fields_in(rule: Rule) -> list[str]:
    """Return the fields a rule names, once each."""
    named = [each.field for each in conditions(rule) if isinstance(each, Compare | Match | OneOf | Empty)]
    return list(dict.fromkeys(named))
