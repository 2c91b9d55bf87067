"""Mails that come back, in the formats of many mail systems, with invented people: what each must be read as.

A mail is its text; `Expected` names kind and, for each recipient, address, reason and whether it is for good.
"""

from typing import NamedTuple

RETURNED = """Return-Path: <b+k1.m1.0.7.0123456789abcdef@bounces.shop.example>
Received: from out.shop.example (out.shop.example [192.0.2.25]) by mx.relay.example; Mon, 5 Jan 2026 10:00:00 +0000
Message-ID: <m1.0.7.AAAAAAAAAAAAAAAAAAAA@shop.example>
Feedback-ID: m1:c1:a1:shop
From: Shop <news@shop.example>
To: {to}
Subject: News of January
Date: Mon, 5 Jan 2026 10:00:00 +0000
MIME-Version: 1.0

Hello
"""


class Expected(NamedTuple):
    """What a mail says; recipients are (address, reason, permanent)."""

    kind: str
    recipients: tuple[tuple[str, str, bool], ...] = ()


def header(sender: str, subject: str, *more: str) -> str:
    """Return the header of a mail to us."""
    fields = [f"From: {sender}", "To: news@shop.example", f"Subject: {subject}", *more]
    return "\n".join(fields) + "\n"


def dsn(words: str, blocks: str, *, to: str = "ann@example.com", kind: str = "delivery-status") -> str:
    """Return a report of RFC 3464 with the header of the mail it returns."""
    return (
        header(
            "MAILER-DAEMON@mx.relay.example (Mail Delivery System)",
            "Undelivered Mail Returned to Sender",
            "Return-Path: <>",
            "Auto-Submitted: auto-replied",
            "MIME-Version: 1.0",
            'Content-Type: multipart/report; report-type=delivery-status; boundary="=_b"',
        )
        + f"\n--=_b\nContent-Type: text/plain; charset=utf-8\n\n{words}\n"
        + f"--=_b\nContent-Type: message/{kind}\n\nReporting-MTA: dns; mx.relay.example\n"
        + f"Original-Envelope-Id: m1.0.7.AAAAAAAAAAAAAAAAAAAA\n\n{blocks}\n"
        + f"--=_b\nContent-Type: text/rfc822-headers\n\n{RETURNED.format(to=to).partition(chr(10) * 2)[0]}\n--=_b--\n"
    )


def block(address: str, action: str, status: str, diagnostic: str = "") -> str:
    """Return the block of one recipient."""
    lines = [f"Final-Recipient: rfc822; {address}", f"Action: {action}", f"Status: {status}"]
    return "\n".join([*lines, f"Diagnostic-Code: {diagnostic}"] if diagnostic else lines) + "\n"


def one(reason: str, *, permanent: bool = False, address: str = "ann@example.com", kind: str = "bounce") -> Expected:
    """Expect one recipient."""
    return Expected(kind, ((address, reason, permanent),))


_RETURNED = RETURNED.format(to="ann@example.com")

