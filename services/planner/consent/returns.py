"""What came back, as far as the planner concludes anything from it: a table of its facts, one row a proven event.

An event that nothing proves is not here: it may be forged, so it stops no mailing and suppresses nobody. The class of
an event (`What`) is all that is kept of what a mail system said.
"""

from collections.abc import Sequence
from typing import Literal

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, String, Table
from sqlalchemy.ext.asyncio import AsyncConnection

from services.planner.schema import METADATA, insert
from shared.contracts.envelope import Commit, DomainEvent
from shared.contracts.feedback import AutoReplyReceived, BounceReceived, ComplaintReceived, ReplyReceived

What = Literal["hard", "soft", "refused", "complaint", "opt-out", "not-spam", "alive"]
"""An address that takes no mail for good, or not now; a bounce that is not the address's fault; what people said; a
sign that the mailbox takes mail."""

RETURNS = Table(
    "facts_returns",
    METADATA,
    Column("id", String(32), primary_key=True),
    Column("seq", BigInteger, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("what", String(12), nullable=False),
    Column("mailing", String(24), nullable=False),
    Column("n", Integer, nullable=False),
    Column("idx", Integer, nullable=False),
    Column("address_key", String(16), nullable=False),
    Column("alone", Boolean, nullable=False),
    Column("reason", String(40), nullable=False),
    Column("source", String(60), nullable=False),
    Index("facts_returns_by_seq", "seq"),
    Index("facts_returns_by_mailing", "mailing", "n", "idx"),
)
NOBODY = -1

_SAID: dict[str, What] = {"not-spam": "not-spam", "opt-out": "opt-out"}


def what(event: DomainEvent) -> What | None:
    """Return the class of an event, None where nothing may be concluded from it."""
    match event:
        case BounceReceived(proven="") | ComplaintReceived(proven="") | ReplyReceived(proven=""):
            return None
        case BounceReceived(kind="bounce", scope="address" | "domain"):
            believed = event.standard or event.proven == "provider"  # words alone never suffice
            return "hard" if event.permanent and believed else "soft"
        case BounceReceived(kind="bounce"):
            return "refused"
        case BounceReceived(kind="delivered") | ReplyReceived():
            return "alive"
        case AutoReplyReceived() if event.proven:
            return "alive"
        case ComplaintReceived():
            return _SAID.get(event.feedback_type, "complaint")
        case _:
            return None


async def apply(conn: AsyncConnection, commits: Sequence[Commit], at: dict[int, int]) -> None:
    """Write the rows of events that are new; `at` is the time of each commit in milliseconds."""
    rows: dict[str, dict[str, object]] = {}
    for commit in commits:
        for record in commit.events:
            event, found = record.event, what(record.event)
            if found is None or not isinstance(
                event, BounceReceived | ComplaintReceived | ReplyReceived | AutoReplyReceived
            ):
                continue
            rows.setdefault(
                record.id,
                {
                    "id": record.id,
                    "seq": commit.seq,
                    "at": at[commit.seq],
                    "what": found,
                    "mailing": event.mailing,
                    "n": NOBODY if event.n is None else event.n,
                    "idx": NOBODY if event.index is None else event.index,
                    "address_key": event.address_key,
                    "alone": getattr(event, "recipients", 1) == 1,
                    "reason": getattr(event, "reason", ""),
                    "source": event.source,
                },
            )
    if rows:
        await conn.execute(insert(conn, RETURNS).on_conflict_do_nothing(), list(rows.values()))
