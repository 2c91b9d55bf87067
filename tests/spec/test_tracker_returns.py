"""What came back, from bytes to the commit that goes into the log: proven by our tokens or not, no address, once."""

from datetime import UTC, datetime

import pytest

from services.tracker.entries import Entry, decode, encode
from services.tracker.feedback.clues import verify
from services.tracker.feedback.reading import read
from services.tracker.feedback.report import Clues, Recipient, Report
from services.tracker.feedback.written import MAX_WORDS, written
from services.tracker.returns import Returned, entry_of
from shared.contracts import subjects
from shared.contracts.feedback import AnswerSent, AutoReplyReceived, BounceReceived, ComplaintReceived, ReplyReceived
from tests.harness.returned import ENVELOPE_ID, arf, proven
from tests.harness.tracker import RING
from tests.spec.feedback.mails import block, dsn, header

AT = datetime(2026, 11, 28, 5, 0, tzinfo=UTC)
ANN = RING.address_key("ann@example.com")
WHO = {"mailing": "m1", "n": 0, "index": 7}


def _taken(mail: str | bytes, source: str = "file") -> Entry | None:
    raw = mail.encode() if isinstance(mail, str) else mail
    report = read(raw)
    words = written(raw) if report.kind in ("reply", "auto-reply") else None
    return entry_of(Returned(report, source, verify(report.clues, RING), written=words), AT, RING.address_key)


def _entry(mail: str | bytes, source: str = "file") -> Entry:
    entry = _taken(mail, source)
    assert entry is not None
    assert decode(encode(entry)) == entry, "it can wait in the spool"
    return entry


GONE = block("ann@example.com", "failed", "5.1.1", "smtp; 550 5.1.1 User unknown")


def test_a_bounce_that_a_token_proves() -> None:
    """It names mailing, chunk and recipient, the address as hash alone, reason and codes."""
    entry = _entry(proven(dsn("sorry", GONE)), "imap:Box 1")
    assert entry.events == (
        BounceReceived(
            **WHO, source="imap:box1", proven="envelope-id", address_key=ANN, kind="bounce", reason="user-unknown",
            scope="address", permanent=True, status="5.1.1", reply_code="550", standard=True,
        ),
    )  # fmt: skip
    assert entry.subject == subjects.feedback(subjects.partition(ANN))
    assert entry.precious
    assert b"ann@" not in encode(entry)


def test_a_forged_token_proves_nothing() -> None:
    """Row 71: the bounce is recorded, but for nobody's mail."""
    entry = _entry(dsn("sorry", GONE))
    (event,) = entry.events
    assert isinstance(event, BounceReceived)
    assert (event.proven, event.mailing, event.n, event.index) == ("", "", None, None)


def test_several_recipients_are_an_event_each() -> None:
    """Row 72: one commit; who is named twice counts once."""
    two = GONE + "\n" + block("bob@example.com", "failed", "4.2.2", "smtp; 452 4.2.2 full") + "\n" + GONE
    events = _entry(proven(dsn("sorry", two))).events
    assert all(isinstance(event, BounceReceived) and event.recipients == 2 for event in events)
    assert [getattr(event, "address_key", "") for event in events] == [ANN, RING.address_key("bob@example.com")]


def test_the_same_mail_again_is_the_same_commit() -> None:
    """Whatever the way in, the ids derive from the bytes."""
    mail = proven(dsn("sorry", GONE))
    assert _entry(mail).origin.command_id == _entry(mail, "lmtp").origin.command_id
    assert _entry(mail).origin.command_id != _entry(mail.replace("sorry", "so sorry")).origin.command_id


@pytest.mark.parametrize(
    ("action", "status", "kind"), [("delayed", "4.4.1", "delayed"), ("delivered", "2.0.0", "delivered")]
)
def test_delays_and_success_are_no_bounces(action: str, status: str, kind: str) -> None:
    """They keep their kind and are never for good."""
    (event,) = _entry(proven(dsn("x", block("ann@example.com", action, status)))).events
    assert isinstance(event, BounceReceived)
    assert (event.kind, event.permanent) == (kind, False)


@pytest.mark.parametrize("feedback_type", ["abuse", "not-spam", "opt-out"])
def test_a_complaint_without_its_recipient(feedback_type: str) -> None:
    """Row 76: the address was taken out, the signed id of the returned mail tells who it was."""
    (event,) = _entry(arf(feedback_type)).events
    assert event == ComplaintReceived(**WHO, source="file", proven="message-id", feedback_type=feedback_type)


