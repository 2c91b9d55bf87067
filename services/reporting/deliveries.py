"""When each mail was first accepted, one array a chunk: what the delay of a hit is measured from.

A chunk is one row of eight bytes a recipient, so that a mail costs a fraction of a microsecond. The first acceptance
stands, in whatever order they are told; a mail that was ever in doubt may have arrived before it, so nobody knows when.
"""

from array import array
from collections import defaultdict
from collections.abc import Collection, Mapping
from typing import TypeAlias

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from services.reporting import tables
from services.reporting.bulk import Upsert
from shared.contracts.ranges import unpack
from shared.contracts.sending import RecipientsSettled

Chunk = tuple[str, int]
Times: TypeAlias = "dict[Chunk, array[int]]"

_D = tables.deliveries.c
_SAVE = Upsert(tables.deliveries, ("mailing", "n", "at"), {"at": "replace"})
_IN_ONE = 500
UNTIMED = -1
"""Stands for a time that nobody knows, and is earlier than all others."""


def accepted(event: RecipientsSettled, recorded: int) -> dict[int, int]:
    """Return when which recipients were accepted, in milliseconds, or `UNTIMED`."""
    base = event.base or recorded
    found: dict[int, int] = {}
    for group in event.groups:
        if group.untimed:
            found |= dict.fromkeys(unpack(group.indexes), UNTIMED)
        elif group.outcome == "accepted":
            indexes = unpack(group.indexes)
            found |= zip(indexes, [base + after for after in group.at], strict=True)
    return found


async def times_of(conn: AsyncConnection, chunks: Collection[Chunk]) -> Times:
    """Return what is known of these chunks; 0 stands for a mail that was not accepted, `UNTIMED` as above."""
    by_mailing: defaultdict[str, list[int]] = defaultdict(list)
    for mailing, n in sorted(set(chunks)):
        by_mailing[mailing].append(n)
    found: Times = {}
    for mailing, numbers in by_mailing.items():
        for start in range(0, len(numbers), _IN_ONE):
            query = select(_D.n, _D.at).where(_D.mailing == mailing, _D.n.in_(numbers[start:][:_IN_ONE]))
            for n, at in await conn.execute(query):
                found[mailing, n] = array("q", bytes(at))
    return found


async def take(conn: AsyncConnection, told: Mapping[Chunk, Mapping[int, int]]) -> dict[Chunk, set[int]]:
    """Note acceptances; return those whose time is another one now."""
    known = await times_of(conn, told.keys())
    changed: dict[Chunk, set[int]] = {}
    for chunk, times in told.items():
        row = known.setdefault(chunk, array("q"))
        row.extend([0] * (max(times) + 1 - len(row)))
        for index, at in times.items():
            if not row[index] or at < row[index]:
                row[index] = at
                changed.setdefault(chunk, set()).add(index)
    await _SAVE.run(conn, [(*chunk, known[chunk].tobytes()) for chunk in changed])
    return changed
