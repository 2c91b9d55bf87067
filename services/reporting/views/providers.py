"""Providers: how each fares by account and hour: accepted, deferred, rejected, how often slowed and suspended.

A provider is the lane of a chunk: a large one by name, `rest` for all others, `prompt` for tests and single mails. Of
what a relay said in an hour every reply counts, also the second one to the same mail. The hour is that of the reply.
"""

from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import ClassVar

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from services.reporting import tables
from services.reporting.bulk import Upsert
from services.reporting.counts import chunk_of, entity_of
from services.reporting.mailing import millis
from shared.contracts.envelope import Commit, EventRecord
from shared.contracts.ranges import unpack
from shared.contracts.relay import ProviderSlowed, ProviderSuspended
from shared.contracts.sending import ChunkPlanned, RecipientsSettled

COUNTED = ("accepted", "deferred", "rejected", "slowed", "suspended")
_HOUR = 3_600_000
_IN_ONE = 500
_PLACES = Upsert(tables.chunk_places, ("mailing", "n", "account", "lane"))
_HOURS = Upsert(tables.provider_hours, ("account", "provider", "hour", *COUNTED), dict.fromkeys(COUNTED, "add"))

_Place = tuple[str, str]
_Chunk = tuple[str, int]
_Hours = defaultdict[tuple[str, str, int], Counter[str]]


class ProvidersView:
    """The view, as the projector runs it."""

    name = "providers"
    version = 1
    tables: ClassVar = [tables.chunk_places, tables.provider_hours]
    handles = frozenset(event.TYPE for event in (ChunkPlanned, RecipientsSettled, ProviderSlowed, ProviderSuspended))

    async def apply(self, conn: AsyncConnection, commits: Sequence[Commit]) -> None:
        """Note where chunks belong, then add what was said to its hour."""
        records = [record for commit in commits for record in commit.events]
        places: dict[_Chunk, _Place] = {}
        wanted: set[_Chunk] = set()
        for record in records:
            if isinstance(record.event, ChunkPlanned):
                places[record.event.mailing, record.event.n] = (record.event.account, record.event.lane)
            elif isinstance(record.event, RecipientsSettled):
                wanted.add(chunk_of(record.subject))
        await _PLACES.run(conn, [(*chunk, *place) for chunk, place in places.items()])
        places |= await _known(conn, wanted - places.keys())
        hours: _Hours = defaultdict(Counter)
        for record in records:
            _count(record, places, hours)
        await _HOURS.run(conn, [(*key, *(counts[what] for what in COUNTED)) for key, counts in hours.items()])


async def _known(conn: AsyncConnection, chunks: set[_Chunk]) -> dict[_Chunk, _Place]:
    by_mailing: defaultdict[str, list[int]] = defaultdict(list)
    for mailing, n in sorted(chunks):
        by_mailing[mailing].append(n)
    p = tables.chunk_places.c
    found: dict[_Chunk, _Place] = {}
    for mailing, numbers in by_mailing.items():
        for start in range(0, len(numbers), _IN_ONE):
            page = numbers[start : start + _IN_ONE]
            query = select(p.n, p.account, p.lane).where(p.mailing == mailing, p.n.in_(page))
            found |= {(mailing, row.n): (row.account, row.lane) for row in await conn.execute(query)}
    return found


def _count(record: EventRecord, places: dict[_Chunk, _Place], hours: _Hours) -> None:
    match record.event:
        case RecipientsSettled() as settled:
            place = places.get(chunk_of(record.subject))
            if place is None:  # settled without a plan: the other views stand still and say so
                return
            hour = (settled.base or millis(record.time) or 0) // _HOUR
            for group in settled.groups:
                if group.code and group.outcome in COUNTED:
                    hours[*place, hour][group.outcome] += len(unpack(group.indexes))
        case ProviderSlowed(provider=provider):
            hours[entity_of(record.subject), provider, (millis(record.time) or 0) // _HOUR]["slowed"] += 1
        case ProviderSuspended(provider=provider):
            hours[entity_of(record.subject), provider, (millis(record.time) or 0) // _HOUR]["suspended"] += 1
        case _:
            pass


async def health(conn: AsyncConnection, account: str, since: int) -> list[dict[str, object]]:
    """Return the hours of an account ("" for all) from `since` (milliseconds) on, newest first."""
    h = tables.provider_hours.c
    query = select(tables.provider_hours).where(h.hour >= since // _HOUR)
    if account:
        query = query.where(h.account == account)
    rows = await conn.execute(query.order_by(h.hour.desc(), h.account, h.provider))
    return [{**row, "hour": int(row["hour"]) * _HOUR} for row in rows.mappings()]
