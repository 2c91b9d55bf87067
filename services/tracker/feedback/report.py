"""What a mail that came back says, as values."""

from dataclasses import dataclass, field
from typing import Literal

from services.tracker.feedback.reasons import REASONS, Reason, Scope

Kind = Literal["bounce", "delayed", "complaint", "auto-reply", "reply", "delivered", "other"]


@dataclass(frozen=True, slots=True)
class Recipient:
    """What is said of one address.

    Attributes:
        address: As the report gives it, domain in lower case; "" where it was taken out.
        status: Enhanced status code (RFC 3463), "" where none is given.
        reply_code: SMTP reply code, "" where none is given.
        reason: See `reasons.REASONS`.
    """

    address: str
    reason: Reason
    status: str = ""
    reply_code: str = ""

    @property
    def scope(self) -> Scope:
        """Whose fault it is."""
        return REASONS[self.reason].scope

    @property
    def permanent(self) -> bool:
        """Whether this address will not be reached by trying again."""
        temporary = self.status.startswith("4") or self.reply_code.startswith("4")
        return REASONS[self.reason].permanent and not temporary


@dataclass(frozen=True, slots=True)
class Clues:
    """What may tell which mail of ours is answered; nothing of it is believed before `clues.verify`.

    Attributes:
        return_paths: Local parts to which the mail came that look like return paths of ours.
        envelope_ids: Original-Envelope-Id of the report.
        message_ids: Message-ID of the returned mail, then those of In-Reply-To and References.
        feedback_ids: Feedback-ID of the returned mail.
        addresses: Whom the returned mail was for, where the report does not say.
        digest: SHA-256 of the mail in hexadecimal: the same mail twice counts once.
    """

    return_paths: tuple[str, ...] = ()
    envelope_ids: tuple[str, ...] = ()
    message_ids: tuple[str, ...] = ()
    feedback_ids: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()
    digest: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    """One mail, read.

    Attributes:
        standard: Whether a machine-readable part said it (RFC 3464, 5965), rather than words that were made sense of.
        feedback_type: Of a feedback report: abuse, fraud, virus, other, not-spam, auth-failure, opt-out.
    """

    kind: Kind
    recipients: tuple[Recipient, ...] = ()
    standard: bool = False
    feedback_type: str = ""
    clues: Clues = field(default_factory=Clues)
