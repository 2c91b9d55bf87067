"""Postmark's webhooks: one record each, of which bounce, delivery, spam complaint and subscription change count.

Postmark puts Message-IDs and return paths of its own on mails. Ours are found where the webhook includes the content of
the bounce; else the address is all there is.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from services.tracker.feedback import reading
from services.tracker.feedback.providers import said
from services.tracker.feedback.providers.said import Failure
from services.tracker.feedback.report import Clues, Kind, Recipient, Report

_MAX_CONTENT = 200_000
_ANSWERS = ("autoresponder", "addresschange", "challengeverification")
_NO_BOUNCE = ("subscribe", "openrelaytest", "unconfirmed", "inbounderror")


def reports(document: Mapping[str, Any]) -> Iterator[Report]:
    """Yield what the record says: one report, or none."""
    record = said.text(document, "RecordType").lower()
    whom = said.address(said.text(document, "Email") or said.text(document, "Recipient"))
    if not whom:
        return
    if record == "bounce":
        yield from _bounce(document, whom)
    elif record == "spamcomplaint":
        yield _complaint(document, record, whom, "abuse")
    elif record == "delivery":
        yield Report("delivered", (Recipient(whom, "delivered"),), standard=True, clues=_clues(document, record))
    elif record == "subscriptionchange" and _left(document):
        yield _complaint(document, record, whom, "opt-out")


def _bounce(document: Mapping[str, Any], whom: str) -> Iterator[Report]:
    kind = said.text(document, "Type").lower()
    if kind in _NO_BOUNCE:
        return
    if kind in ("unsubscribe", "spamcomplaint"):
        yield _complaint(document, kind, whom, "opt-out" if kind == "unsubscribe" else "abuse")
    elif kind in _ANSWERS:
        yield Report("auto-reply", (Recipient(whom, "vacation"),), standard=True, clues=_clues(document, kind))
    else:
        words = said.text(document, "Details") or said.text(document, "Description")
        failure = Failure(words, (kind,), lasting=kind != "softbounce")
        outcome: Kind = "delayed" if kind in ("transient", "dnserror") else "bounce"
        recipient = said.failed(whom, failure, said.names("postmark"))
        yield Report(outcome, (recipient,), standard=True, clues=_clues(document, "bounce"))


def _complaint(document: Mapping[str, Any], kind: str, whom: str, feedback: str) -> Report:
    return Report("complaint", (Recipient(whom, "feedback"),), True, feedback, _clues(document, kind))


def _left(document: Mapping[str, Any]) -> bool:
    """Whether a person left; bounces and complaints come as records of their own."""
    reason = said.text(document, "SuppressionReason").lower()
    return document.get("SuppressSending") is True and reason not in ("hardbounce", "spamcomplaint")


def _clues(document: Mapping[str, Any], kind: str) -> Clues:
    moment = next(filter(None, (said.text(document, at) for at in ("BouncedAt", "DeliveredAt", "ChangedAt"))), "")
    whom = said.text(document, "Email") or said.text(document, "Recipient")
    mark = said.text(document, "ID") or f"{moment} {whom}"
    content = said.text(document, "Content", _MAX_CONTENT)
    found = reading.read(content.encode("utf-8", "replace")).clues if content else Clues()
    same = said.clues(["postmark", kind, said.text(document, "MessageID"), mark])
    return Clues(found.return_paths, found.envelope_ids, found.message_ids, found.feedback_ids, (), same.digest)
