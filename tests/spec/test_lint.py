"""The lint of a template, and templates that other systems wrote."""

import pytest

from shared.contracts.lint import CLIPPED, lint
from shared.contracts.plain_braces import Converted, convert
from shared.contracts.template import check

GOOD = '<p>Hello {{ first }}</p><a href="https://shop.example/a?b=1">x</a><a href="{{ optOutUrl }}">y</a>'


def found(
    html: str = GOOD, text: str = "Hello\n", subject: str = "News", *, appended: bool = True
) -> list[tuple[str, str, int]]:
    """Return code, field and line of what is found."""
    return [(f.code, f.field, f.line) for f in lint(subject, html, text, {"first"}, appended=appended)]


def test_nothing_is_found_in_a_good_template() -> None:
    """Placeholders, whole links, a way out, both bodies."""
    assert found() == []


@pytest.mark.parametrize(
    ("changes", "code", "field", "line"),
    [
        ({"html": "<p>\n{{ frist }}"}, "unknown_placeholder", "html", 2),
        ({"html": "<p>\n{% if first %}"}, "unclosed", "html", 2),
        ({"text": ""}, "text_missing", "text", 1),
        ({"html": ""}, "html_missing", "html", 1),
        ({"html": "", "text": ""}, "empty_body", "html", 1),
        ({"subject": " "}, "empty_subject", "subject", 1),
        ({"subject": "x" * 71}, "subject_long", "subject", 1),
        ({"html": "<p>x</p>\n" * (CLIPPED // 9 + 1)}, "clipped", "html", CLIPPED // 9 + 1),
        ({"html": "\n<a href='www.shop.example'>x</a>"}, "bad_link", "html", 2),
        ({"html": "<a href='/sale'>x</a>"}, "bad_link", "html", 1),
        ({"html": "<a href=''>x</a>"}, "bad_link", "html", 1),
        ({"html": "<a href='#'>x</a>"}, "bad_link", "html", 1),
        ({"html": "<a href='https://'>x</a>"}, "bad_link", "html", 1),
        ({"html": "<a href='https://a.example/a b'>x</a>"}, "bad_link", "html", 1),
        ({"html": "<a href='javascript:go()'>x</a>"}, "bad_link", "html", 1),
        ({"text": "see\nwww.shop.example."}, "bad_link", "text", 2),
        ({"html": "<img src='https://a.example/x.png'>"}, "alt_missing", "html", 1),
        ({"html": "<img alt='' src='x.png'>"}, "bad_image", "html", 1),
        ({"html": "<img alt='' src='data:image/png;base64,xx'>"}, "data_image", "html", 1),
        ({"html": "\n<script>x()</script>"}, "not_shown", "html", 2),
        ({"html": "<link rel=stylesheet href='https://a.example/x.css'>"}, "not_shown", "html", 1),
        ({"html": "<p>x</p>", "appended": False}, "no_unsubscribe", "html", 1),
    ],
)
def test_what_is_wrong_is_named_with_its_place(changes: dict[str, str], code: str, field: str, line: int) -> None:
    """Each finding has a code, the body and the line."""
    assert (code, field, line) in found(**changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "href", ["mailto:a@b.example", "tel:+123", "{{ first }}", "https://x.example/{{ first }}", "#top"]
)
def test_links_that_work_are_left_alone(href: str) -> None:
    """Mail, telephone, placeholders and places on the page."""
    assert found(f'<a href="{href}">x</a>') == []


def test_single_braces_become_ours() -> None:
    """Fields of records by the table, links by their target, style sheets as they are."""
    source = "{Person.firstName} {Account.name} {{Lead.emailAddress}} {optOutUrl} {OptOutLink} {today} {trackingUrl:7}"
    style = "<style>a{color:red}b{top}</style>{Other.thing}{x}"
    done = convert(
        source + style, {"person.firstname": "first_name", "lead.emailaddress": "email"}, {"7": "https://a.example"}
    )
    ours = (
        "{{ first_name }} {{ account.name }} {{ email }} {{ optOutUrl }} {{ optOutLink }} {{ today }} https://a.example"
    )
    assert done.source == ours + style
    assert done.named == ()
    assert check({"text": done.source}, {"first_name", "account.name"}) == []
    assert convert("{trackingUrl:9}", {}, {}) == Converted("{{ trackingUrl:9 }}", ("9",))