STANDARD: dict[str, tuple[str, Expected]] = {
    "postfix, no such user": (
        dsn(
            "<ann@example.com>: host mx.example.com[192.0.2.9] said: 550 5.1.1\n    <ann@example.com>: Recipient"
            " address rejected: User unknown in local\n    recipient table (in reply to RCPT TO command)",
            block(
                "ann@example.com", "failed", "5.1.1", "smtp; 550 5.1.1 <ann@example.com>: Recipient address rejected"
            ),
        ),
        one("user-unknown", permanent=True),
    ),
    "postfix, no such user without a code for it": (
        dsn(
            "<ann@example.com>: host mx.example.com[192.0.2.9] said: 550 Unknown user\n"
            "    (in reply to RCPT TO command)",
            block("ann@example.com", "failed", "5.0.0", "smtp; 550 Unknown user"),
        ),
        one("user-unknown", permanent=True),
    ),
    "no such user, but said after the mail": (
        dsn(
            "<ann@example.com>: host mx.example.com[192.0.2.9] said: 550 Unknown user (in reply\n"
            "    to end of DATA command)",
            block("ann@example.com", "failed", "5.0.0", "smtp; 550 Unknown user"),
        ),
        one("filtered"),
    ),
    "several recipients, each with its own fate": (
        dsn(
            "two failed",
            block("ann@example.com", "failed", "5.2.2", "smtp; 552 5.2.2 Mailbox full")
            + "\n"
            + block("bob@example.com", "failed", "5.1.1", "smtp; 550 5.1.1 No such user")
            + "\n"
            + block("eve@example.com", "failed", "5.7.26", "smtp; 550 5.7.26 Unauthenticated email is not accepted"),
        ),
        Expected(
            "bounce",
            (
                ("ann@example.com", "mailbox-full", False),
                ("bob@example.com", "user-unknown", True),
                ("eve@example.com", "authentication", False),
            ),
        ),
    ),
    "delayed": (
        dsn("still trying", block("ann@example.com", "delayed", "4.4.1", "smtp; connect to mx: Connection timed out")),
        one("expired", kind="delayed"),
    ),
    "delivered": (
        dsn("it arrived", block("ann@example.com", "delivered", "2.1.5", "smtp; 250 2.1.5 Ok")),
        one("delivered", kind="delivered"),
    ),
    "an address that is not ASCII (RFC 6533)": (
        dsn(
            "nobody there",
            "Final-Recipient: utf-8; j\\x{00F8}rn@example.com\nAction: failed\nStatus: 5.1.1\n",
            kind="global-delivery-status",
        ),
        one("user-unknown", permanent=True, address="jørn@example.com"),
    ),
    "the address we gave, not the one it was forwarded to": (
        dsn(
            "forwarded",
            "Original-Recipient: rfc822;ann@example.com\n" + block("ann@elsewhere.example", "failed", "5.1.1"),
        ),
        one("user-unknown", permanent=True),
    ),
    "a program behind the address": (
        dsn("", block("ann@example.com", "failed", "5.0.0", "x-unix; 127")),
        one("mailer"),
    ),
    "blocks run together": (
        dsn(
            "",
            "Final-Recipient: rfc822; ann@example.com\nAction: failed\nStatus: 5.1.1\n"
            "Final-Recipient: rfc822; bob@example.com\nAction: failed\nStatus: 5.2.2\n",
        ),
        Expected("bounce", (("ann@example.com", "user-unknown", True), ("bob@example.com", "mailbox-full", False))),
    ),
    "a block without an address": (
        dsn("", "Action: failed\nStatus: 5.1.1\n"),
        one("user-unknown", permanent=True),
    ),
    "a code of 4xx is never for good": (
        dsn("", block("ann@example.com", "failed", "4.1.1", "smtp; 450 4.1.1 User unknown for now")),
        one("user-unknown"),
    ),
    "Exchange": (
        dsn(
            "ann wasn't found at example.com.",
            block(
                "ann@example.com",
                "failed",
                "5.1.10",
                "smtp;550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient not found by SMTP address lookup",
            ),
        ),
        one("user-unknown", permanent=True),
    ),
    "PowerMTA": (
        dsn(
            "",
            block("ann@example.com", "failed", "5.0.0", "smtp;550 no") + "X-PowerMTA-BounceCategory: bad-mailbox\n",
        ),
        one("user-unknown", permanent=True),
    ),
    "null MX": (
        dsn("", block("ann@example.com", "failed", "5.1.10", "smtp; 556 5.1.10 Recipient address has null MX")),
        one("null-mx", permanent=True),
    ),
}

