"""Mailgun's webhooks: one event each, of which failed, delivered, complained and unsubscribed count.

A failure of severity `temporary` is still being tried: a delay. The mail keeps our Message-ID and our envelope sender,
and both are told. An event's id is unique within a day, so its time belongs to what it is known by.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from services.tracker.feedback.providers import said
from services.tracker.feedback.providers.said import Failure
from services.tracker.feedback.report import Clues, Recipient, Report

_OWN_CODES = ("498", "499")


def reports(document: Mapping[str, Any]) -> Iterator[Report]:
    """Yield what the event says: one report, or none."""
    event = said.mapping(document.get("event-data"))
    kind = said.text(event, "event").lower()
    whom = said.address(said.text(event, "recipient"))
    if not whom:
        return
    clues = _clues(event, kind)
    if kind == "failed":
        delayed = said.text(event, "severity").lower() == "temporary"
        yield Report("delayed" if delayed else "bounce", (_failed(whom, event),), standard=True, clues=clues)
    elif kind == "delivered":
        code = said.text(said.mapping(event.get("delivery-status")), "code")
        yield Report("delivered", (Recipient(whom, "delivered", "", code),), standard=True, clues=clues)
    elif kind in ("complained", "unsubscribed"):
        feedback = "abuse" if kind == "complained" else "opt-out"
        yield Report("complaint", (Recipient(whom, "feedback"),), True, feedback, clues)


def _failed(whom: str, event: Mapping[str, Any]) -> Recipient:
    status = said.mapping(event.get("delivery-status"))
    code = said.text(status, "code")
    words = said.text(status, "message") or said.text(status, "description")
    named = (said.text(event, "reason"), said.text(status, "bounce-type"), code)
    failure = Failure(words, named, said.text(status, "enhanced-code"), "" if code in _OWN_CODES else code)
    return said.failed(whom, failure, said.names("mailgun"))


def _clues(event: Mapping[str, Any], kind: str) -> Clues:
    headers = said.mapping(said.mapping(event.get("message")).get("headers"))
    mail = said.text(headers, "message-id")
    same = [
        "mailgun",
        kind,
        said.text(event, "id") or mail,
        said.text(event, "timestamp"),
        said.text(event, "recipient"),
    ]
    return said.clues(same, [mail], [said.text(said.mapping(event.get("envelope")), "sender")])
