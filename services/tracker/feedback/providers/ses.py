"""Amazon SES, as SNS carries it, by webhook or by mail: bounce, complaint, delivery, delay, reject, subscription.

A mail that brings a notification proves nothing by itself: `parse` and `read` serve the reader of mails, `reports` the
webhook. SES puts a Message-ID of its own on a mail, but keeps ours in the headers it tells.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from services.tracker.feedback.arf import COMPLAINTS
from services.tracker.feedback.providers import said
from services.tracker.feedback.providers.said import Failure
from services.tracker.feedback.report import Kind, Recipient, Report

_MAX_JSON = 300_000
_KINDS: dict[str, Kind] = {
    "bounce": "bounce",
    "complaint": "complaint",
    "delivery": "delivered",
    "deliverydelay": "delayed",
    "reject": "bounce",
    "subscription": "complaint",
}
_BODIES = {"deliverydelay": "deliveryDelay"}
_LISTS = {
    "bounce": "bouncedRecipients",
    "complaint": "complainedRecipients",
    "deliverydelay": "delayedRecipients",
}


def parse(text: str) -> Mapping[str, Any] | None:
    """Return the notification that a mail holds, None where it holds none."""
    text = text.lstrip()
    if (
        not text.startswith("{")
        or '"mail"' not in text
        or not any(word in text for word in ("notificationType", "eventType"))
    ):
        return None
    try:
        document, _ = json.JSONDecoder().raw_decode(text[:_MAX_JSON])
    except (ValueError, RecursionError):  # cut off, or made to harm: a mail like any other
        return None
    return document if isinstance(document, dict) else None


def read(document: Mapping[str, Any]) -> tuple[Kind, list[Recipient]]:
    """Return what it says; `other` for a kind that is not about mail that went out."""
    event = _event(document)
    body = said.mapping(document.get(_BODIES.get(event, event)))
    if event not in _KINDS:
        return "other", []
    if event == "delivery":
        return "delivered", _delivered(body)
    if event == "subscription":
        return _subscription(document, body)
    if event == "reject":
        failure = Failure("", (said.text(body, "reason"),))
        return "bounce", [said.failed(whom, failure, said.names("ses")) for whom in _destination(document)]
    named = said.mappings(body.get(_LISTS[event]))
    if event == "complaint" and not said.text(body, "complaintSubType"):
        return "complaint", [Recipient(said.address(said.text(each, "emailAddress")), "feedback") for each in named]
    return ("bounce" if event == "complaint" else _KINDS[event]), [_failed(each, event, body) for each in named]


def reports(document: Mapping[str, Any]) -> Iterator[Report]:
    """Yield what a notification says: one report, or none."""
    kind, whom = read(document)
    if not whom:
        return
    event = _event(document)
    body = said.mapping(document.get(_BODIES.get(event, event)))
    mail = said.mapping(document.get("mail"))
    headers = [each for each in said.mappings(mail.get("headers")) if said.text(each, "name").lower() == "message-id"]
    ids = [said.text(said.mapping(mail.get("commonHeaders")), "messageId"), *(said.text(e, "value") for e in headers)]
    mark = said.text(body, "feedbackId") or "/".join([said.text(body, "timestamp"), *sorted(e.address for e in whom)])
    clues = said.clues(["ses", event, said.text(mail, "messageId"), mark], ids, [said.text(mail, "source")])
    feedback = _feedback_type(event, body) if kind == "complaint" else ""
    if kind == "complaint" and feedback not in COMPLAINTS:
        kind = "other"
    yield Report(kind, tuple(whom), standard=True, feedback_type=feedback, clues=clues)


def _event(document: Mapping[str, Any]) -> str:
    named = said.text(document, "notificationType") or said.text(document, "eventType")
    return named.lower().replace(" ", "")


def _failed(fields: Mapping[str, Any], event: str, body: Mapping[str, Any]) -> Recipient:
    called = [said.text(body, name) for name in ("bounceSubType", "complaintSubType", "delayType")]
    lasting = event != "bounce" or said.text(body, "bounceType").lower() != "transient"
    failure = Failure(said.text(fields, "diagnosticCode"), tuple(called), said.text(fields, "status"), lasting=lasting)
    return said.failed(said.text(fields, "emailAddress"), failure, said.names("ses"))


def _delivered(body: Mapping[str, Any]) -> list[Recipient]:
    response = said.text(body, "smtpResponse")
    code = response[:3] if response[:3].isdigit() else ""
    return [Recipient(said.address(each), "delivered", "", code) for each in said.texts(body.get("recipients"))]


def _subscription(document: Mapping[str, Any], body: Mapping[str, Any]) -> tuple[Kind, list[Recipient]]:
    """Return who left by the provider's own list management."""
    chosen = said.mapping(body.get("newTopicPreferences"))
    if chosen.get("unsubscribeAll") is not True:
        return "other", []
    return "complaint", [Recipient(each, "feedback") for each in _destination(document)]


def _destination(document: Mapping[str, Any]) -> list[str]:
    whom = said.texts(said.mapping(document.get("mail")).get("destination"))
    return [said.address(each) for each in whom]


def _feedback_type(event: str, body: Mapping[str, Any]) -> str:
    if event == "subscription":
        return "opt-out"
    return said.text(body, "complaintFeedbackType").strip().lower() or "abuse"
