"""Feedback reports: RFC 5965 (abuse), RFC 6430 (not-spam), RFC 6591 (auth-failure), Microsoft's and Apple's own ways.

Only abuse, fraud, virus and other are complaints of a person. Recipients are often taken out; then the report has one
recipient without an address, and the clues tell whose it is.
"""

from services.tracker.feedback.envelope import addresses, typed
from services.tracker.feedback.mime import Part, fields_of
from services.tracker.feedback.notice import Notice
from services.tracker.feedback.report import Recipient

COMPLAINTS = ("abuse", "fraud", "virus", "other", "miscategorized", "opt-out", "opt-out-list")

_MICROSOFT = "x-hmxmroriginalrecipient"
MAX_RECIPIENTS = 100


def feedback_type(fields: dict[str, list[str]]) -> str:
    """Return the type of a report in lower case, `abuse` where it names none."""
    values = fields.get("feedback-type") or fields.get("abuse-type") or [""]
    return values[0].strip().lower().partition(" ")[0].strip(";")[:40] or "abuse"


def parse(notice: Notice) -> dict[str, list[str]]:
    """Return the fields of the report."""
    found: dict[str, list[str]] = {}
    for text in notice.feedback:
        for name, values in fields_of(
            text.replace("\r\n", "\n").lstrip("\n").replace("\n\n", "\n").encode("utf-8", "replace")
        ).items():
            found.setdefault(name, []).extend(values)
    return found


def recipients(fields: dict[str, list[str]], notice: Notice) -> list[Recipient]:
    """Return about whom the report is: as it says, else to whom the mail was addressed."""
    named = [typed(value) for name in ("original-rcpt-to", "removal-recipient") for value in fields.get(name, [])]
    named = [address for address in named if address]
    if not named:
        named = addresses(" , ".join(notice.original.get("to", [])), MAX_RECIPIENTS)
    once = {address.lower(): address for address in named[:MAX_RECIPIENTS]}
    return [Recipient(address, "feedback") for address in once.values()] or [Recipient("", "feedback")]


def other_way(mail: Part, notice: Notice) -> tuple[str, list[Recipient]] | None:
    """Return type and recipients of a complaint that is not RFC 5965; None where it is none."""
    if _MICROSOFT in notice.original:
        found = addresses(" , ".join(notice.original[_MICROSOFT]), MAX_RECIPIENTS)
        return "abuse", [Recipient(address, "feedback") for address in found] or [Recipient("", "feedback")]
    if mail.text("subject").strip().lower() == "unsubscribe" and mail.get("auto-submitted").startswith("auto-"):
        found = addresses(mail.get("from"), 1)
        return "opt-out", [Recipient(address, "feedback") for address in found]
    return None
