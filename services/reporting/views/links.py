"""Links: hits by link and by person, each hit counted once by its fact id, however often it was told.

The pixel stands as link -1, any click of a mail as link -2, so "read" (every open counts) and "clicked" (mails with a
click) are rows like those of the links. `readers` says who opened and clicked what, first and last when; `hit_points`
is the hits' part of the timeline.
"""

from collections import Counter
from collections.abc import Sequence
from typing import ClassVar

from sqlalchemy.ext.asyncio import AsyncConnection

from services.reporting import tables
from services.reporting.bulk import Upsert, insert_new
from services.reporting.mailing import millis
from shared.contracts.engagement import Hit, HitsRecorded
from shared.contracts.envelope import Commit

OPENS = -1
ANY_CLICK = -2

_READ = Upsert(
    tables.readers,
    ("mailing", "link", "n", "idx", "hits", "first_at", "last_at"),
    {"hits": "add", "first_at": "least", "last_at": "most"},
)
_COUNT = Upsert(tables.link_counts, ("mailing", "link", "hits", "people"), {"hits": "add", "people": "add"})
_POINT = Upsert(tables.hit_points, ("mailing", "second", "opens", "clicks"), {"opens": "add", "clicks": "add"})

Reader = tuple[str, int, int, int]


class LinksView:
    """The view, as the projector runs it."""

    name = "links"
    version = 1
    tables: ClassVar = [tables.hits, tables.readers, tables.link_counts, tables.hit_points]
    handles = frozenset({HitsRecorded.TYPE})

    async def apply(self, conn: AsyncConnection, commits: Sequence[Commit]) -> None:
        """Count the hits that are new."""
        told: dict[str, Hit] = {}
        for commit in commits:
            for record in commit.events:
                if isinstance(record.event, HitsRecorded):
                    for hit in record.event.hits:
                        told.setdefault(hit.id, hit)
        new = await insert_new(conn, tables.hits, [{"id": fact} for fact in told])
        if new:
            await _write(conn, [hit for fact, hit in told.items() if (fact,) in new])


def links_of(hit: Hit) -> tuple[int, ...]:
    """Return the links as which a hit counts."""
    if hit.kind == "open":
        return (OPENS,)
    return (ANY_CLICK,) if hit.link is None else (hit.link, ANY_CLICK)


async def _write(conn: AsyncConnection, hits: Sequence[Hit]) -> None:
    seen: dict[Reader, list[int]] = {}
    counts: Counter[tuple[str, int]] = Counter()
    points: dict[tuple[str, int], list[int]] = {}
    for hit in hits:
        at = millis(hit.at) or 0
        points.setdefault((hit.mailing, at // 1000), [0, 0])[hit.kind == "click"] += 1
        for link in links_of(hit):
            counts[hit.mailing, link] += 1
            reader = seen.setdefault((hit.mailing, link, hit.n, hit.index), [0, at, at])
            reader[0] += 1
            reader[1], reader[2] = min(reader[1], at), max(reader[2], at)
    rows = [
        {"mailing": mailing, "link": link, "n": n, "idx": index, "hits": 0, "first_at": first, "last_at": last}
        for (mailing, link, n, index), (_, first, last) in seen.items()
    ]
    people = Counter((mailing, link) for mailing, link, _, _ in await insert_new(conn, tables.readers, rows))
    await _READ.run(conn, [(*key, *numbers) for key, numbers in seen.items()])
    await _COUNT.run(conn, [(*key, count, people[key]) for key, count in counts.items()])
    await _POINT.run(conn, [(*key, *numbers) for key, numbers in points.items()])
