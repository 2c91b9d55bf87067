"""Engagement: hits as they were told, each once by its fact id, with the verdict on each; sums by link and by second.

The pixel stands as link -1, any click of a mail as link -2, so "read" (every open that counts) and "clicked" (mails
with such a click) are rows like those of the links. A mail's acceptance is noted as well: what came sooner than a
person reads was a machine. `judged_by` says by which version of the rules all hits of a mailing were judged.
"""

from collections import defaultdict
from collections.abc import Sequence
from typing import ClassVar

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from services.reporting import deliveries, tables
from services.reporting.bulk import Upsert
from services.reporting.counts import chunk_of
from services.reporting.docket import Docket, Who
from services.reporting.mailing import millis
from shared.contracts.engagement import HitsRecorded
from shared.contracts.envelope import Commit
from shared.contracts.sending import RecipientsSettled
from shared.contracts.verdicts import RULES, Fact, fact_of
from shared.database import in_turn

TURN = "engagement"

_JUDGED_BY = Upsert(tables.judged_by, ("mailing", "rules"))
_IN_ONE = 500


class EngagementView:
    """The view, as the projector runs it."""

    name = "engagement"
    version = 1
    tables: ClassVar = [tables.hits, tables.deliveries, tables.link_counts, tables.hit_points, tables.judged_by]
    handles = frozenset({HitsRecorded.TYPE, RecipientsSettled.TYPE})

    async def apply(self, conn: AsyncConnection, commits: Sequence[Commit]) -> None:
        """Note acceptances and hits, then judge whom they concern."""
        told: defaultdict[Who, dict[str, Fact]] = defaultdict(dict)
        accepted: defaultdict[deliveries.Chunk, dict[int, int]] = defaultdict(dict)
        for commit in commits:
            for record in commit.events:
                if isinstance(record.event, HitsRecorded):
                    for hit in record.event.hits:
                        told[hit.mailing, hit.n, hit.index].setdefault(hit.id, fact_of(hit))
                elif isinstance(record.event, RecipientsSettled):
                    times = accepted[chunk_of(record.subject)]
                    for index, at in deliveries.accepted(record.event, millis(record.time) or 0).items():
                        times[index] = min(at, times.get(index, at))
        await in_turn(conn, TURN)
        changed = await deliveries.take(conn, {chunk: times for chunk, times in accepted.items() if times})
        again = await _with_hits(conn, changed)
        if told or again:
            await Docket(conn).judge(told, again)
            await _JUDGED_BY.run(conn, [(mailing, RULES.version) for mailing in sorted({who[0] for who in told})])


async def _with_hits(conn: AsyncConnection, chunks: dict[deliveries.Chunk, set[int]]) -> set[Who]:
    """Return those of these recipients of whom hits are stored."""
    by_mailing: defaultdict[str, list[int]] = defaultdict(list)
    for mailing, n in sorted(chunks):
        by_mailing[mailing].append(n)
    hit = tables.hits.c
    found: set[Who] = set()
    for mailing, numbers in by_mailing.items():
        for start in range(0, len(numbers), _IN_ONE):
            some = (hit.mailing == mailing, hit.n.in_(numbers[start:][:_IN_ONE]))
            rows = await conn.execute(select(hit.n, hit.idx).where(*some).distinct())
            found |= {(mailing, n, index) for n, index in rows if index in chunks[mailing, n]}
    return found
