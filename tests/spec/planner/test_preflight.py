"""The preflight of an account: what is good, what is not, and what to do about it; DNS asked of a real server."""

from collections.abc import Sequence

import pytest

from services.planner.accounts import dns
from services.planner.accounts.dns import Dns
from services.planner.accounts.preflight import Check, DkimKey, Domain, Seen, checks, related
from tests.harness.dns import dns_server

KEY = "v=DKIM1; k=rsa; p=AAAA"
SIGNED = (DkimKey("s1._domainkey.shop.example", KEY, (KEY,)),)
GOOD = Domain(
    "shop.example", "bounces.shop.example", ("v=spf1 include:relay.example -all",), ("v=DMARC1; p=none",), SIGNED
)


def _seen(*domains: Domain, **more: object) -> Seen:
    known: dict[str, object] = {
        "tls": "starttls",
        "loopback": False,
        "tested": True,
        "working": True,
        "public_url": "https://t.shop.example",
    }
    return Seen(**(known | more), domains=domains or (GOOD,))  # type: ignore[arg-type]


def _found(seen: Seen, name: str) -> Check:
    return next(check for check in checks(seen) if check.name == name)


def test_an_account_that_is_fit_is_all_green() -> None:
    """Every check is good and says what was seen."""
    found = checks(_seen())
    assert {check.state for check in found} == {"good"}
    assert {check.name for check in found} == {"works", "tls", "one-click", "spf", "dkim", "dmarc", "alignment"}


@pytest.mark.parametrize(
    ("more", "name", "state"),
    [
        ({"tested": False}, "works", "bad"),
        ({"working": False}, "works", "bad"),
        ({"tls": "none"}, "tls", "bad"),
        ({"tls": "none", "loopback": True}, "tls", "warning"),
        ({"public_url": "http://t.shop.example"}, "one-click", "bad"),
        ({"public_url": "https://127.0.0.1"}, "one-click", "bad"),
    ],
)
def test_what_is_wrong_with_an_account_has_a_remedy(more: dict[str, object], name: str, state: str) -> None:
    """Red or amber, with what to do."""
    check = _found(_seen(**more), name)
    assert check.state == state
    assert check.remedy


@pytest.mark.parametrize(
    ("texts", "state"),
    [
        (None, "unknown"),
        ((), "bad"),
        (("google-site-verification=x",), "bad"),
        (("v=spf1 -all", "v=spf1 ~all"), "bad"),
        (("v=spf1 +all",), "bad"),
        (("v=spf1 all",), "bad"),
        (("v=spf1 " + "include:a.example " * 11 + "-all",), "bad"),
        (("v=spf1 mx a:x.example ip4:192.0.2.1 ~all", "other"), "good"),
        (("v=spf1 mx",), "warning"),
        (("v=spf1 redirect=_spf.example",), "good"),
        (("v=spf10 -all",), "bad"),
    ],
)
def test_spf_is_one_record_that_says_who_may(texts: Sequence[str] | None, state: str) -> None:
    """None, two, open ones and those that need too many lookups are no SPF."""
    check = _found(_seen(Domain("shop.example", "shop.example", texts, (), SIGNED)), "spf")
    assert check.state == state
    assert bool(check.remedy) == (state != "good")


@pytest.mark.parametrize(
    ("published", "state"),
    [
        (None, "unknown"),
        ((), "bad"),
        (("v=DKIM1; k=rsa; p=BBBB",), "bad"),
        (("v=DKIM1; p=",), "bad"),
        (("v=DKIM1;p=AA AA",), "good"),
        (("old", KEY), "good"),
    ],
)
def test_the_key_that_signs_is_the_one_that_is_published(published: Sequence[str] | None, state: str) -> None:
    """Compared by what counts: algorithm and key, however it is written."""
    keys = (DkimKey("s1._domainkey.shop.example", KEY, published),)
    check = _found(_seen(Domain("shop.example", "shop.example", (), (), keys)), "dkim")
    assert check.state == state


@pytest.mark.parametrize(
    ("texts", "state"),
    [
        (None, "unknown"),
        ((), "bad"),
        (("v=DMARC1; p=none",), "good"),
        (("v=DMARC1; p=reject; adkim=s",), "good"),
        (("v=DMARC1; p=all",), "bad"),
        (("v=DMARC1; p=none", "v=DMARC1; p=reject"), "bad"),
    ],
)
def test_dmarc_is_one_record_with_a_policy(texts: Sequence[str] | None, state: str) -> None:
    """Providers want at least p=none."""
    assert _found(_seen(Domain("shop.example", "shop.example", (), texts, SIGNED)), "dmarc").state == state


@pytest.mark.parametrize(
    ("returns", "keys", "dmarc", "state"),
    [
        ("b.shop.example", SIGNED, "v=DMARC1; p=none", "good"),
        ("relay.example", SIGNED, "v=DMARC1; p=none", "good"),
        ("b.shop.example", (), "v=DMARC1; p=none", "warning"),
        ("b.shop.example", (), "v=DMARC1; p=none; aspf=s", "bad"),
        ("relay.example", (), "v=DMARC1; p=none", "bad"),
    ],
)
def test_from_is_aligned_with_dkim_or_with_the_return_path(
    returns: str, keys: Sequence[DkimKey], dmarc: str, state: str
) -> None:
    """DKIM is best; SPF alone is lost on forwarding; neither is refused by the large providers."""
    assert _found(_seen(Domain("shop.example", returns, (), (dmarc,), keys)), "alignment").state == state


def test_a_top_level_domain_relates_nobody() -> None:
    """Below means below something that one can own."""
    assert related("b.shop.example", "shop.example")
    assert not related("com", "shop.com")
    assert not related("myshop.example", "shop.example")


async def test_dns_tells_what_is_there_what_is_not_and_what_nobody_knows(monkeypatch: pytest.MonkeyPatch) -> None:
    """Long records come in one piece; NXDOMAIN and no data are none; silence is None; DMARC is sought up the tree."""
    long = "v=DKIM1; k=rsa; p=" + "A" * 400
    known = {"k.shop.example": [long], "empty.example": [], "_dmarc.shop.example": ["v=DMARC1; p=none"]}
    async with dns_server(known) as server:
        asked = Dns(f"127.0.0.1:{server.port}")
        assert await asked.texts("k.shop.example") == (long,)
        assert await asked.texts("empty.example") == ()
        assert await asked.texts("nobody.example") == ()
        assert await asked.policy("deep.news.shop.example") == ("v=DMARC1; p=none",)
        assert await asked.policy("other.example") == ()
        assert "_dmarc.example" not in server.asked
    monkeypatch.setattr(dns, "_SECONDS", 0.3)
    async with dns_server({}, silent=True) as server:
        assert await Dns(f"127.0.0.1:{server.port}").texts("shop.example") is None
        assert await Dns(f"127.0.0.1:{server.port}").policy("shop.example") is None
