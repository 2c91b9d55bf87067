"""Mails that come back, read: kinds, recipients, reasons, in the formats of many mail systems."""

import pytest

from services.tracker.feedback.reading import read
from tests.spec.feedback import mails
from tests.spec.feedback.mails import Expected


@pytest.mark.parametrize("name", mails.ALL)
def test_a_mail_is_read_as_what_it_is(name: str) -> None:
    """Kind, addresses, reasons, and whether for good."""
    text, expected = mails.ALL[name]
    report = read(text.encode())
    found = tuple((each.address, each.reason, each.permanent) for each in report.recipients)
    assert Expected(report.kind, found) == expected


@pytest.mark.parametrize("name", mails.ALL)
def test_line_ends_and_mbox_lines_make_no_difference(name: str) -> None:
    """A mail with CRLF, and one from an mbox, is the same mail."""
    text, expected = mails.ALL[name]
    raw = b"From MAILER-DAEMON Mon Jan  5 10:00:00 2026\n" + text.encode()
    for variant in (text.encode().replace(b"\n", b"\r\n"), raw):
        report = read(variant)
        assert (report.kind, len(report.recipients)) == (expected.kind, len(expected.recipients))


def test_only_machine_readable_parts_count_as_standard() -> None:
    """What was made sense of by words is marked: it may not suppress alone."""
    assert all(read(text.encode()).standard for text, _ in mails.STANDARD.values())
    assert not any(read(mails.IN_WORDS[name][0].encode()).standard for name in ("qmail", "Exim", "Gmail"))


def test_a_feedback_report_says_its_type() -> None:
    """A retraction is told from a complaint."""
    assert read(mails.COMPLAINTS["not-spam is no complaint"][0].encode()).feedback_type == "not-spam"
    assert read(mails.COMPLAINTS["abuse"][0].encode()).feedback_type == "abuse"


def test_the_same_mail_has_the_same_digest() -> None:
    """A bounce that is fetched twice can count once."""
    text = mails.STANDARD["delayed"][0].encode()
    assert read(text).clues.digest == read(text).clues.digest != read(text + b"\n").clues.digest


def test_status_and_reply_code_are_both_kept() -> None:
    """They may contradict each other; both are shown."""
    report = read(mails.STANDARD["several recipients, each with its own fate"][0].encode())
    assert [(each.status, each.reply_code) for each in report.recipients] == [
        ("5.2.2", "552"),
        ("5.1.1", "550"),
        ("5.7.26", "550"),
    ]