def test_a_report_on_authentication_is_no_complaint() -> None:
    """It is read, and not recorded."""
    assert _taken(arf("auth-failure")) is None


def test_a_reply_keeps_its_words_for_people_alone() -> None:
    """The event has the key of the note; control characters and endless texts are cut."""
    mail = header("Ann <ann@example.com>", "Re: News", f"In-Reply-To: <{ENVELOPE_ID}@shop.example>")
    entry = _entry(mail + "\nPlease call me.\x07\x00\n" + "x" * 10_000)
    assert entry.note is not None
    assert entry.events == (
        ReplyReceived(**WHO, source="file", proven="message-id", address_key=ANN, note=entry.note.key),
    )
    assert entry.note.text.startswith("Re: News\n\nPlease call me.\nxxx")
    assert len(entry.note.text) == MAX_WORDS


def test_what_one_of_us_sent_is_no_reply() -> None:
    """It is recorded where it is about a mail of ours; what else lies in that folder is nobody's business."""

    def sent(mail: str) -> Entry | None:
        raw = mail.encode()
        report = read(raw)
        returned = Returned(report, "imap:b", verify(report.clues, RING), written=written(raw), sent=True)
        return entry_of(returned, AT, RING.address_key)

    answer = header("News <news@shop.example>", "Re: News", f"References: <{ENVELOPE_ID}@shop.example> <x@example.com>")
    entry = sent(answer + "\nI called you.\n")
    assert entry is not None
    (event,) = entry.events
    assert event == AnswerSent(source="imap:b", proven="message-id", note=entry.note.key if entry.note else "?", **WHO)
    assert sent(header("News <news@shop.example>", "Re: lunch", "In-Reply-To: <a@b.example>") + "\nYes.\n") is None
    assert sent(proven(dsn("sorry", GONE))) is None


def test_an_out_of_office_is_no_reply() -> None:
    """Row 74: it is an event of its own kind."""
    answer = header("ann@example.com", "Out of office", "Auto-Submitted: auto-replied",
                    f"In-Reply-To: <{ENVELOPE_ID}@shop.example>")  # fmt: skip
    (event,) = _entry(answer + "\nBack on Monday\n").events
    assert isinstance(event, AutoReplyReceived)
    assert event.address_key == ANN


def test_mail_that_goes_in_circles_is_nobodys_reply() -> None:
    """Row 74: what a list answers by itself is an automatic answer; a mail of our own that comes back is no answer."""
    reference = f"In-Reply-To: <{ENVELOPE_ID}@shop.example>"
    listed = header("list@example.com", "Re: News", "Precedence: list", "Auto-Submitted: auto-generated", reference)
    (event,) = _entry(listed + "\nYour mail waits for the moderator.\n").events
    assert isinstance(event, AutoReplyReceived)
    own = header(
        "news@shop.example", "News", f"Message-ID: <{ENVELOPE_ID}@shop.example>", "List-Id: <news.shop.example>"
    )
    assert _taken(own + "\nHello Ann\n") is None


def test_a_letter_and_a_newsletter_are_not_recorded() -> None:
    """What answers nothing is nobody's feedback."""
    assert _taken(header("ann@example.com", "Hello") + "\nHow are you?\n") is None
    assert _taken(header("news@other.example", "News", "List-Id: <news.other.example>") + "\nBuy!\n") is None


def test_what_a_provider_says_is_proven_by_the_provider() -> None:
    """Its event gives the id; a token beside it names the mailing; codes that are none are left out."""
    report = Report(
        "bounce",
        (Recipient("Ann@Example.com", "user-unknown", "5.1.1 no", "55"),),
        standard=True,
        clues=Clues(digest="event-1", message_ids=(f"{ENVELOPE_ID}@shop.example",)),
    )
    told = Returned(report, "ses", verify(report.clues, RING), provider=True)
    entry = entry_of(told, AT, RING.address_key)
    assert entry is not None
    (event,) = entry.events
    assert isinstance(event, BounceReceived)
    assert (event.proven, event.mailing, event.address_key, event.status, event.reply_code) == (
        "provider",
        "m1",
        ANN,
        "",
        "",
    )
