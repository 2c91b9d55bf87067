"""Messages in wire form are one message each."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.sender.smtp.wire import envelope, normal, stuffed

BYTES = st.lists(st.sampled_from([b"\r", b"\n", b".", b"a", b"\r\n", b"\0"]), max_size=30).map(b"".join)


@given(BYTES)
def test_the_end_of_a_message_stands_once_at_its_end(raw: bytes) -> None:
    """No content contains the end of data, in any spelling of line ends a server may take."""
    wired = stuffed(normal(raw))
    assert wired.endswith(b"\r\n.\r\n")
    inside = b"\r\n" + wired[: -len(b".\r\n")]
    assert not any(end in inside for end in (b"\r\n.\r\n", b"\n.\n", b"\r\n.\n", b"\n.\r\n", b"\r.\r"))


@given(BYTES)
def test_unstuffed_it_is_the_normal_message(raw: bytes) -> None:
    """What the relay takes is what was signed."""
    wired = b"\r\n" + stuffed(normal(raw))[: -len(b".\r\n")]
    assert wired.replace(b"\r\n..", b"\r\n.")[2:] == normal(raw)


@given(BYTES)
def test_a_normal_message_is_normal(raw: bytes) -> None:
    """Line ends are CRLF only, and normalising again changes nothing."""
    once = normal(raw)
    assert normal(once) == once
    rest = once.replace(b"\r\n", b"")
    assert b"\r" not in rest
    assert b"\n" not in rest


def test_an_envelope_is_three_commands() -> None:
    """MAIL with its parameters, RCPT, DATA."""
    assert envelope(b"a@x", b"b@y", b" SIZE=5") == b"MAIL FROM:<a@x> SIZE=5\r\nRCPT TO:<b@y>\r\nDATA\r\n"
    assert envelope(b"", b"b@y") == b"MAIL FROM:<>\r\nRCPT TO:<b@y>\r\nDATA\r\n"


@pytest.mark.parametrize("evil", [b"a@x>\r\nRCPT TO:<c@z", b"a\nb", b"a\0b", b"a\x7fb"])
def test_no_command_hides_in_an_address(evil: bytes) -> None:
    """Line ends and control characters are refused in every part."""
    for parts in ((evil, b"b@y", b""), (b"a@x", evil, b""), (b"a@x", b"b@y", evil)):
        with pytest.raises(ValueError, match="control character"):
            envelope(*parts)
