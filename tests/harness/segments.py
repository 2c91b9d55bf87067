"""Rules over contacts in memory, the oracle for what databases answer; written from docs/segments.md alone."""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal

from services.planner.segments import rule as r


@dataclass(frozen=True)
class Person:
    """One contact, with all that rules look at."""

    id: str
    address: str
    name: str = ""
    fields: Mapping[str, str] = field(default_factory=dict)
    lists: frozenset[str] = frozenset()
    blocked: Mapping[str, str] = field(default_factory=dict)
    results: tuple[tuple[str, str, date], ...] = ()  # mailing, what happened, on which day
    status: str = ""
    created: datetime = datetime(2026, 1, 1, tzinfo=UTC)

    def value(self, name: str) -> str:
        """Return a field, "" where there is none."""
        own = {"email": self.address, "domain": self.address.split("@")[-1], "name": self.name}
        own["person.status"] = self.status
        return own[name] if name in own else self.fields.get(name, "contact" if name == "kind" else "")


def finds(rule: r.Rule, who: Person, rules: Mapping[str, r.Rule]) -> bool:
    """Tell whether a rule finds somebody; `rules` are those of dynamic lists."""
    match rule:
        case r.Not():
            return not finds(rule.rule, who, rules)
        case r.Every():
            return all(finds(part, who, rules) for part in rule.rules)
        case r.Some():
            return any(finds(part, who, rules) for part in rule.rules)
        case r.OnList():
            return rule.list in who.lists or (rule.list in rules and finds(rules[rule.list], who, rules))
        case r.Consent():
            return who.blocked.get(rule.list or "*") == rule.state
        case r.Engaged():
            happened = [each for each in who.results if each[1] == rule.act and rule.mailing in ("", each[0])]
            return any(rule.since is None or day >= rule.since for _, _, day in happened)
        case r.Empty():
            return who.value(rule.field) == ""
        case r.OneOf():
            return _folded(who.value(rule.field)) in {_folded(text) for text in rule.texts}
        case r.Match():
            return _part(rule.how, _folded(who.value(rule.field)), _folded(rule.text))
        case r.Compare():
            return _compared(who, rule)
    raise NotImplementedError(rule)


def _folded(text: str) -> str:
    return "".join(" " if ord(one) < 32 else one for one in unicodedata.normalize("NFKC", text).casefold())


def _part(how: str, value: str, text: str) -> bool:
    parts = {"contains": text in value, "starts": value.startswith(text), "ends": value.endswith(text)}
    return parts[how]


def _compared(who: Person, rule: r.Compare) -> bool:
    found: Decimal | date | None
    value = who.value(rule.field)
    if isinstance(rule.value, str):
        return value != "" and _folded(value) == _folded(rule.value)
    if rule.field == "created":
        found = who.created.date()
    elif isinstance(rule.value, date):
        found = _date(value)
    else:
        found = Decimal(value) if re.fullmatch(r"-?[0-9]{1,15}(\.[0-9]{1,6})?", value) else None
    if found is None:
        return False
    a, b = (found, rule.value)
    orders = {"=": a == b, "<": a < b, "<=": a <= b, ">": a > b, ">=": a >= b}  # type: ignore[operator]  # of one kind
    return orders[rule.how]


def _date(value: str) -> date | None:
    if not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}([T ].*)?", value, re.DOTALL):
        return None
    try:
        return date.fromisoformat(value[:10])
    except ValueError:  # no such day
        return None