IN_WORDS: dict[str, tuple[str, Expected]] = {
    "qmail": (
        header("MAILER-DAEMON@mx.relay.example", "failure notice")
        + "\nHi. This is the qmail-send program at mx.relay.example.\nI'm afraid I wasn't able to deliver your"
        " message to the following addresses.\nThis is a permanent error; I've given up. Sorry it didn't work out.\n\n"
        "<ann@example.com>:\n192.0.2.9 does not like recipient.\nRemote host said: 550 5.1.1 no such user here\n"
        "Giving up on 192.0.2.9.\n\n<bob@example.com>:\nSorry, no mailbox here by that name. (#5.1.1)\n\n"
        "--- Below this line is a copy of the message.\n\n" + _RETURNED,
        Expected("bounce", (("ann@example.com", "user-unknown", True), ("bob@example.com", "user-unknown", True))),
    ),
    "Exim": (
        header(
            "Mail Delivery System <Mailer-Daemon@mx.relay.example>", "Mail delivery failed: returning message to sender"
        )
        + "\nThis message was created automatically by mail delivery software.\n\nA message that you sent could not be"
        " delivered to one or more of its\nrecipients. This is a permanent error. The following address(es) failed:\n\n"
        "  ann@example.com\n    host mx.example.com [192.0.2.9]\n    SMTP error from remote mail server after RCPT"
        " TO:<ann@example.com>:\n    552 5.2.2 mailbox is over quota\n\n"
        "------ This is a copy of the message, including all the headers. ------\n\n" + _RETURNED,
        one("mailbox-full"),
    ),
    "a transcript of sendmail": (
        header("Mail Delivery Subsystem <MAILER-DAEMON@mx.relay.example>", "Returned mail: see transcript for details")
        + "\n   ----- Transcript of session follows -----\n... while talking to mx.example.com.:\n"
        ">>> RCPT To:<ann@example.com>\n<<< 550 5.7.1 Relaying denied\n550 5.7.1 <ann@example.com>... Relaying denied\n"
        ">>> RCPT To:<bob@example.com>\n<<< 550 no such mailbox\n550 5.1.1 <bob@example.com>... User unknown\n\n"
        "   ----- Unsent message follows -----\n" + _RETURNED,
        Expected("bounce", (("ann@example.com", "relaying", False), ("bob@example.com", "user-unknown", True))),
    ),
    "Gmail": (
        header(
            "Mail Delivery Subsystem <mailer-daemon@relay.example>",
            "Delivery Status Notification (Failure)",
            "X-Failed-Recipients: ann@example.com",
            "Auto-Submitted: auto-replied",
        )
        + "\nDelivery to the following recipient failed permanently:\n\n     ann@example.com\n\nTechnical details of"
        " permanent failure:\nThe error that the other server returned was:\n"
        "550 5.1.1 <ann@example.com>: user unknown\n\n"
        "----- Original message -----\n\n" + _RETURNED,
        one("user-unknown", permanent=True),
    ),
    "a warning": (
        header("postmaster@relay.example", "Warning: could not send message for past 4 hours")
        + "\nTHIS IS A WARNING MESSAGE ONLY. YOU DO NOT NEED TO RESEND YOUR MESSAGE.\n\n"
        "<ann@example.com>: connect to mx.example.com: Connection timed out\n\nWill keep trying for 4 days.\n\n"
        + _RETURNED,
        one("expired", kind="delayed"),
    ),
    "German, as HTML, in base64": (
        header(
            "Postmaster <postmaster@relay.example>",
            "Unzustellbar: News",
            "MIME-Version: 1.0",
            "Content-Type: text/html; charset=utf-8",
            "Content-Transfer-Encoding: quoted-printable",
        )
        + "\n<style>p {color: red}</style><p>Ihre Nachricht an <b>ann@example.com</b> wurde nicht zugestellt:</p>"
        "<p>Das Postfach des Empf=C3=A4ngers ist voll.</p>\n",
        one("mailbox-full"),
    ),
    "a warning of Exim": (
        header("Mailer-Daemon@relay.example", "Warning: message 1abc delayed 24 hours")
        + "\nA message that you sent has not yet been delivered to one or more of its\nrecipients after more"
        " than 24 hours.\n\nThe address to which the message has not yet been delivered is:\n\n  ann@example.com\n"
        "    Delay reason: Connection refused\n",
        one("network", kind="delayed"),
    ),
    "a list that takes mail of members only": (
        header("Mail Delivery Subsystem <mailer-daemon@relay.example>", "Undeliverable: News")
        + "\nTo: <list@example.com>\nYou do not have permission to post messages to the group.\n\n"
        + _RETURNED,
        one("bad-sender", address="list@example.com"),
    ),
    "no address but that of the returned mail": (
        header("postmaster@relay.example", "Undeliverable mail")
        + "\nYour message was refused: message size exceeds fixed maximum message size.\n\n"
        + _RETURNED,
        one("too-large"),
    ),
    "Exchange 2003": (
        header("System Administrator <postmaster@relay.example>", "Undeliverable: News")
        + "\nYour message\n\n  To:      ann@example.com\n  Subject: News\n  Sent:    Mon, 5 Jan 2026 10:00:00 +0000\n\n"
        "did not reach the following recipient(s):\n\nann@example.com on Mon, 5 Jan 2026 10:00:01 +0000\n    The e-mail"
        " account does not exist at the organization this message was sent to.\n",
        one("user-unknown", permanent=True),
    ),
    "GMX": (
        header(
            '"Mail Delivery System" <mailer-daemon@relay.example>', "Mail delivery failed: returning message to sender"
        )
        + '\nThe following address failed:\n\n"ann@example.com":\nSMTP error from remote server after RCPT command:\n'
        "host: mx.example.com\n<ann@example.com>... User Unknown\n\n"
        "--- The header of the original message is following. ---\n\n" + _RETURNED,
        one("user-unknown", permanent=True),
    ),
    "Yahoo": (
        header("MAILER-DAEMON@relay.example", "Failure Notice")
        + "\nSorry, we were unable to deliver your message to the following address.\n\n<ann@example.com>:\n"
        "Remote host said: 550 <ann@example.com>: no such recipient [RCPT_TO]\n\n--- Below this line is a copy of the"
        " message.\n\n" + _RETURNED,
        one("user-unknown", permanent=True),
    ),
    "one in another": (
        header("gateway@shop.example", "Fwd: failure notice", "MIME-Version: 1.0", "Content-Type: message/rfc822")
        + "\n"
        + dsn("", block("ann@example.com", "failed", "5.1.6", "smtp; 550 5.1.6 moved")),
        one("moved", permanent=True),
    ),
    "Amazon SES by SNS": (
        header("no-reply@sns.example", "AWS Notification Message")
        + '\n{"notificationType":"Bounce","bounce":{"bounceType":"Permanent","bouncedRecipients":[{"emailAddress":'
        '"ann@example.com","action":"failed","status":"5.1.1","diagnosticCode":"smtp; 550 5.1.1 user unknown"}]},'
        '"mail":{"messageId":"1"}}\n\n--\nIf you wish to stop receiving notifications\n',
        one("user-unknown", permanent=True),
    ),
}


