"""Files and header fields of a mailing: what may go with a mail, and what is refused."""

import pytest

from services.planner.content.attachments import MAX_HEADERS, wrong_headers, wrong_references
from shared.contracts.content import AttachedFile

LOGO = AttachedFile(object="0" * 64, file_name="logo.png", media_type="image/png", content_id="logo", size=3)
TERMS = AttachedFile(object="1" * 64, file_name="terms.pdf", media_type="application/pdf", size=3)


def test_what_the_html_shows_is_attached_and_the_other_way_round() -> None:
    """An image that nobody would see, or that is missing, is noticed before the mailing goes out."""
    shown = '<img src="cid:logo"> <td style="background:url(cid:logo)">'
    assert wrong_references(shown, [LOGO, TERMS]) is None
    assert wrong_references("", [TERMS]) is None
    for html, files in ((shown, [TERMS]), ("<p>cid:logo</p>", [LOGO])):
        refusal = wrong_references(html, files)
        assert refusal is not None
        assert refusal.code == "content_id_unknown"
    twice = wrong_references(shown, [LOGO, LOGO])
    assert twice is not None
    assert twice.code == "attachment_invalid"


@pytest.mark.parametrize(
    "name",
    ["From", "bcc", "Subject", "List-Id", "Content-Type", "DKIM-Signature", "Feedback-ID", "Resent-To", "", "X:", "Ü"],
)
def test_what_we_write_cannot_be_set(name: str) -> None:
    """Nor can what is no name."""
    refusal = wrong_headers({name: "x"})
    assert refusal is not None
    assert (refusal.code, refusal.field) == ("header_not_allowed", "headers")


@pytest.mark.parametrize("value", ["a\r\nBcc: b@evil.example", "a\n", "a\0", "a\u2028b"])
def test_a_value_cannot_end_its_line(value: str) -> None:
    """No field is smuggled in."""
    refusal = wrong_headers({"X-Shop": value})
    assert refusal is not None
    assert refusal.code == "control_character"


def test_other_fields_are_free() -> None:
    """Up to a number, each once whatever its case."""
    assert wrong_headers({"X-Shop": "Ümläut", "Importance": "low"}) is None
    assert wrong_headers({"X-Shop": "a", "x-shop": "b"}) is not None
    assert wrong_headers({f"X-{n}": "a" for n in range(MAX_HEADERS + 1)}) is not None
    assert wrong_headers({"X-Shop": " "}) is not None
