"""What a notice says: how the mailing stands, why, the recipients by outcome, and the first errors.

Pure. Subject and text are filled into a template as fields, so nothing of them is read as a placeholder.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from services.planner.notices.notice_facts import Stand
from shared.contracts import ranges
from shared.contracts.envelope import DomainEvent
from shared.contracts.mailing import MailingCancelled, MailingCompleted, MailingFailed
from shared.contracts.sending import RecipientsSettled

MOST_ERRORS = 5
_NAME = 200


@dataclass(frozen=True, slots=True)
class Told:
    """What a notice is about: the mailing by id and name, recipients by outcome, and replies with their number."""

    mailing: str
    name: str
    event: Stand
    totals: Mapping[str, int]
    errors: Mapping[str, int] = field(default_factory=dict)


def errors(events: Iterable[DomainEvent]) -> dict[str, int]:
    """Return the first different replies with which recipients were rejected, and how many of them got each."""
    found: Counter[str] = Counter()
    for event in events:
        for group in event.groups if isinstance(event, RecipientsSettled) else ():
            said = [str(group.code) if group.code else "", group.enhanced, group.text or group.cause]
            reply = " ".join(" ".join(said).split())
            if group.outcome == "rejected" and (reply in found or len(found) < MOST_ERRORS):
                found[reply or "no reason"] += len(ranges.unpack(group.indexes))
    return dict(found)


def wording(told: Told) -> tuple[str, str]:
    """Return subject and text."""
    name, standing = " ".join(told.name.split())[:_NAME], stands(told.event)
    lines = [f'The mailing "{name}" is {standing}.', f"Its id is {told.mailing}."]
    reason = "" if isinstance(told.event, MailingCompleted) else told.event.reason
    if reason:
        lines += ["", f"Why: {reason}"]
    lines += ["", f"Recipients: {sum(told.totals.values())}"]
    lines += [f"  {outcome.replace('_', ' ')}: {count}" for outcome, count in told.totals.items() if count]
    if told.errors:
        lines += ["", "The first errors:", *(f"  {count} x {reply}" for reply, count in told.errors.items())]
    if standing in ("failed", "paused"):
        lines += ["", f"Nothing goes out until somebody resumes it: posthaste mailing resume {told.mailing}"]
    return f"{standing.capitalize()}: {name}", "\n".join(lines) + "\n"


def stands(event: Stand) -> str:
    """Return how a mailing stands after an event."""
    if isinstance(event, MailingCompleted):
        return "completed"
    if isinstance(event, MailingFailed):
        return "failed"
    return "cancelled" if isinstance(event, MailingCancelled) else "paused"
