"""Links get the parameters of web analytics, and keep everything they had."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.planner.content import utm
from shared.contracts.commands import DraftMailing
from shared.contracts.links import links_in_html, links_in_text

TAGS = {"utm_source": "news", "utm_medium": "email", "utm_campaign": "May & June"}
ADDED = "utm_source=news&utm_medium=email&utm_campaign=May+%26+June"


@pytest.mark.feature("B28")
@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("https://a.example", f"https://a.example?{ADDED}"),
        ("https://a.example/x?y=1", f"https://a.example/x?y=1&{ADDED}"),
        ("https://a.example/x?", f"https://a.example/x?{ADDED}"),
        ("https://a.example/x#top", f"https://a.example/x?{ADDED}#top"),
        ("https://a.example/?q=%C3%A9&r", f"https://a.example/?q=%C3%A9&r&{ADDED}"),
        ("https://a.example/?utm_source=mine", f"https://a.example/?utm_source=mine&{ADDED.partition('&')[2]}"),
        ("https://a.example/?UTM_Source=mine&utm_medium=&utm_campaign=c", None),
        ("https://a.example/" + "x" * 1_450, None),
    ],
)
def test_a_url_gets_what_it_has_not(before: str, after: str | None) -> None:
    """Own parameters stay, the fragment stays last, and a URL that would be too long stays as it is."""
    assert utm.url(before, TAGS) == (after or before)


@pytest.mark.feature("B28")
def test_links_of_all_bodies_are_tagged_and_placeholders_are_not() -> None:
    """HTML is spelled as HTML; links with placeholders, and what is no link, are left alone."""
    html = '<a href="https://a.example/?x=1&amp;y=2">a</a> <a href="{{ unsubscribe_url }}">u</a> <img src="https://i.example/">'
    draft = DraftMailing.model_validate(
        {
            "campaign": "c",
            "name": "n",
            "account": "a",
            "sender_address": "a@example.com",
            "html": html,
            "text": "See https://a.example/. Or {{ url }}",
            "variants": {"de": {"text": "https://b.example/{{ name }} https://c.example"}},
        }
    )
    done = utm.tagged(draft, TAGS)
    assert done.html == html.replace(
        "y=2", f"y=2&amp;{ADDED}".replace("&utm", "&amp;utm").replace("&amp;amp;", "&amp;")
    )
    assert done.text == f"See https://a.example/?{ADDED}. Or {{{{ url }}}}"
    assert done.variants["de"].text == f"https://b.example/{{{{ name }}}} https://c.example?{ADDED}"
    assert utm.tagged(done, TAGS) == done, "a draft that is edited is not tagged twice"
    assert utm.tagged(draft, {}) is draft


@pytest.mark.feature("B28")
@given(path=st.text("abc/?&=#;%é", max_size=30))
def test_tagging_is_done_once_and_the_link_is_still_one(path: str) -> None:
    """Whatever a URL looks like, tagging it again changes nothing, and it is found where it was."""
    html = f'<a href="https://a.example/{path}">x</a>'
    once = utm.in_html(html, TAGS)
    assert utm.in_html(once, TAGS) == once
    assert len(links_in_html(once)) == len(links_in_html(html))
    text = utm.in_text(f"https://a.example/{path} end", TAGS)
    assert utm.in_text(text, TAGS) == text
    assert len(links_in_text(text)) == 1
