"""Tokens: round trips, and nothing that was not signed here gets through."""

import time
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared import tokens
from shared.keys import KeyRing
from shared.tokens import LinkToken, RecipientToken, Signer, UnsubscribeToken

OLD, NEW = "old secret of more than thirty-two characters", "new secret of more than thirty-two characters"
PEPPER = "pepper of more than thirty-two characters"
RING = KeyRing.of(OLD, PEPPER)
SIGNER = Signer(RING)
STRANGER = KeyRing.of("a stranger's secret of more than thirty-two", PEPPER)

ids = st.text("abcdefghijklmnopqrstuvwxyz0123456789", min_size=1, max_size=24)
numbers = st.integers(0, 999_999_999)
indexes = st.integers(0, 9_999)
address_keys = st.text("0123456789abcdef", min_size=16, max_size=16)
urls = st.from_regex(r"https?://[a-z0-9.]{1,40}[a-z](/[!-~]{0,300})?", fullmatch=True).filter(tokens.is_target)
URL_CHARACTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.+*/= %é\n"


@given(mailing=ids, n=numbers, index=indexes)
def test_a_recipient_token_names_whom_it_was_signed_for(mailing: str, n: int, index: int) -> None:
    """What the sender signs, the tracker reads."""
    token = SIGNER.recipient(mailing, n, index)
    assert tokens.verify_recipient(RING, token) == RecipientToken(SIGNER.kid, mailing, n, index)


@given(mailing=ids)
def test_an_anonymous_token_names_the_mailing_only(mailing: str) -> None:
    """Tracking without persons carries neither chunk nor index."""
    token = tokens.verify_recipient(RING, SIGNER.anonymous(mailing))
    assert token == RecipientToken(SIGNER.kid, mailing, tokens.ANONYMOUS, tokens.ANONYMOUS)
    assert token.anonymous


@given(mailing=ids, link=indexes, url=urls)
def test_a_link_token_leads_where_it_was_signed_to(mailing: str, link: int, url: str) -> None:
    """Both parts of a click together give recipient and target."""
    who = tokens.verify_recipient(RING, SIGNER.recipient(mailing, 3, 7))
    assert who == RecipientToken(SIGNER.kid, mailing, 3, 7)
    assert tokens.verify_link(RING, who, SIGNER.link(mailing, link, url)) == LinkToken(link, url)


@given(mailing=ids, n=numbers, index=indexes, key=address_keys, lists=st.lists(ids, max_size=30))
def test_an_unsubscribe_token_holds_all_it_takes_to_leave(
    mailing: str, n: int, index: int, key: str, lists: list[str]
) -> None:
    """It works without any store; no lists, or more than a URL can name, mean everything."""
    found = tokens.verify_unsubscribe(RING, SIGNER.unsubscribe(mailing, n, index, key, lists))
    few = 0 < len(set(lists)) <= tokens.MAX_LISTS
    scope = tuple(sorted(set(lists))) if few else (tokens.EVERYTHING,)
    assert found == UnsubscribeToken(SIGNER.kid, mailing, n, index, key, scope)


def _verifies(ring: KeyRing, token: str) -> bool:
    who = RecipientToken(SIGNER.kid, "m1", 3, 7)
    verdicts = (
        tokens.verify_recipient(ring, token),
        tokens.verify_link(ring, who, token),
        tokens.verify_unsubscribe(ring, token),
    )
    return any(verdict is not None for verdict in verdicts)


GENUINE = (
    SIGNER.recipient("m1", 3, 7),
    SIGNER.anonymous("m1"),
    SIGNER.link("m1", 0, "https://shop.example/a?b=c"),
    SIGNER.link("m1", 1, "https://shop.example/a?b=cd"),
    SIGNER.unsubscribe("m1", 3, 7, "0123456789abcdef", ["l1", "l2"]),
)


@given(token=st.sampled_from(GENUINE), place=st.integers(0, 200), character=st.sampled_from(URL_CHARACTERS))
@settings(max_examples=600)
def test_a_token_with_one_character_changed_is_refused(token: str, place: int, character: str) -> None:
    """No character is without meaning: not in the payload, not in the MAC, not in its last bits."""
    place %= len(token)
    changed = token[:place] + character + token[place + 1 :]
    assert _verifies(RING, changed) == (changed == token)


@given(token=st.sampled_from(GENUINE), cut=st.integers(0, 200), tail=st.sampled_from(["", "=", "\n", "A", ".x", "%00"]))
def test_a_token_cut_or_lengthened_is_refused(token: str, cut: int, tail: str) -> None:
    """A token is taken whole or not at all."""
    changed = token[: cut % len(token)] + tail
    assert not _verifies(RING, changed)
    assert not tail or not _verifies(RING, token + tail)


