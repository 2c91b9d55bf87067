"""What no person wrote: marks of automatic mail (RFC 3834 and what came before it), in fields and in subjects."""

from typing import Literal

from services.tracker.feedback.mime import Part
from services.tracker.feedback.phrases import pattern

Voice = Literal["answer", "automat", "person"]
"""An automatic answer to a mail, other mail by machines, or a person."""

_ANSWER_FIELDS = (
    "x-autoreply", "x-autorespond", "x-autoresponder", "x-auto-reply", "x-autoreply-from", "x-mail-autoreply",
    "x-vacation", "x-autoreply-domain", "x-ms-exchange-inbox-rules-loop",
)  # fmt: skip
_ANSWER_PRECEDENCE = ("auto_reply", "auto-reply", "autoreply", "vacation")
_AUTOMAT_PRECEDENCE = ("bulk", "junk", "list")
_LIST_FIELDS = ("list-id", "list-unsubscribe", "list-post", "list-help", "x-mailing-list", "x-loop", "feedback-id")

ANSWER_SUBJECT = pattern("answer_subjects", r"^\W{0,4}(?:(?:re|aw|fwd?|sv|antw|automatic|auto)\s*:\s*)?")
REPLY_SUBJECT = pattern("reply_prefixes", r"^\s*", r"(?:\[\d+\])?\s?[:\uff1a]")


def voice(mail: Part) -> Voice:
    """Return who speaks."""
    submitted = mail.get("auto-submitted").partition(";")[0].strip().lower()
    precedence = mail.get("precedence").strip().lower()
    if (
        submitted == "auto-replied"
        or precedence in _ANSWER_PRECEDENCE
        or any(name in mail.fields for name in _ANSWER_FIELDS)
    ):
        return "answer"
    if ANSWER_SUBJECT.match(mail.text("subject")):
        return "answer"
    if submitted not in ("", "no"):
        return "answer" if answers(mail) else "automat"
    if mail.get("return-path").strip() == "<>" and answers(mail):
        return "answer"
    if any(name in mail.fields for name in _LIST_FIELDS):
        return "automat"
    if precedence in _AUTOMAT_PRECEDENCE:
        return "answer" if answers(mail) else "automat"
    return "person"


def answers(mail: Part) -> bool:
    """Whether the mail says that it answers one."""
    return (
        "in-reply-to" in mail.fields
        or "references" in mail.fields
        or REPLY_SUBJECT.match(mail.text("subject")) is not None
    )
