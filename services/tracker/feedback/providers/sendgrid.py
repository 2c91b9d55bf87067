"""SendGrid's event webhook: a list of events; bounces, drops, delays, deliveries, spam reports and opt-outs count.

`smtp-id` is the Message-ID that we put on the mail, where it came to SendGrid by SMTP. An event that is sent again may
have another `sg_event_id`, so an event is known by mail, address, second and kind.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from services.tracker.feedback.providers import said
from services.tracker.feedback.providers.said import Failure
from services.tracker.feedback.report import Clues, Kind, Recipient, Report

_FAILURES: dict[str, Kind] = {"bounce": "bounce", "dropped": "bounce", "deferred": "delayed"}
_OPT_OUTS = ("unsubscribe", "group_unsubscribe")


def reports(document: object) -> Iterator[Report]:
    """Yield what the events say."""
    for event in said.mappings(document if isinstance(document, list) else [document], said.MAX_EVENTS):
        report = _report(event)
        if report is not None:
            yield report


def _report(event: Mapping[str, Any]) -> Report | None:
    kind = said.text(event, "event").lower()
    whom = said.address(said.text(event, "email"))
    if not whom:
        return None
    if kind in _FAILURES:
        return Report(_FAILURES[kind], (_failed(whom, event, kind),), standard=True, clues=_clues(event, kind))
    if kind == "delivered":
        code = said.text(event, "response")[:3]
        recipient = Recipient(whom, "delivered", "", code if code.isdigit() else "")
        return Report("delivered", (recipient,), standard=True, clues=_clues(event, kind))
    if kind == "spamreport" or kind in _OPT_OUTS:
        feedback = "abuse" if kind == "spamreport" else "opt-out"
        return Report("complaint", (Recipient(whom, "feedback"),), True, feedback, _clues(event, kind))
    return None


def _failed(whom: str, event: Mapping[str, Any], kind: str) -> Recipient:
    reason = said.text(event, "reason")
    failure = Failure(
        said.text(event, "response") or reason,
        (reason, said.text(event, "bounce_classification")),
        said.text(event, "status"),
        lasting=kind != "bounce" or said.text(event, "type").lower() != "blocked",
    )
    return said.failed(whom, failure, said.names("sendgrid"))


def _clues(event: Mapping[str, Any], kind: str) -> Clues:
    mail = said.text(event, "sg_message_id") or said.text(event, "smtp-id") or said.text(event, "sg_event_id")
    same = ["sendgrid", kind, mail, said.text(event, "email").lower(), said.text(event, "timestamp")]
    return said.clues(same, [said.text(event, "smtp-id")])
