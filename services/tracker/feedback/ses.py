"""Notifications of Amazon SES as SNS delivers them, by mail or by webhook: bounce, complaint, delivery as JSON."""

import json
from collections.abc import Mapping
from typing import Any

from services.tracker.feedback import dialogue, judging
from services.tracker.feedback.judging import Said
from services.tracker.feedback.report import Kind, Recipient

MAX_RECIPIENTS = 200
_MAX_JSON = 300_000


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
    event = str(document.get("notificationType") or document.get("eventType") or "").lower()
    if event == "bounce":
        body = _mapping(document.get("bounce"))
        return "bounce", [_bounced(each) for each in _list(body.get("bouncedRecipients"))]
    if event == "complaint":
        body = _mapping(document.get("complaint"))
        named = [str(each.get("emailAddress", "")) for each in _list(body.get("complainedRecipients"))]
        return "complaint", [Recipient(address, "feedback") for address in named]
    if event == "delivery":
        body = _mapping(document.get("delivery"))
        response = str(body.get("smtpResponse", ""))
        recipients = body.get("recipients")
        named = [str(each) for each in recipients[:MAX_RECIPIENTS]] if isinstance(recipients, list) else []
        code = response[:3] if response[:3].isdigit() else ""
        return "delivered", [Recipient(address, "delivered", "", code) for address in named]
    return "other", []


def _bounced(fields: Mapping[str, Any]) -> Recipient:
    text = str(fields.get("diagnosticCode") or "")[:2_000].removeprefix("smtp;").strip()
    status = dialogue.status(text) or dialogue.status(str(fields.get("status") or ""))
    code = dialogue.code(text)
    action = str(fields.get("action") or "").lower()
    reason = judging.reason(Said(text, status, code, dialogue.command(text), action, "smtp"))
    return Recipient(str(fields.get("emailAddress") or "")[:254], reason, status, code)


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: object) -> list[Mapping[str, Any]]:
    return [each for each in value[:MAX_RECIPIENTS] if isinstance(each, dict)] if isinstance(value, list) else []
