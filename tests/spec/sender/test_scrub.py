"""Scrubbed texts keep the words and lose the person."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from services.sender.replies.scrub import scrub

TEXTS = (
    ("User unknown", "User unknown"),
    ("<jane.doe@example.com>: Recipient address rejected", "<...>: Recipient address rejected"),
    ("JANE.DOE@EXAMPLE.COM is over quota", "<...> is over quota"),
    ("mailbox Jane.Doe is full", "mailbox <...> is full"),
    ("no mail for jane.doe=40example.com today", "no mail for <...> today"),
    ("bounce+jane.doe=example.com@list.example", "<...>"),
    ("jane%2Edoe is unknown", "<...> is unknown"),
    ("somebody-else@other.example was here", "<...> was here"),
    ('"jane doe"@example.com', "<...>"),
    (
        "see https://support.example/?p=NoSuchUser abc.123 - gsmtp",
        "see https://support.example/?p=NoSuchUser abc.123 - gsmtp",
    ),
    ("", ""),
)


@pytest.mark.parametrize(("text", "expected"), TEXTS)
def test_the_words_stay_and_the_person_goes(text: str, expected: str) -> None:
    """What is left tells why, not who."""
    assert scrub(text, "jane.doe@example.com") == expected


def test_what_stands_before_a_tag_is_the_person_too() -> None:
    """Relays strip `+tags` before they speak of a mailbox."""
    assert scrub("mailbox jane.doe is full", "Jane.Doe+news@example.com") == "mailbox <...> is full"


LOCAL = st.text(
    st.characters(codec="utf-8", exclude_categories=("Cs", "Cc"), exclude_characters='@"\\<> '), min_size=3, max_size=20
)
SPELLING = st.sampled_from(["plain", "upper", "lower", "qp", "xtext", "percent", "address", "brackets", "glued"])


def _spelled(local: str, spelling: str) -> str:
    encoded = {"qp": "=", "xtext": "+", "percent": "%"}
    if spelling in encoded:
        return "".join(f"{encoded[spelling]}{byte:02X}" for byte in local.encode())
    return {
        "plain": local,
        "upper": local.upper(),
        "lower": local.lower(),
        "address": f"{local}@example.com",
        "brackets": f"<{local}@example.com>",
        "glued": f"x{local}y{local[1:]}{local}",
    }[spelling]


@given(local=LOCAL, words=st.lists(st.text(max_size=10), max_size=4), spelling=SPELLING)
@example(local="...", words=["<...>"], spelling="plain")
@example(local="0.0", words=[], spelling="qp")
@example(local="ǰǰǰ", words=["a"], spelling="upper")
@example(local="ßßß", words=["a"], spelling="upper")
@example(local="++2B", words=["a"], spelling="xtext")
def test_the_local_part_never_survives(local: str, words: list[str], spelling: str) -> None:
    """Whatever stands around it and however it is spelled, in any case."""
    text = " ".join([*words, _spelled(local, spelling), *words])
    result = scrub(text, f"{local}@example.com")
    assert local.casefold() not in result.casefold()
    assert local.lower() not in result.lower()
    for mark in "=+%":
        assert "".join(f"{mark}{byte:02x}" for byte in local.lower().encode()) not in result.lower()


@given(text=st.text(max_size=300))
def test_no_address_survives(text: str) -> None:
    """Nothing like `a@b` is left of anybody."""
    result = scrub(f"{text} someone@example.org {text}", "jane.doe@example.com")
    assert "someone" not in result
    assert "@example.org" not in result


@given(text=st.text(max_size=200), local=LOCAL)
def test_scrubbing_twice_changes_nothing(text: str, local: str) -> None:
    """A scrubbed text is clean."""
    once = scrub(text, f"{local}@example.com")
    assert scrub(once, f"{local}@example.com") == once
