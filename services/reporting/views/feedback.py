"""Feedback: every bounce, complaint and answer, proven or not; an event told twice (same id) counts once."""

from collections.abc import Sequence
from typing import Any, ClassVar

from sqlalchemy.ext.asyncio import AsyncConnection

from services.reporting import tables
from services.reporting.bulk import insert_new
from services.reporting.mailing import millis
from shared.contracts.envelope import Commit, EventRecord
from shared.contracts.feedback import EVENTS, ComplaintReceived, kind_of

KINDS = ("bounce", "delayed", "delivered", "complaint", "opt-out", "not-spam", "reply", "auto-reply", "answer-sent")


class FeedbackView:
    """The view, as the projector runs it."""

    name = "feedback"
    version = 1
    tables: ClassVar = [tables.returns]
    handles = frozenset(event.TYPE for event in EVENTS)

    async def apply(self, conn: AsyncConnection, commits: Sequence[Commit]) -> None:
        """Write what is new."""
        rows: dict[str, dict[str, Any]] = {}
        for commit in commits:
            for record in commit.events:
                if record.event.TYPE in self.handles:
                    rows.setdefault(record.id, _row(record))
        await insert_new(conn, tables.returns, list(rows.values()))


def _row(record: EventRecord) -> dict[str, Any]:
    event: Any = record.event
    return {
        "id": record.id,
        "seq": record.seq,
        "kind": kind_of(event),
        "mailing": event.mailing,
        "n": event.n,
        "idx": event.index,
        "address_key": event.address_key,
        "proven": event.proven,
        "source": event.source,
        "reason": event.feedback_type if isinstance(event, ComplaintReceived) else getattr(event, "reason", ""),
        "scope": getattr(event, "scope", ""),
        "status": getattr(event, "status", ""),
        "reply_code": getattr(event, "reply_code", ""),
        "note": getattr(event, "note", ""),
        "permanent": int(getattr(event, "permanent", False)),
        "at": millis(record.time),
    }