@given(text=st.text(max_size=200))
def test_arbitrary_text_is_refused(text: str) -> None:
    """Nothing raises, whatever comes."""
    assert not _verifies(RING, text)


def test_a_token_of_another_installation_is_refused() -> None:
    """A foreign key under a foreign id, and a foreign key under our id, do not verify."""
    forged = replace(RING, token_keys={SIGNER.kid: STRANGER.token_keys[STRANGER.active]}, active=SIGNER.kid)
    assert not _verifies(RING, Signer(STRANGER).recipient("m1", 3, 7))
    assert not _verifies(RING, Signer(forged).recipient("m1", 3, 7))


def test_a_link_of_one_mailing_is_refused_in_another() -> None:
    """The link part is signed over the mailing, so it cannot be moved to make an open redirect."""
    link = SIGNER.link("m1", 0, "https://a.example/")
    assert tokens.verify_link(RING, RecipientToken(SIGNER.kid, "m2", 0, 0), link) is None


def test_a_mac_of_one_kind_is_refused_in_another() -> None:
    """A recipient's MAC does not unsubscribe, a link's MAC names no recipient."""
    claim = "m1.3.7.0123456789abcdef.l1"
    mac = SIGNER.recipient_mac(claim.encode()).decode()
    assert tokens.verify_unsubscribe(RING, f"{SIGNER.kid}.{claim}.{mac}") is None


def test_a_return_path_names_its_recipient_in_any_case() -> None:
    """It fits into a local part, and a changed or foreign one names nobody."""
    who = b"m0123456789abcdefghijklm.99999999.499"
    local = f"b+{SIGNER.kid}.{who.decode()}.{SIGNER.bounce_mac(who).decode()}"
    assert len(local) <= 64
    found = tokens.verify_bounce(RING, local.upper())
    assert found == RecipientToken(SIGNER.kid, "m0123456789abcdefghijklm", 99_999_999, 499)
    assert tokens.verify_bounce(RING, local.replace(".499.", ".498.")) is None
    assert tokens.verify_bounce(STRANGER, local) is None
    mac = SIGNER.recipient_mac(who).decode()
    assert tokens.verify_bounce(RING, f"b+{SIGNER.kid}.{who.decode()}.{mac}") is None


@given(text=st.text(max_size=80))
def test_arbitrary_return_paths_are_refused(text: str) -> None:
    """Nothing raises, whatever comes back."""
    assert tokens.verify_bounce(RING, text) is None
    assert tokens.verify_bounce(RING, "b+" + text) is None


def test_only_web_addresses_are_redirect_targets() -> None:
    """Even signed, another scheme, a line break or an endless URL leads nowhere."""
    who = RecipientToken(SIGNER.kid, "m1", 0, 0)
    for url in ("javascript:alert(1)", "ftp://a.example/", "//a.example", "https://", "https://a.example/\r\nX: y"):
        assert tokens.verify_link(RING, who, SIGNER.link("m1", 0, url)) is None
    assert tokens.verify_link(RING, who, SIGNER.link("m1", 0, "https://a.example/" + "x" * 2000)) is None


def test_tokens_outlive_a_rotation_of_keys() -> None:
    """Old links verify as long as their key is in the ring, and no longer."""
    rotated = KeyRing.of(f"{NEW},{OLD}", PEPPER)
    assert rotated.active != RING.active
    for token in GENUINE:
        assert _verifies(rotated, token)
        assert not _verifies(KeyRing.of(NEW, PEPPER), token)
    assert Signer(rotated, SIGNER.kid).recipient("m1", 3, 7) == SIGNER.recipient("m1", 3, 7)


def test_a_key_that_is_gone_cannot_sign() -> None:
    """A chunk that pins a key the environment lost is not sent with another."""
    with pytest.raises(tokens.UnknownKeyError, match="0000"):
        Signer(RING, "0000")


def test_a_forged_token_takes_as_long_whatever_is_right_in_it() -> None:
    """An unknown key id, a MAC that is wrong at once, one that is wrong at its end: no time tells them apart."""
    good = SIGNER.recipient("m1", 3, 7)
    head, mac = good[:-20], good[-20:]
    flipped = {True: "B", False: "A"}
    forged = {
        "unknown key": f"zzzz.{good.partition('.')[2]}",
        "first": head + flipped[mac[0] == "A"] + mac[1:],
        "last": good[:-1] + flipped[mac[-1] == "A"],
    }
    least = dict.fromkeys(forged, 1.0)
    for _ in range(60):
        for name, token in forged.items():
            began = time.perf_counter()
            for _ in range(50):
                assert tokens.verify_recipient(RING, token) is None
            least[name] = min(least[name], time.perf_counter() - began)
    assert max(least.values()) < 1.3 * min(least.values())
