"""Statuses of customers: the last one that each campaign set for each, with the place where the log says so.

Events of a campaign come in order and never twice at one place, so the last one told is the one that stands.
"""

from collections.abc import Sequence
from typing import ClassVar

from sqlalchemy.ext.asyncio import AsyncConnection

from services.reporting import tables
from services.reporting.bulk import Upsert
from services.reporting.counts import entity_of
from shared.bulk import Row
from shared.contracts.envelope import Commit
from shared.contracts.statuses import StatusesSet

_COLUMNS = ("campaign", "contact", "mailing", "outcome", "status", "at", "seq", "part", "place")
_STATUS = Upsert(tables.customer_statuses, _COLUMNS, dict.fromkeys(_COLUMNS[2:], "replace"))


class StatusesView:
    """The view, as the projector runs it."""

    name = "statuses"
    version = 1
    tables: ClassVar = [tables.customer_statuses]
    handles = frozenset({StatusesSet.TYPE})

    async def apply(self, conn: AsyncConnection, commits: Sequence[Commit]) -> None:
        """Write what stands after the commits."""
        rows: dict[tuple[str, str], Row] = {}
        for commit in commits:
            for record in commit.events:
                event = record.event
                if not isinstance(event, StatusesSet):
                    continue
                campaign = entity_of(record.subject)
                said = (event.mailing, event.outcome, event.status)
                for place, (contact, after) in enumerate(zip(event.contacts, event.at, strict=True)):
                    at = 1000 * (event.base + after)
                    rows[campaign, contact] = (campaign, contact, *said, at, record.seq, record.index, place)
        await _STATUS.run(conn, list(rows.values()))
