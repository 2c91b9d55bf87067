"""Mails that come back with tokens that the keys of the tests signed."""

from tests.harness.tracker import SIGNER

MADE_UP = "m1.0.7.AAAAAAAAAAAAAAAAAAAA"
"""The token of the invented mails: it has the right shape and no key signed it."""


def envelope_id(mailing: str = "m1", n: int = 0, index: int = 7) -> str:
    """Return the envelope id, which is also the local part of the Message-ID, of a mail of ours."""
    return SIGNER.recipient(mailing, n, index).partition(".")[2]


ENVELOPE_ID = envelope_id()


def proven(mail: str, token: str = ENVELOPE_ID) -> str:
    """Return the mail with a token of ours in the place of the made-up one."""
    return mail.replace(MADE_UP, token)


def arf(feedback_type: str, token: str = ENVELOPE_ID) -> str:
    """Return a feedback report (RFC 5965) from which the provider took the address out."""
    return f"""From: <abuse@provider.example>
To: <news@shop.example>
Subject: FW: News of January
MIME-Version: 1.0
Content-Type: multipart/report; report-type=feedback-report; boundary="=_f"

--=_f
Content-Type: text/plain

This is an email abuse report.
--=_f
Content-Type: message/feedback-report

Feedback-Type: {feedback_type}
User-Agent: SomeGenerator/1.0
Version: 1
Original-Mail-From: <redacted@bounces.shop.example>

--=_f
Content-Type: message/rfc822

From: Shop <news@shop.example>
To: redacted
Message-ID: <{token}@shop.example>
Subject: News of January

Hello
--=_f--
"""
