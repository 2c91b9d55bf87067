"""Named tracking URLs in templates, and how a URL is known again in a report."""

import pytest

from shared.contracts.tracking_url import fill, page_of, without

URLS = {"spring sale": "https://shop.example/s?a=1&b=2"}


def test_a_name_gives_its_url_escaped_where_it_has_to_be() -> None:
    """Whatever the case and the spaces; other placeholders stay."""
    source = "{{ trackingUrl:Spring  Sale }} {{trackingurl:SPRING SALE}} {{ name }}"
    assert fill(source, URLS, html=False).source == f"{URLS['spring sale']} {URLS['spring sale']} {{{{ name }}}}"
    assert "a=1&amp;b=2" in fill(source, URLS, html=True).source


def test_a_name_that_stands_for_nothing_is_told_with_its_line() -> None:
    """The first one; the rest of a template can be looked at without any."""
    filled = fill("a\n{{ trackingUrl:Spring Sale }}\n{{ trackingUrl:x }}", URLS, html=False)
    assert (filled.unknown, filled.line) == ("x", 3)
    assert "trackingUrl" not in without("{{ trackingUrl:x }}")


@pytest.mark.parametrize(
    ("url", "page"),
    [
        ("https://a.example/s?utm_source=news&a=1&UTM_x=2#top", "https://a.example/s?a=1#top"),
        ("https://a.example/s?utm_source=news", "https://a.example/s"),
        ("https://a.example/s?a=1&b", "https://a.example/s?a=1&b"),
        ("https://a.example/s", "https://a.example/s"),
    ],
)
def test_what_campaigns_add_makes_no_other_page(url: str, page: str) -> None:
    """So a link is known by its name with and without."""
    assert page_of(url) == page
