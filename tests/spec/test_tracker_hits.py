"""What a hit keeps of a request: classes and networks, never the string or the address."""

from datetime import UTC, datetime
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.tracker.hits import Seen, agent_class, hit, network
from shared.contracts.engagement import AgentClass
from shared.tokens import RecipientToken

NOON = datetime(2026, 5, 4, 12, 0, 0, 250_000, tzinfo=UTC)
WHO = RecipientToken("k", "m1", 2, 3)
CHROME = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/150.0 Safari/537.36"


@pytest.mark.parametrize(
    ("agent", "expected"),
    [
        ("", "none"),
        ("Mozilla/5.0", "apple-privacy"),
        ("Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)", "google-proxy"),
        ("YahooMailProxy; https://help.yahoo.com/kb/yahoo-mail-proxy-SLN28749.html", "yahoo-proxy"),
        (CHROME.replace("Chrome/150.0", "Chrome/42.0") + " Edge/12.246 Mozilla/5.0", "gmail-prefetch"),
        ("curl/8.5.0", "automat"),
        ("Mozilla/5.0 (compatible; bingbot/2.0)", "automat"),
        ("Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Thunderbird/128.1", "mail-client"),
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) Mobile/15E148", "mobile"),
        (CHROME, "desktop"),
        ("SomethingElse/1", "other"),
    ],
)
def test_user_agents_are_known_by_class(agent: str, expected: str) -> None:
    """The signals that tell proxies, prefetches and scanners from people."""
    assert agent_class(agent) == expected


@given(st.text())
def test_any_user_agent_has_a_class(agent: str) -> None:
    """Whatever is sent, it is one of the known classes."""
    assert agent_class(agent) in get_args(AgentClass)


def test_a_prefetch_says_so_whatever_the_agent() -> None:
    """Sec-Purpose outranks the user agent."""
    assert agent_class(CHROME, prefetch=True) == "prefetch"


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("203.0.113.77", "203.0.113.0/24"),
        ("2001:db8:1:2::9", "2001:db8:1::/48"),
        ("::ffff:203.0.113.77", "203.0.113.0/24"),
        ("fe80::1%eth0", "fe80::/48"),
        ("unknown", ""),
        ("", ""),
    ],
)
def test_of_an_address_only_the_network_is_kept(address: str, expected: str) -> None:
    """/24 and /48, nothing for what is no address."""
    assert network(address) == expected


def test_the_fact_id_joins_what_is_one_hit_and_parts_what_is_not() -> None:
    """Same second and source: one fact. Another second, method, network or link: another."""
    first = hit("click", WHO, 1, Seen(NOON, "GET", "desktop", "203.0.113.0/24"))
    same = hit("click", WHO, 1, Seen(NOON.replace(microsecond=900_000), "GET", "desktop", "203.0.113.0/24"))
    others = [
        hit("click", WHO, 2, Seen(NOON, "GET", "desktop", "203.0.113.0/24")),
        hit("click", WHO, 1, Seen(NOON, "HEAD", "desktop", "203.0.113.0/24")),
        hit("click", WHO, 1, Seen(NOON, "GET", "desktop", "198.51.100.0/24")),
        hit("click", WHO, 1, Seen(NOON.replace(second=1), "GET", "desktop", "203.0.113.0/24")),
        hit("open", WHO, None, Seen(NOON, "GET", "desktop", "203.0.113.0/24")),
    ]
    assert first.id == same.id
    assert len({first.id, *(other.id for other in others)}) == 6
