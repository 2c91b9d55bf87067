"""What a POST to an unsubscribe link asks for: RFC 8058 in all its forms, and the buttons of our pages."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.tracker.forms import Act, act_of, fields, named
from services.tracker.pages import MAX_COMMENT

SCOPE = ("lista", "listb")
URLENCODED = "application/x-www-form-urlencoded"
ONE_CLICK = Act("out", SCOPE, how="one-click")


def part(name: str, value: str, *more: str) -> str:
    """Return one part of a multipart body."""
    return "\r\n".join(["--sep", f'Content-Disposition: form-data; name="{name}"', *more, "", value, ""])


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        (URLENCODED, "List-Unsubscribe=One-Click"),
        (f"{URLENCODED}; charset=UTF-8", "List-Unsubscribe=One-Click"),
        (f"{URLENCODED.upper()};charset=iso-8859-1", "list-unsubscribe=one-click"),
        ("", "LIST-UNSUBSCRIBE=ONE-CLICK"),
        ("text/plain", "List-Unsubscribe=One-Click\r\n"),
        (URLENCODED, "List%2DUnsubscribe=One%2DClick"),
        (URLENCODED, "a=b&List-Unsubscribe=+One-Click+&c="),
        ("multipart/form-data; boundary=sep", part("List-Unsubscribe", "One-Click") + "--sep--\r\n"),
        ('Multipart/Form-Data; Charset=utf-8; Boundary="sep"', part("list-unsubscribe", "one-click") + "--sep--\r\n"),
        (
            "multipart/form-data; boundary=sep",
            part("x", "y")
            + part("List-Unsubscribe", "One-Click", "Content-Type: text/plain; charset=us-ascii")
            + "--sep--",
        ),
        ("multipart/form-data; boundary=sep", part("List-Unsubscribe", "One-Click").replace("\r\n", "\n") + "--sep--"),
    ],
)
def test_one_click_is_understood_however_it_is_spelled(content_type: str, body: str) -> None:
    """The right pair, in either encoding, in any case, with any charset: the person leaves all lists of the link."""
    assert act_of(fields(content_type, body.encode()), SCOPE) == ONE_CLICK


@pytest.mark.parametrize("body", ["", "List-Unsubscribe=", "One-Click", "List-Unsubscribe=Two-Clicks", "x=One-Click"])
def test_nothing_but_the_right_pair_is_one_click(body: str) -> None:
    """An empty body, half of the pair and another value are no act."""
    assert act_of(fields(URLENCODED, body.encode()), SCOPE).kind == "unclear"


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("action=unsubscribe", Act("out", SCOPE)),
        ("action=unsubscribe&choose=on&list0=on&list1=on", Act("out", SCOPE)),
        ("action=unsubscribe&choose=on&list1=on&reason=too_often", Act("out", ("listb",), reason="too_often")),
        ("action=unsubscribe&choose=on&list0=on&all=on", Act("out", ("*",))),
        ("action=unsubscribe&choose=on", Act("nothing chosen")),
        ("action=unsubscribe&choose=on&list7=on", Act("nothing chosen")),
        ("action=unsubscribe&reason=nonsense&comment=a%00b", Act("out", SCOPE, comment="ab")),
        ("action=stay", Act("stay")),
        ("action=stay&after=on&list1=on", Act("in", ("listb",))),
        ("action=stay&after=on&all=on", Act("in", ("*",))),
        ("action=stay&after=on", Act("in", ("lista", "listb", "*"))),
        ("action=confirm&page=p1", Act("confirm", SCOPE, how="confirmed", page="p1")),
        ("action=other&page=%3Cb%3E", Act("unclear")),
    ],
)
def test_the_buttons_of_the_page_are_acts(body: str, expected: Act) -> None:
    """Lists are chosen or all of them are meant; what is no choice of ours is none."""
    assert act_of(fields(URLENCODED, body.encode()), SCOPE) == expected


def test_a_comment_is_cut() -> None:
    """As long as the field on the page lets it be."""
    body = b"action=unsubscribe&comment=" + b"x" * (MAX_COMMENT + 1)
    assert len(act_of(fields(URLENCODED, body), SCOPE).comment) == MAX_COMMENT


@given(st.sets(st.sampled_from(["lista", "listb", "*"]), min_size=1))
def test_the_way_back_is_the_way_out(left: set[str]) -> None:
    """Whatever was left, the fields of the page after it name the same."""
    left = {"*"} if "*" in left else left
    scope = tuple(sorted(left))
    form = dict.fromkeys(named(scope, SCOPE), "on")
    assert act_of({"action": "stay", "after": "on", **form}, SCOPE).scope == scope


@given(st.text(), st.binary(max_size=2000))
def test_no_body_breaks_the_reading_of_a_form(content_type: str, body: bytes) -> None:
    """Whatever is posted, it is fields or none, and an act that can be told."""
    header = content_type.encode("latin-1", "replace").decode("latin-1")
    for name in (header, "multipart/form-data; boundary=" + header, "application/x-www-form-urlencoded"):
        assert act_of(fields(name, body), SCOPE).kind in {"out", "in", "stay", "confirm", "nothing chosen", "unclear"}
