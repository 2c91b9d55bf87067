"""Makes SQL of rules: a condition on the rows of `contact_search`, one row a contact, the text of `search_text`.

Whatever a rule says goes in as a bound parameter; no SQL is made of text. Each condition is two-valued and means the
same on SQLite and on PostgreSQL. A finder that is `paged` is for reading some contacts at a time: what stands in other
tables is then looked up for each contact rather than gathered for all.
"""

import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any

from sqlalchemy import Column, ColumnElement, Select, and_, collate, func, not_, or_, select

from services.planner.audience.outcomes import RESULTS
from services.planner.contacts.contacts import CONTACTS
from services.planner.contacts.lists import MEMBERS
from services.planner.contacts.search import SEARCH
from services.planner.contacts.search_text import MOMENTS, US, fold, sortable
from services.planner.facts import SUPPRESSION
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
)
from shared.contracts.consent import EVERYTHING
from shared.contracts.outcomes import ACCEPTED, NAMES

_FEW = 12
"""Up to so many texts are looked for one by one; for more the value is taken out and compared (PostgreSQL)."""
_FEW_IN_SQLITE = 4
"""SQLite looks for up to so many texts one by one."""
_FEW_LENGTHS = 3
"""It compares texts of up to so many lengths with what stands behind the field; for more the value is taken out, which
takes as long as six texts or four lengths."""
_DAY = 24 * 3_600_000
_WILD = re.compile(r"[*?\[]")
_BEHIND = " "
"""Comes behind the separator and before all that numbers and dates are made of."""
_LAST = "~"
"""Comes behind all that numbers and dates are made of."""
_WHEN: Mapping[Act, str] = {
    "received": "settled_at",
    "opened": "opened_at",
    "clicked": "clicked_at",
    "bounced": "bounced_at",
    "complained": "complained_at",
    "unsubscribed": "unsubscribed_at",
}
_ORDERS: Mapping[str, Callable[[Any, Any], ColumnElement[bool]]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "=": operator.eq,
}


@dataclass(frozen=True, slots=True)
class NamedList:
    """A list as rules know it: its id, and its own rule where it has one."""

    id: str
    rule: Rule | None = None


