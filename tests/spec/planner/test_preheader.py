"""The preheader stands hidden where the body begins, and can be taken out again."""

import pytest

from services.planner.content.preheader import as_written, with_preheader
from shared.contracts.commands import Refusal
from shared.contracts.content import Content

HTML = '<html><head><title>a</title></head><body class="x"><p>Hello</p></body></html>'


def made(preheader: str, html: str = HTML) -> Content:
    """Return a content with a preheader."""
    done = with_preheader(
        Content(subject="s", html=html, text="t", sender_address="a@example.com"), preheader, ["city"]
    )
    assert isinstance(done, Content)
    return done


@pytest.mark.feature("B28")
@pytest.mark.parametrize(
    ("html", "before"),
    [
        (HTML, '<body class="x">'),
        ("<p>Hello</p>", ""),
        ("<html><head></head><p>Hello</p></html>", "</head>"),
        ('{{ "<body>" }}<p>Hello</p>', ""),
    ],
)
def test_it_is_where_the_body_begins(html: str, before: str) -> None:
    """Behind the tag of the body, the head where there is none, else first; what it says is spelled as HTML."""
    done = made('Tom & {{ city | default("you") }}', html)
    place = done.html.index("<div style=")
    assert done.html[:place].endswith(before)
    assert 'Tom &amp; {{ city | default("you") }}</div>' in done.html
    assert as_written(done) == html


@pytest.mark.feature("B28")
def test_it_has_the_placeholders_of_a_subject_and_no_links() -> None:
    """What cannot be there is refused with its field; without one nothing changes, and a text has no place for it."""
    bare = Content(subject="s", html=HTML, text="t", sender_address="a@example.com")
    for wrong, code in (("{{ nobody }}", "unknown_placeholder"), ("{{ unsubscribe_url }}", "misplaced_placeholder")):
        refused = with_preheader(bare, wrong, ["city"])
        assert isinstance(refused, Refusal)
        assert (refused.code, refused.field) == (code, "preheader")
    assert with_preheader(bare, "", []) is bare
    text = bare.model_copy(update={"html": ""})
    assert with_preheader(text, "hello", []) == text.model_copy(update={"preheader": "hello"})
