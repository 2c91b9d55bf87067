"""Rows 33 and 34: what a relay cannot take is not sent to it, and what it offers is used."""

from dataclasses import replace

import pytest

from services.sender.replies.reply import Phase, classify
from services.sender.smtp.link import Capabilities
from services.sender.smtp.offers import OURS, fit
from services.sender.smtp.window import Mail, Result

PLAIN = Mail(3, b"a@example.com", b"b@example.com", b"Subject: x\r\n\r\nhello\r\n.\r\n")
UMLAUT = Mail(3, b"a@example.com", "jörg@example.com".encode(), "To: jörg\r\n\r\nx\r\n.\r\n".encode())
SIZE = len(PLAIN.message) - 3
BARE = b"MAIL FROM:<a@example.com>\r\nRCPT TO:<b@example.com>\r\nDATA\r\n"


def test_33_the_size_is_declared_where_it_is_wanted() -> None:
    """SIZE= goes to MAIL alone, and only to a relay that knows it."""
    assert fit(PLAIN, Capabilities()) == BARE
    declared = fit(PLAIN, Capabilities(declares_size=True))
    assert declared == b"MAIL FROM:<a@example.com> SIZE=%d\r\nRCPT TO:<b@example.com>\r\nDATA\r\n" % SIZE


def test_reports_are_asked_for_where_they_are_offered() -> None:
    """RET and ENVID go to MAIL, NOTIFY and ORCPT to RCPT."""
    mail = replace(PLAIN, mail_id=b"m1.3.7.x")
    assert fit(mail, Capabilities()) == BARE
    assert fit(mail, Capabilities(extensions=("dsn",))) == (
        b"MAIL FROM:<a@example.com> RET=HDRS ENVID=m1.3.7.x\r\n"
        b"RCPT TO:<b@example.com> NOTIFY=FAILURE,DELAY ORCPT=rfc822;b@example.com\r\nDATA\r\n"
    )


@pytest.mark.parametrize(
    ("mail", "offered", "code", "enhanced", "scope"),
    [
        pytest.param(
            PLAIN, Capabilities(declares_size=True, size=SIZE - 1), 552, "5.3.4", "content", id="33 too large"
        ),
        pytest.param(UMLAUT, Capabilities(smtputf8=True), 553, "5.6.7", "unknown", id="34 no 8BITMIME"),
        pytest.param(UMLAUT, Capabilities(eight_bit=True), 553, "5.6.7", "unknown", id="34 no SMTPUTF8"),
    ],
)
def test_what_the_relay_cannot_take_is_refused_for_good(
    mail: Mail, offered: Capabilities, code: int, enhanced: str, scope: str
) -> None:
    """The refusal has the code a relay would give, says that it is ours, and blames no address."""
    refused = fit(mail, offered)
    assert isinstance(refused, Result)
    assert (refused.index, refused.phase, refused.code, refused.enhanced) == (3, Phase.MAIL, code, enhanced)
    assert refused.reason == OURS
    verdict = classify(refused.phase, refused.code, refused.enhanced, refused.text)
    assert (verdict.outcome, verdict.scope) == ("rejected", scope)


def test_33_a_message_of_just_the_size_goes() -> None:
    """The limit counts what is sent, without the final dot."""
    assert isinstance(fit(PLAIN, Capabilities(declares_size=True, size=SIZE)), bytes)


def test_34_the_parameters_follow_from_the_bytes() -> None:
    """A local part beyond ASCII asks for SMTPUTF8 and what that needs, a plain mail for nothing."""
    able = Capabilities(eight_bit=True, smtputf8=True)
    assert fit(PLAIN, able) == BARE
    assert b"MAIL FROM:<a@example.com> BODY=8BITMIME SMTPUTF8\r\n" in bytes_of(fit(UMLAUT, able))


def bytes_of(fitted: bytes | Result) -> bytes:
    """Return the envelope."""
    assert isinstance(fitted, bytes)
    return fitted
