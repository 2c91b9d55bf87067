"""What is a rule, what it means, and what is said of what is none."""

import re
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.planner.contacts.address_kinds import flags
from services.planner.contacts.search_text import fold, search_text, sortable
from services.planner.segments.grammar import DEEPEST, MOST_CONDITIONS, RuleError, parse
from services.planner.segments.rule import (
    Compare,
    Consent,
    Empty,
    Engaged,
    Every,
    Flag,
    Match,
    Not,
    OneOf,
    OnList,
    Rule,
    Some,
)

TODAY = date(2026, 11, 28)
A, B, C = Compare("a", "=", "1"), Compare("b", "=", "2"), Compare("c", "=", "3")

RULES: dict[str, Rule] = {
    "a = '1' or b = '2' and c = '3'": Some((A, Every((B, C)))),
    "(a = '1' or b = '2') and c = '3'": Every((Some((A, B)), C)),
    "not a = '1' and b = '2'": Every((Not(A), B)),
    "NOT (a='1'\nAND b=\"2\")": Not(Every((A, B))),
    "a != '1'": Not(A),
    "a <> '1'": Not(A),
    "city = 'it''s \"here\"'": Compare("city", "=", 'it\'s "here"'),
    "[first-name] contains 'x'": Match("first-name", "contains", "x"),
    "straße not starts with 'x'": Not(Match("straße", "starts", "x")),
    "x.y ends with 'z'": Match("x.y", "ends", "z"),
    "points >= -3.5": Compare("points", ">=", Decimal("-3.5")),
    "points in (1, 'x', 'y')": Some((OneOf("points", ("x", "y")), Compare("points", "=", Decimal(1)))),
    "a not in ('x')": Not(OneOf("a", ("x",))),
    "born < 2000-02-29": Compare("born", "<", date(2000, 2, 29)),
    "born <= today - 18 years": Compare("born", "<=", date(2008, 11, 28)),
    "born = today + 3 months": Compare("born", "=", date(2027, 2, 28)),
    "born > today - 2 weeks": Compare("born", ">", date(2026, 11, 14)),
    "a is empty": Empty("a"),
    "a is not empty": Not(Empty("a")),
    "on list 'Customers'": OnList("Customers"),
    "not on list 'k3mzb0tq9c2a'": Not(OnList("k3mzb0tq9c2a")),
    "opted out": Consent("opted_out"),
    "opted out of 'News' or suppressed": Some((Consent("opted_out", "News"), Consent("suppressed"))),
    "unconfirmed for 'News'": Consent("unconfirmed", "News"),
    "role and not disposable": Every((Flag("role"), Not(Flag("disposable")))),
    "role = 'buyer'": Compare("role", "=", "buyer"),
    "suppressed is empty": Empty("suppressed"),
    "opened any mailing in the last 90 days": Engaged("opened", "", date(2026, 8, 30)),
    "clicked mailing 'dbhqj1pk0kha'": Engaged("clicked", "dbhqj1pk0kha"),
    "opened = 'yes'": Compare("opened", "=", "yes"),
    "[Person.Status] = 'Interested' and person.status is empty": Every(
        (Compare("person.status", "=", "Interested"), Empty("person.status"))
    ),
    "created >= today - 7 days": Compare("created", ">=", date(2026, 11, 21)),
}

WRONG = {
    "": "line 1, column 1: a condition is expected, not the end",
    "city": "line 1, column 5: a comparison (`=`, `<`, `contains`, `in`, `is empty` ...) is expected, not the end",
    "city = Athens": "line 1, column 8: a text in quotes, a number or a date is expected, not `Athens`",
    "city =\n 'Athens": "line 2, column 2: the text that begins here is not closed by '",
    "city = 'x' city": "line 1, column 12: `and`, `or` or the end of the rule is expected, not `city`",
    "(a = 1": "line 1, column 7: `)` is expected, not the end",
    "a = 1)": "line 1, column 6: `and`, `or` or the end of the rule is expected, not `)`",
    "a > 'x'": "line 1, column 5: a number or a date is expected, not `'x'`",
    "a = ''": "line 1, column 5: an empty text finds nothing: say `is empty`",
    "a starts 'x'": "line 1, column 10: `with` is expected, not `'x'`",
    "a not = 'x'": "line 1, column 7: `contains`, `starts with`, `ends with` or `in` is expected, not `=`",
    "a in ()": "line 1, column 7: a text in quotes, a number or a date is expected, not `)`",
    "born < 2001-02-29": "line 1, column 8: there is no day 2001-02-29",
    "born < today - 5": "line 1, column 17: `days`, `weeks`, `months` or `years` is expected, not the end",
    "born < today - 9999 years": "line 1, column 16: this day is too far away",
    "a = 1234567890123456": "line 1, column 5: a number has at most 15 digits before the point and 6 behind it",
    "a = 1e3": "line 1, column 5: a number or a date that cannot be read: 12, 12.5 and 2027-05-03 can",
    "a = 1; drop table x": "line 1, column 6: ';' is nothing that a rule can hold here",
    "[first name] = 'x'": "line 1, column 1: [first name] is no name of a field",
    "[x": "line 1, column 1: the field that begins here is not closed by ]",
    "on list": "line 1, column 8: the name of a list in quotes is expected, not the end",
    "created = 'x'": "line 1, column 9: created is compared with a date, by =, <, <=, > or >=",
    "a = '\0'": "line 1, column 6: a control character stands here",
    "not": "line 1, column 4: a condition is expected, not the end",
    "a = 'x' and\n\n  or b = 'y'": "line 3, column 3: a condition is expected, not `or`",
}