@dataclass(frozen=True, slots=True)
class Finder:
    """Makes conditions for one kind of database; `lists` holds every list that a rule names, by that name."""

    postgresql: bool
    lists: Mapping[str, NamedList] = field(default_factory=dict)
    paged: bool = False

    def where(self, rule: Rule) -> ColumnElement[bool]:
        """Return the condition that a row of SEARCH fulfils whose contact the rule finds."""
        match rule:
            case Not():
                return not_(self.where(rule.rule))
            case Every():
                return and_(*map(self.where, rule.rules))
            case Some():
                return or_(*map(self.where, rule.rules))
            case OnList():
                return self._on_list(self.lists[rule.list])
            case Consent():
                return self._consent(rule)
            case Engaged():
                return self._engaged(rule)
            case _:
                return self._text(rule)

    def _text(self, rule: Compare | Match | OneOf | Empty | Flag) -> ColumnElement[bool]:
        match rule:
            case Compare():
                return self._compare(rule)
            case Match():
                return self._match(rule)
            case OneOf():
                return self._one_of(rule)
            case Empty():
                return not_(self._has(f"{US}{rule.field}="))
            case Flag():
                return self._has(f"{US}{rule.name}!")

    def _at(self, piece: str, of: ColumnElement[str] | None = None) -> ColumnElement[int]:
        """Return where a piece of text stands, from 1; 0 where it does not."""
        text = SEARCH.c.text if of is None else of
        return func.strpos(text, piece) if self.postgresql else func.instr(text, piece)

    def _has(self, *pieces: str) -> ColumnElement[bool]:
        """Return whether pieces of text stand there, one behind the other; each has to be somewhere on PostgreSQL."""
        if self.postgresql:
            return and_(*(self._at(piece) > 0 for piece in pieces))
        glob = "*".join(("", *(_WILD.sub(r"[\g<0>]", piece) for piece in pieces), ""))
        return SEARCH.c.text.bool_op("GLOB")(glob)  # half the time of instr(): it jumps to the first character

    def _compare(self, rule: Compare) -> ColumnElement[bool]:
        match rule.value:
            case str():
                return self._has(f"{US}{rule.field}={fold(rule.value)}{US}")
            case date() if rule.field in MOMENTS:
                found = _moment(CONTACTS.c[rule.field], rule.how, rule.value)
                return self._among(select(CONTACTS.c.id.label("contact")).where(found))
            case date():
                return self._sorted(f"{US}{rule.field}@", rule.how, rule.value.isoformat())
            case _:
                return self._sorted(f"{US}{rule.field}#", rule.how, sortable(rule.value))

    def _sorted(self, key: str, how: str, wanted: str) -> ColumnElement[bool]:
        if how == "=":
            return self._has(key + wanted)
        beyond = wanted + _BEHIND  # what stands there goes on with a separator, which comes before this
        least, limit = {"<": (False, wanted), "<=": (False, beyond), ">": (True, beyond), ">=": (True, wanted)}[how]
        missing = "" if least else _LAST
        rest: ColumnElement[str] = func.coalesce(func.nullif(func.split_part(SEARCH.c.text, key, 2), ""), missing)
        rest = collate(rest, "C") if self.postgresql else self._behind(key, len(beyond), missing)
        return rest >= limit if least else rest < limit

    def _behind(self, key: str, length: int, missing: str) -> ColumnElement[str]:
        """Return so many characters behind `key`, `missing` where it stands nowhere (SQLite)."""
        stands = func.nullif(self._at(key), 0) + len(key)
        return func.coalesce(func.substr(SEARCH.c.text, stands, length), missing)

    def _match(self, rule: Match) -> ColumnElement[bool]:
        key, wanted = f"{US}{rule.field}=", fold(rule.text)
        if rule.how == "starts":
            return self._has(key + wanted)
        if rule.how == "contains":
            return and_(self._has(key, wanted), self._at(wanted, self._value(key)) > 0)
        end = func.right(self._value(key), len(wanted))
        if not self.postgresql:
            end = func.substr(self._value(key), -len(wanted))
        return and_(self._has(key, wanted + US), end == wanted)

    def _value(self, key: str) -> ColumnElement[str]:
        """Return the folded value behind `key`; anything where there is none."""
        if self.postgresql:
            return func.split_part(func.split_part(SEARCH.c.text, key, 2), US, 1)
        rest = func.substr(SEARCH.c.text, self._at(key) + len(key))
        return func.substr(rest, 1, self._at(US, rest) - 1)

    def _one_of(self, rule: OneOf) -> ColumnElement[bool]:
        key, texts = f"{US}{rule.field}=", sorted({fold(text) for text in rule.texts})
        if len(texts) <= (_FEW if self.postgresql else _FEW_IN_SQLITE):
            return or_(*(self._has(f"{key}{text}{US}") for text in texts))
        if not self.postgresql and len(lengths := {len(text) for text in texts}) <= _FEW_LENGTHS:
            return or_(
                *(
                    self._behind(key, length + 1, "").in_([text + US for text in texts if len(text) == length])
                    for length in sorted(lengths)
                )
            )
        return and_(self._has(key), self._value(key).in_(texts))

    def _among(self, some: Select[Any]) -> ColumnElement[bool]:
        """Return whether the contact is in the column `contact` of a query."""
        if not self.paged:
            return SEARCH.c.contact.in_(some)
        (contact,) = some.selected_columns
        return some.where(contact == SEARCH.c.contact).correlate(SEARCH).exists()

    def _on_list(self, named: NamedList) -> ColumnElement[bool]:
        put = self._among(select(MEMBERS.c.contact).where(MEMBERS.c.list == named.id))
        return put if named.rule is None else or_(self.where(named.rule), put)

    def _consent(self, rule: Consent) -> ColumnElement[bool]:
        scope = self.lists[rule.list].id if rule.list else EVERYTHING
        s, c = SUPPRESSION.c, CONTACTS.c
        standing = (s.scope == scope) & (s.blocked == rule.state)
        return self._among(
            select(c.id.label("contact")).join(SUPPRESSION, s.address_key == c.address_key).where(standing)
        )

    def _engaged(self, rule: Engaged) -> ColumnElement[bool]:
        r = RESULTS.c
        at = r[_WHEN[rule.act]]
        came = [at.is_not(None) if rule.since is None else at >= _begins(rule.since)]
        if rule.act == "received":
            came.append(r.outcome == NAMES[ACCEPTED])
        if rule.mailing:
            came.append(r.mailing == rule.mailing)
        return self._among(select(r.contact).where(*came))


def _begins(day: date) -> int:
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp())


def _moment(column: Column[int], how: How, day: date) -> ColumnElement[bool]:
    """Return the condition on when a contact was made or changed, by days of UTC."""
    begins = _begins(day) * 1000
    ends = begins + _DAY
    match how:
        case "=":
            return column.between(begins, ends - 1)
        case "<" | ">=":
            return _ORDERS[how](column, begins)
        case _:
            return _ORDERS["<" if how == "<=" else ">="](column, ends)
