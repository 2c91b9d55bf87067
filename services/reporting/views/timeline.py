"""Timeline: how many mails relays accepted in each second. The second is that of the reply, as the sender saw it."""

from collections import Counter
from collections.abc import Sequence
from typing import ClassVar

from sqlalchemy.ext.asyncio import AsyncConnection

from services.reporting import tables
from services.reporting.bulk import Upsert
from services.reporting.counts import chunk_of
from services.reporting.mailing import millis
from shared.contracts.envelope import Commit
from shared.contracts.ranges import unpack
from shared.contracts.sending import RecipientsSettled

_POINT = Upsert(tables.points, ("mailing", "second", "accepted"), {"accepted": "add"})


class TimelineView:
    """The view, as the projector runs it."""

    name = "timeline"
    version = 1
    tables: ClassVar = [tables.points]
    handles = frozenset({RecipientsSettled.TYPE})

    async def apply(self, conn: AsyncConnection, commits: Sequence[Commit]) -> None:
        """Add what was accepted to its seconds."""
        points: Counter[tuple[str, int]] = Counter()
        for commit in commits:
            for record in commit.events:
                event = record.event
                if not isinstance(event, RecipientsSettled):
                    continue
                mailing, _ = chunk_of(record.subject)
                base = event.base or millis(record.time) or 0
                for group in event.groups:
                    if group.outcome == "accepted":
                        times = group.at or [0] * len(unpack(group.indexes))
                        for second, count in Counter([(base + after) // 1000 for after in times]).items():
                            points[mailing, second] += count
        await _POINT.run(conn, [(*key, count) for key, count in points.items()])