@pytest.mark.parametrize("text", RULES)
def test_what_is_a_rule(text: str) -> None:
    """Each construct of the language is read as the document says."""
    assert parse(text, TODAY) == RULES[text]


@pytest.mark.parametrize("text", WRONG)
def test_what_is_wrong_is_told_with_its_place(text: str) -> None:
    """The error names line and column, and what was expected."""
    with pytest.raises(RuleError) as raised:
        parse(text, TODAY)
    assert str(raised.value) == WRONG[text]


def test_rules_have_limits() -> None:
    """Nobody makes the parser or a database run out of stack, or count for minutes."""
    parse("not " * (DEEPEST - 1) + "a = 1", TODAY)
    parse(" or ".join(["a = 1"] * MOST_CONDITIONS), TODAY)
    for text in (
        "not " * DEEPEST + "a = 1",
        "(" * 5_000 + "a = 1",
        " or ".join(["a = 1"] * (MOST_CONDITIONS + 1)),
        f"a in ({', '.join(['1'] * (MOST_CONDITIONS + 1))})",
        f"a = '{'x' * 301}'",
        " " * 10_001,
    ):
        with pytest.raises(RuleError):
            parse(text, TODAY)


_PIECES = [*"ab'\"[]()<>=!,.-+ \n019", "and ", "not ", "in ", "today ", "on list "]


@given(st.lists(st.sampled_from(_PIECES), max_size=40).map("".join))
def test_any_text_is_a_rule_or_is_told_why_not(text: str) -> None:
    """Nothing else than `RuleError` comes of a text, and its place is in the text."""
    line, column = 1, 1
    try:
        parse(text, TODAY)
    except RuleError as error:  # where it says that it is wrong, there is something
        line, column = error.line, error.column
    assert 1 <= line <= text.count("\n") + 1
    assert 1 <= column <= len(text) + 1


@given(st.decimals(-(10**15) + 1, 10**15 - 1, places=6), st.decimals(-(10**15) + 1, 10**15 - 1, places=6))
def test_numbers_sort_as_texts(one: Decimal, other: Decimal) -> None:
    """The form in which numbers stand compares as they do."""
    assert (sortable(one) < sortable(other)) == (one < other)
    assert (sortable(one) == sortable(other)) == (one == other)


def test_the_text_of_a_contact() -> None:
    """Each thing stands once, folded, between separators; a value cannot bring a separator in."""
    text = search_text("Ann@Shop.example", "Zoë", {"City": "ATHENS\x1fx=1", "points": "7", "day": "2026-11-28T08:00"})
    assert text.strip("\x1f").split("\x1f") == [
        "email=ann@shop.example",
        "domain=shop.example",
        "name=zoë",
        "kind=contact",
        "City=athens x=1",
        "points=7",
        "points#1000000000000007000000",
        "day=2026-11-28t08:00",
        "day@2026-11-28",
    ]
    assert "person.status=been written to\x1f" in search_text(
        "a@x.example", "", {"person.status": "x"}, (), "Been Written to"
    )
    assert "person.status" not in search_text("a@x.example", "", {"person.status": "x"})
    assert fold("STRASSE") == fold("Straße")
    assert fold("e\u0301") == fold("É")


@pytest.mark.parametrize(
    ("address", "wanted"),
    [
        ("ann@x.example", ()),
        ("INFO@x.example", ("role",)),
        ("postmaster+x@x.example", ("role",)),
        ("infos@x.example", ()),
        ("ann@Mailinator.com", ("disposable",)),
        ("no-reply@deep.mailinator.com", ("role", "disposable")),
        ("ann@com", ()),
    ],
)
def test_what_an_address_is(address: str, wanted: tuple[str, ...]) -> None:
    """Of a function, of a throw-away provider or one of its subdomains, whatever the case."""
    assert flags(address) == wanted


def test_the_document_holds_to_the_parser() -> None:
    """Every example of the document is a rule, and every word in quotes of its grammar is known to the parser."""
    text = Path("docs/segments.md").read_text(encoding="utf-8")
    examples = re.findall(r"^    (.+)$", text.partition("## What can be asked")[0], re.MULTILINE)
    assert len(examples) > 3
    for example in examples:
        parse(example, TODAY)
    grammar = text.partition("## Grammar")[2]
    code = "".join(Path(f"services/planner/segments/{name}.py").read_text() for name in ("grammar", "rule"))
    for word in set(re.findall(r'"([a-z]{2,})"', grammar)):
        assert f'"{word}"' in code, word
