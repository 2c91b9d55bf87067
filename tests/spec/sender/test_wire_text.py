"""Quoted-printable bodies and header values: what any text becomes, and that it can be read back."""

import quopri
import re
from email.header import decode_header, make_header
from email.utils import parseaddr, parsedate_to_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.sender.mails import headers
from services.sender.mails.headers import HeaderError
from services.sender.mails.quoted import encode, encode_value

NASTY = [
    "",
    ".",
    "..",
    "\n.\n",
    "\r\n.\r\n",
    " ",
    "  a  b  ",
    "\t",
    "a\tb ",
    "x" * 5000,
    ". " * 50,
    "=\r\n",
    "=2E",
    "é " * 40,
]
texts = st.one_of(
    st.text(max_size=200),
    st.sampled_from(NASTY),
    st.text(" .\t\n\r=aé", max_size=200),
    st.text("Ελληνικάשלום👩\u200d👩\u200d👧\"'<>&\\ ", max_size=80),
)
one_line = st.text(st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"]), max_size=300)


def _lines(text: str) -> str:
    return re.sub(r"\r\n|\r|\n", "\r\n", text)


@given(text=texts)
def test_encoded_text_needs_no_dot_stuffing_and_is_canonical(text: str) -> None:
    """Short ASCII lines, CRLF only, no tab, no double or trailing space, no dot in front; decoded it is the same."""
    for wire in (encode(text), encode_value(text)):
        assert wire.isascii()
        assert quopri.decodestring(wire) == _lines(text).encode()
        assert b"\t" not in wire
        assert b"  " not in wire
        for line in wire.split(b"\r\n"):
            assert len(line) <= 75
            assert not line.startswith(b".")
            assert not line.endswith(b" ")
            assert b"\r" not in line
            assert b"\n" not in line


def test_plain_words_are_left_readable() -> None:
    """Text that needs no encoding is not encoded."""
    assert encode("Hello Anna, 5 < 6.") == b"Hello Anna, 5 < 6."
    assert encode_value("W26-ABC") == b"W26-ABC"


def _plain(value: str) -> str:
    return re.sub(" +", " ", value).strip(" ")


@given(name=one_line)
def test_a_display_name_is_read_back_as_it_was(name: str) -> None:
    """Atoms, quoted string or encoded words: the reader's program shows the same name."""
    field = headers.mailbox(name, b"a@b.example", "name")
    _fits(b"To: " + field)
    spelled, address = parseaddr(field.decode().replace("\r\n ", " "))
    assert address == "a@b.example"
    shown = _plain(name) if len(name) <= headers.MAX_DISPLAY_NAME else ""
    assert str(make_header(decode_header(spelled))) == shown


@given(subject=one_line)
def test_a_subject_is_read_back_as_it_was(subject: str) -> None:
    """Folded or encoded, it is the same subject."""
    field = headers.unstructured(subject, "subject")
    _fits(b"Subject: " + field)
    assert str(make_header(decode_header(field.decode().replace("\r\n ", " ")))) == _plain(subject)


@given(words=st.lists(st.text("abc.-,", min_size=1, max_size=30), min_size=1, max_size=30))
def test_a_long_ascii_subject_is_folded_not_encoded(words: list[str]) -> None:
    """Encoding plain text would look like hiding it."""
    field = headers.unstructured(" ".join(words), "subject")
    _fits(b"Subject: " + field)
    assert field.replace(b"\r\n ", b" ").decode() == " ".join(words)


def _fits(field: bytes) -> None:
    lines = field.split(b"\r\n")
    assert all(line.startswith(b" ") and line.strip() for line in lines[1:])
    for line in lines:
        assert line.isascii()
        assert not re.search(rb"[\x00-\x1f\x7f]", line)
        assert len(line) <= 998
        assert b"=?" not in line or len(line) <= 76 or b"<" in line


@pytest.mark.parametrize(
    "evil", ["\r\nBcc: x@y.example", "\n", "\r", "\x00", "\x1b", "\x7f", "\x85", "\u2028", "\u2029"]
)
def test_a_header_value_with_a_control_character_is_refused(evil: str) -> None:
    """It cannot end its line, and the refusal does not quote it."""
    for make in (
        lambda: headers.mailbox(f"A{evil}B", b"a@b.example", "name"),
        lambda: headers.unstructured(evil, "name"),
    ):
        with pytest.raises(HeaderError, match=r"^control character in name$"):
            make()


def test_a_subject_that_looks_encoded_is_encoded() -> None:
    """Otherwise the reader's program would decode what the author typed."""
    field = headers.unstructured("=?utf-8?Q?x?=", "subject").decode()
    assert str(make_header(decode_header(field))) == "=?utf-8?Q?x?="


def test_an_endless_subject_is_refused() -> None:
    """Merged values cannot make a header of any size."""
    with pytest.raises(HeaderError, match="longer"):
        headers.unstructured("x" * 1001, "subject")


def test_addresses_are_sent_as_given_with_ascii_domains() -> None:
    """International domains become A-labels, other scripts before the @ are for recipients, the rest is no address."""
    assert headers.address("O'Neil+x@Example.com") == b"O'Neil+x@Example.com"
    assert headers.address("post@bücher.example") == b"post@xn--bcher-kva.example"
    assert headers.recipient("δοκιμή@bücher.example") == "δοκιμή@xn--bcher-kva.example".encode()
    with pytest.raises(HeaderError, match=r"^needs SMTPUTF8$"):
        headers.address("δοκιμή@example.com")
    for wrong in (
        "",
        "a",
        "a@b@c.example",
        "a b@c.example",
        "a@c.example\r\nDATA",
        "<a@c.example>",
        "a@c.example>",
        "@c.d",
    ):
        with pytest.raises(HeaderError, match=r"^bad address$"):
            headers.address(wrong)


@given(seconds=st.integers(0, 4_102_444_800))
def test_the_date_is_the_second_given(seconds: int) -> None:
    """In UTC, as RFC 5322 spells it."""
    assert parsedate_to_datetime(headers.date(seconds).decode()).timestamp() == seconds
