"""What comes back for a mail that was really sent: made from its own bytes and its own envelope, as receivers do."""

from email import message_from_bytes
from email.utils import parseaddr

from tests.harness.smtp_log import Accepted


def not_delivered(mail: Accepted) -> bytes:
    """Return the delivery status (RFC 3464) that the mail's return path gets: there is no such address."""
    return _wire(
        f"""Return-Path: <>
Delivered-To: {mail.sender}
From: MAILER-DAEMON@mx.example.com (Mail Delivery System)
To: {mail.sender}
Subject: Undelivered Mail Returned to Sender
Auto-Submitted: auto-replied
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="=_r"

--=_r
Content-Type: text/plain; charset=utf-8

<{mail.recipient}>: host mx.example.com[192.0.2.9] said: 550 5.1.1 User unknown (in reply to RCPT TO command)
--=_r
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.example.com

Final-Recipient: rfc822; {mail.recipient}
Action: failed
Status: 5.1.1
Diagnostic-Code: smtp; 550 5.1.1 User unknown
--=_r
Content-Type: message/rfc822

""",
        mail.content,
        "\r\n--=_r--\r\n",
    )


def away(mail: Accepted) -> bytes:
    """Return what the machine of somebody on holiday answers (RFC 3834), to the return path."""
    return _wire(
        f"""Return-Path: <>
From: {mail.recipient}
To: {mail.sender}
Subject: Out of office: {_field(mail, "Subject")}
Auto-Submitted: auto-replied
In-Reply-To: {_field(mail, "Message-ID")}
Message-ID: <away.{mail.digest[:12]}@example.com>

I am on holiday until Monday.
"""
    )


def answered(mail: Accepted, words: str) -> bytes:
    """Return what a person answers, to the address that the mail came from."""
    return _wire(
        f"""Return-Path: <{mail.recipient}>
From: {mail.recipient}
To: {parseaddr(_field(mail, "From"))[1]}
Subject: Re: {_field(mail, "Subject")}
In-Reply-To: {_field(mail, "Message-ID")}
References: {_field(mail, "Message-ID")}
Message-ID: <answer.{mail.digest[:12]}@example.com>

{words}
"""
    )


def answered_back(mail: Accepted, words: str) -> bytes:
    """Return what a colleague writes to the person who answered, as it lies in the folder of sent mail."""
    return _wire(
        f"""From: {parseaddr(_field(mail, "From"))[1]}
To: {mail.recipient}
Subject: Re: {_field(mail, "Subject")}
In-Reply-To: <answer.{mail.digest[:12]}@example.com>
References: {_field(mail, "Message-ID")} <answer.{mail.digest[:12]}@example.com>
Message-ID: <sent.{mail.digest[:12]}@shop.example>

{words}
"""
    )


def complained(mail: Accepted) -> bytes:
    """Return the feedback report (RFC 5965) of a provider that takes out who complained."""
    head, gap, body = mail.content.partition(b"\r\n\r\n")
    redacted = head.replace(mail.recipient.encode(), b"redacted@example.com") + gap + body
    return _wire(
        """Return-Path: <fbl@provider.example>
From: <fbl@provider.example>
To: <abuse@shop.example>
Subject: FW: complaint
MIME-Version: 1.0
Content-Type: multipart/report; report-type=feedback-report; boundary="=_f"

--=_f
Content-Type: text/plain

This is an email abuse report.
--=_f
Content-Type: message/feedback-report

Feedback-Type: abuse
User-Agent: Provider/1.0
Version: 1
--=_f
Content-Type: message/rfc822

""",
        redacted,
        "\r\n--=_f--\r\n",
    )


def _field(mail: Accepted, name: str) -> str:
    return str(message_from_bytes(mail.content)[name])


def _wire(text: str, *more: bytes | str) -> bytes:
    rest = [part.encode() if isinstance(part, str) else part for part in more]
    return text.replace("\n", "\r\n").encode() + b"".join(rest)