def _arf(fields: str, original: str) -> str:
    return (
        header(
            "feedback@provider.example",
            "FW: News",
            "MIME-Version: 1.0",
            'Content-Type: multipart/report; report-type=feedback-report; boundary="=_f"',
        )
        + "\n--=_f\nContent-Type: text/plain\n\nThis is an email abuse report.\n"
        + f"--=_f\nContent-Type: message/feedback-report\n\n{fields}\n"
        + f"--=_f\nContent-Type: message/rfc822\n\n{original}\n--=_f--\n"
    )


_HIDDEN = RETURNED.format(to="undisclosed")

COMPLAINTS: dict[str, tuple[str, Expected]] = {
    "abuse": (
        _arf("Feedback-Type: abuse\nUser-Agent: P/1\nVersion: 1\nOriginal-Rcpt-To: <ann@example.com>\n", _RETURNED),
        one("feedback", kind="complaint"),
    ),
    "abuse of two": (
        _arf("Feedback-Type: abuse\nOriginal-Rcpt-To: ann@example.com\nOriginal-Rcpt-To: bob@example.com\n", _RETURNED),
        Expected("complaint", (("ann@example.com", "feedback", False), ("bob@example.com", "feedback", False))),
    ),
    "the address taken out": (
        _arf("Feedback-Type: abuse\nUser-Agent: P/1\nVersion: 1\n", _HIDDEN),
        one("feedback", kind="complaint", address=""),
    ),
    "not-spam is no complaint": (
        _arf("Feedback-Type: not-spam\nOriginal-Rcpt-To: ann@example.com\n", _RETURNED),
        one("feedback", kind="other"),
    ),
    "auth-failure is no complaint": (
        _arf("Feedback-Type: auth-failure\nOriginal-Rcpt-To: ann@example.com\n", _RETURNED),
        one("feedback", kind="other"),
    ),
}

_ANN = one("vacation", kind="auto-reply")

ANSWERS: dict[str, tuple[str, Expected]] = {
    "RFC 3834": (header("ann@example.com", "Re: News", "Auto-Submitted: auto-replied") + "\nI am away.\n", _ANN),
    "before RFC 3834": (header("ann@example.com", "Re: News", "Precedence: auto_reply") + "\nI am away.\n", _ANN),
    "by its subject, German": (header("ann@example.com", "Abwesenheitsnotiz: News") + "\nBin im Urlaub.\n", _ANN),
    "by its subject, encoded": (
        header("ann@example.com", "=?utf-8?B?zpHPhc+Ez4zOvM6xz4TOtyDOsc+AzqzOvc+EzrfPg863?=") + "\nΛείπω.\n",
        _ANN,
    ),
    "from nobody, about ours": (
        header("ann@example.com", "Re: News", "Return-Path: <>", "In-Reply-To: <m1.0.7.A@shop.example>") + "\nAway.\n",
        _ANN,
    ),
    "an answer that calls itself junk": (
        header("ann@example.com", "Re: News", "Precedence: junk") + "\nWe will answer soon.\n",
        _ANN,
    ),
    "a person": (
        header("ann@example.com", "Re: News", "In-Reply-To: <m1.0.7.A@shop.example>") + "\nThank you!\n",
        Expected("reply"),
    ),
    "a person, without threads, Greek": (header("ann@example.com", "ΑΠ: News") + "\nΓεια\n", Expected("reply")),  # noqa: RUF001
    "a person who writes of a bounce": (
        header("ann@example.com", "Re: Undelivered Mail Returned to Sender") + "\nI got this: 550 user unknown\n",
        Expected("reply"),
    ),
    "a newsletter": (
        header("list@example.com", "Offers", "List-Id: <x.example>", "Precedence: bulk") + "\nBuy!\n",
        Expected("other"),
    ),
    "a letter": (header("ann@example.com", "Hello") + "\nDo you sell tea?\n", Expected("other")),
    "nothing": ("", Expected("other")),
}

ALL = STANDARD | IN_WORDS | COMPLAINTS | ANSWERS
