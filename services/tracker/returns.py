"""From a report to what goes into the log: one commit, a fact for each recipient; nothing where it is no feedback.

Pure. Ids derive from the digest of the mail (of a provider: of its event), so the same report is the same commit.
Codes that are none are left out, addresses become keyed hashes, words go with the entry as a note.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from services.tracker.entries import Entry, Note
from services.tracker.feedback.clues import Proof
from services.tracker.feedback.report import Recipient, Report
from services.tracker.feedback.written import Written
from shared.contracts import subjects
from shared.contracts.envelope import DomainEvent, Origin
from shared.contracts.feedback import AnswerSent, AutoReplyReceived, BounceReceived, ComplaintReceived, ReplyReceived
from shared.ids import derived_id

NOT_SPAM = "not-spam"

_BOUNCES: Final = ("bounce", "delayed", "delivered")
_SOURCE = re.compile(r"[^a-z0-9:_.-]")
_STATUS = re.compile(r"[245]\.\d{1,3}\.\d{1,3}", re.ASCII)
_CODE = re.compile(r"[2-5]\d\d", re.ASCII)
_WORD = re.compile(r"[a-z0-9-]{1,40}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Returned:
    """A report with what is known of it.

    Attributes:
        proof: The mail of ours that a token proves.
        provider: Whether a provider said it whose signature was checked.
        written: What somebody wrote, of answers.
        sent: Whether one of us wrote it, to a person.
    """

    report: Report
    source: str
    proof: Proof | None = None
    provider: bool = False
    written: Written | None = None
    sent: bool = False


def entry_of(returned: Returned, at: datetime, key_of: Callable[[str], str]) -> Entry | None:
    """Return what goes into the log; `key_of` hashes an address."""
    report, proof = returned.report, returned.proof
    command_id = derived_id("feedback", returned.source if returned.provider else "", report.clues.digest, length=20)
    note = None
    if returned.written is not None and returned.written.words:
        note = Note(derived_id("note", command_id, length=20), returned.written.words)
    events = _events(returned, note, lambda address: key_of(address) if "@" in address else "")
    if not events:
        return None
    return Entry(
        subject=subjects.feedback(_partition(events, command_id)),
        events=events,
        origin=Origin(command_id, "tracker", at, correlation_id=proof.token.mailing if proof is not None else ""),
        note=note,
        precious=True,
        facts=len(events),
    )


def _events(returned: Returned, note: Note | None, key_of: Callable[[str], str]) -> tuple[DomainEvent, ...]:
    report = returned.report
    common = _common(returned)
    whom = _distinct(report.recipients)
    if returned.sent:  # the folder holds private letters as well: what is about no mail of ours is nobody's business
        told = report.kind == "reply" and returned.proof is not None
        return (AnswerSent.model_validate(common | {"note": note.key if note else ""}),) if told else ()
    if report.kind in ("reply", "auto-reply"):
        sender = returned.written.sender if returned.written is not None else "".join(each.address for each in whom[:1])
        common |= {"address_key": key_of(sender), "note": note.key if note else ""}
        model = ReplyReceived if report.kind == "reply" else AutoReplyReceived
        return (model.model_validate(common),)
    if report.kind == "complaint" or report.feedback_type == NOT_SPAM:
        kind = report.feedback_type if _WORD.fullmatch(report.feedback_type) else "abuse"
        return tuple(
            ComplaintReceived.model_validate(common | each | {"feedback_type": kind})
            for each in _each(whom or (Recipient("", "feedback"),), key_of)
        )
    if report.kind in _BOUNCES:
        return tuple(
            BounceReceived.model_validate(
                common | each | _said(recipient) | {"kind": report.kind, "standard": report.standard}
            )
            for each, recipient in zip(_each(whom, key_of), whom, strict=True)
        )
    return ()


def _common(returned: Returned) -> dict[str, Any]:
    common: dict[str, Any] = {"source": _SOURCE.sub("", returned.source.lower())[:60]}
    if returned.proof is not None:
        token = returned.proof.token
        common |= {"mailing": token.mailing, "n": token.n, "index": token.index, "proven": returned.proof.how}
    return common | ({"proven": "provider"} if returned.provider else {})


def _each(whom: Sequence[Recipient], key_of: Callable[[str], str]) -> list[dict[str, Any]]:
    return [{"address_key": key_of(each.address), "recipients": len(whom)} for each in whom]


def _distinct(recipients: Sequence[Recipient]) -> tuple[Recipient, ...]:
    """Return each address once, as the first block about it says."""
    first: dict[str, Recipient] = {}
    for each in recipients:
        first.setdefault(each.address.lower(), each)
    return tuple(first.values())


def _said(each: Recipient) -> dict[str, Any]:
    return {
        "reason": each.reason,
        "scope": each.scope,
        "permanent": each.permanent,
        "status": each.status if _STATUS.fullmatch(each.status) else "",
        "reply_code": each.reply_code if _CODE.fullmatch(each.reply_code) else "",
    }


def _partition(events: Sequence[DomainEvent], command_id: str) -> int:
    """Return the partition of the first address named, else one that the commit's id draws."""
    keys = [key for event in events if (key := getattr(event, "address_key", ""))]
    return subjects.partition(keys[0]) if keys else ord(command_id[-1]) % subjects.JOURNAL_PARTITIONS
