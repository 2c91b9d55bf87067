"""Journal of what came back (`evt.feedback.<p>`, written by the tracker): bounces, complaints, answers.

No address and no words: an address is its keyed hash, what a person wrote stands in PEOPLE under `note`. Event ids
derive from the digest of the mail or from the provider's event, so the same thing twice has the same id and counts
once. `proven` says by what our mail was recognised; without it nothing may be concluded for an address.
"""

from typing import ClassVar, Literal

from pydantic import Field

from shared.contracts.envelope import DomainEvent

Proven = Literal["", "return-path", "envelope-id", "message-id", "provider"]
"""By a token that our keys signed, and where it stood; by a provider whose signature was checked; or not at all."""

Scope = Literal["address", "domain", "sender", "content", "us", "unknown"]
"""Whose fault it is."""


class Answer(DomainEvent):
    """Something that came back; attributes of all of them.

    Attributes:
        source: How it reached us: `file`, `imap:<mailbox>`, `lmtp`, or the name of a provider.
        mailing: Mailing of the mail that came back; empty where no token names it, as are `n` and `index`.
        address_key: Whom the report names, or who answers; empty where that is not said.
    """

    source: str
    proven: Proven = ""
    mailing: str = ""
    n: int | None = None
    index: int | None = None
    address_key: str = Field(default="", pattern=r"^(?:[0-9a-f]{16})?$")


class BounceReceived(Answer):
    """A mail was not delivered, is late, or was delivered, says a mail system.

    Attributes:
        permanent: Whether the address will not be reached by trying again.
        standard: Whether a machine-readable report says so, rather than words that were made sense of.
        recipients: How many the report names; each has an event of its own.
    """

    TYPE: ClassVar[str] = "feedback.bounce_received/1"

    kind: Literal["bounce", "delayed", "delivered"]
    reason: str = Field(pattern=r"^[a-z0-9-]{1,40}$")
    scope: Scope
    permanent: bool = False
    status: str = Field(default="", pattern=r"^(?:[245]\.\d{1,3}\.\d{1,3})?$")
    reply_code: str = Field(default="", pattern=r"^(?:[2-5]\d\d)?$")
    standard: bool = False
    recipients: int = 1


class ComplaintReceived(Answer):
    """A person complained; `opt-out` only asks for no more mail, `not-spam` takes a complaint back."""

    TYPE: ClassVar[str] = "feedback.complaint_received/1"

    feedback_type: str = Field(pattern=r"^[a-z0-9-]{1,40}$")
    recipients: int = 1


class ReplyReceived(Answer):
    """A person answered; the words stand in PEOPLE."""

    TYPE: ClassVar[str] = "feedback.reply_received/1"

    note: str = ""


class AutoReplyReceived(Answer):
    """A machine answered: no reply of a person, and nothing that is ever answered."""

    TYPE: ClassVar[str] = "feedback.auto_reply_received/1"

    note: str = ""


class AnswerSent(Answer):
    """One of us wrote to the person about the mail, by a mail program; the words stand in PEOPLE."""

    TYPE: ClassVar[str] = "feedback.answer_sent/1"

    note: str = ""


def kind_of(event: Answer) -> str:
    """Return what it is in a word; `not-spam` and `opt-out` are complaints by their form only."""
    match event:
        case BounceReceived():
            return event.kind
        case ComplaintReceived():
            return event.feedback_type if event.feedback_type in ("not-spam", "opt-out") else "complaint"
        case ReplyReceived():
            return "reply"
        case AnswerSent():
            return "answer-sent"
        case _:
            return "auto-reply"


def sign_of(event: DomainEvent) -> str:
    """Return what the event shows of a mail of ours beyond doubt: that a mail system had taken it; "" for nothing."""
    if (
        not isinstance(event, Answer)
        or isinstance(event, AnswerSent)
        or not event.proven
        or event.n is None
        or event.index is None
    ):
        return ""
    return "complaint" if isinstance(event, ComplaintReceived) else kind_of(event)


EVENTS = (BounceReceived, ComplaintReceived, ReplyReceived, AutoReplyReceived, AnswerSent)
