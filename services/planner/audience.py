"""Freezing an audience: who gets the mailing, in which chunk, and why each of the others does not.

In go the lists of the campaign; contacts are read in pages ordered by address key, so memory holds one page. Out comes
the AUDIENCE object (put under its hash), its cache in SQL, and the AudienceFrozen to append. Suppression is as the
facts have it after the last consent that stood in the log when freezing began. Every step can be repeated after a
crash.
"""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any

from sqlalchemy import and_, func, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from services.planner import audience_rows, blocked_domains, contact_zones, providers
from services.planner.audience_object import AudienceWriter, Skipped
from services.planner.contacts import CONTACTS
from services.planner.facts import SUPPRESSION
from services.planner.lists import MEMBERS
from services.planner.segments import dynamic
from shared import clock
from shared.addresses import AddressError, parse
from shared.contracts.consent import EVERYTHING
from shared.contracts.mailing import AudienceFrozen
from shared.database import reading
from shared.eventlog.objects import Objects
from shared.ids import new_id
from shared.steps import step

PAGE = 4_000
_FREE: dict[str, str] = {}
_FEW = 3 * PAGE

Row = tuple[str, str, str, str, str, int]  # address key, contact, list, address, provider, bytes
Blocks = dict[str, dict[str, str]]  # address key -> scope -> opted_out, unconfirmed or suppressed
_WORST = ("suppressed", "unconfirmed")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to freeze: for which mailing, from which lists, in chunks of how many at most, with a zone each or none."""

    mailing: str
    lists: Sequence[str]
    chunk_size: int
    by_zone: bool = False


class Freezer:
    """Freezes audiences; `position` waits for the suppression facts and returns how far they are."""

    def __init__(
        self, engine: AsyncEngine, objects: Objects, folder: Path, position: Callable[[], Awaitable[int]]
    ) -> None:
        self._engine = engine
        self._objects = objects
        self._folder = folder
        self._position = position

    async def freeze(self, wanted: Wanted) -> AudienceFrozen:
        """Return the event that fixes the audience; the object it names is stored."""
        position = await self._position()
        step("freeze.positioned")
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._folder / f"audience-{new_id()}"
        try:
            writer = await self._write(wanted, path)
            name = await asyncio.to_thread(writer.close)
            step("freeze.written")
            await self._objects.put(name, path)
            step("freeze.stored")
            await audience_rows.fill(self._engine, wanted.mailing, name, _file(path))
            step("freeze.cached")
        finally:
            path.unlink(missing_ok=True)
        return AudienceFrozen(
            object=name,
            recipients=writer.recipients,
            skipped=dict(sorted(writer.skipped.items())),
            chunks=writer.chunks,
            lanes=dict(sorted(writer.chunks_of.items())),
            zones=dict(sorted(writer.zones.items())) if wanted.by_zone else {},
            position=position,
        )

    async def ensure_cached(self, mailing: str, name: str) -> int:
        """Return the id of a frozen audience in the cache, made again from its object where it is gone."""
        found = await audience_rows.cached(self._engine, mailing, name)
        if found is not None:
            return found
        return await audience_rows.fill(self._engine, mailing, name, self._objects.open(name))

    async def _write(self, wanted: Wanted, path: Path) -> AudienceWriter:
        found = await dynamic.settled(self._engine, wanted.lists, clock.now().date())
        lists = [*wanted.lists, *found]
        async with reading(self._engine).connect() as conn:
            counts = await _by_provider(conn, lists)
            writer = AudienceWriter(path, providers.lanes(counts), wanted.chunk_size)
            everyone = int(await conn.scalar(select(func.count()).select_from(CONTACTS)) or 0)
            many = sum(counts.values()) > max(_FEW, everyone // 20)
            blocked = await blocked_domains.names(conn)
            async for rows, blocks in _pages(conn, lists, many=many):
                blocked_domains.mark(rows, blocks, blocked)
                if wanted.by_zone:
                    writer.zone_of = await contact_zones.of(conn, {row[1] for row in rows})
                as_listed = [(*row[:2], found.get(row[2], row[2]), *row[3:]) for row in rows] if found else rows
                await asyncio.to_thread(writer.add, _judged(as_listed, blocks))
        return writer


async def _file(path: Path) -> AsyncIterator[bytes]:
    with path.open("rb") as file:
        while piece := await asyncio.to_thread(file.read, 65_536):
            yield piece


async def _by_provider(conn: AsyncConnection, lists: Sequence[str]) -> dict[str, int]:
    members = select(MEMBERS.c.contact).where(MEMBERS.c.list.in_(lists)).distinct().subquery()
    rows = await conn.execute(
        select(CONTACTS.c.provider, func.count())
        .join(members, members.c.contact == CONTACTS.c.id)
        .group_by(CONTACTS.c.provider)
    )
    return {str(row[0]): int(row[1]) for row in rows}


async def _pages(conn: AsyncConnection, lists: Sequence[str], *, many: bool) -> AsyncIterator[tuple[list[Row], Blocks]]:
    """Yield rows ordered by address; all rows of one address come in one page."""
    c, m = CONTACTS.c, MEMBERS.c
    member = and_(m.contact == c.id, m.list.in_(lists))
    columns = select(func.coalesce(c.address_key, ""), c.id, m.list, c.address, c.provider, c.size)
    # Where most contacts are on the lists, the outer join has SQLite walk along the addresses; an inner one would let
    # it read the lists first and sort all of them for every page.
    ordered = columns.join_from(CONTACTS, MEMBERS, member, isouter=many).order_by(c.address_key, c.id, m.list)
    nobody = [_row(row) for row in await conn.execute(ordered.where(c.address_key.is_(None)))]
    if nobody:
        yield [row for row in nobody if row[2]], {}
    last: tuple[str, str, str] | None = None
    held: list[Row] = []
    while True:
        query = ordered.where(c.address_key.is_not(None)).limit(PAGE)
        if last is not None:
            after = or_(c.id > last[1], and_(c.id == last[1], m.list > last[2]))
            query = query.where(and_(c.address_key >= last[0], or_(c.address_key > last[0], after)))
        found = [_row(row) for row in await conn.execute(query)]
        rows = held + found
        if len(found) == PAGE:  # the last address may go on in the next page
            held = [row for row in rows if row[0] == rows[-1][0]]
            rows = rows[: len(rows) - len(held)]
            last = (found[-1][0], found[-1][1], found[-1][2])
        rows = [row for row in rows if row[2]]
        if rows:
            yield rows, await _blocks(conn, rows[0][0], rows[-1][0])
        if len(found) < PAGE:
            return


def _row(row: Sequence[Any]) -> Row:
    return row[0], row[1], row[2] or "", row[3], row[4], row[5]


async def _blocks(conn: AsyncConnection, first: str, last: str) -> Blocks:
    s = SUPPRESSION.c
    rows = await conn.execute(
        select(s.address_key, s.scope, s.blocked).where(s.address_key.between(first, last) & (s.blocked != ""))
    )
    blocks: Blocks = {}
    for key, scope, blocked in rows:
        blocks.setdefault(key, {})[scope] = blocked
    return blocks


def _judged(rows: Iterable[Row], blocks: Blocks) -> list[tuple[str, list[str], str, int] | Skipped]:
    judged: list[tuple[str, list[str], str, int] | Skipped] = []
    for key, same in groupby(rows, itemgetter(0)):
        first, *others = same
        names = list(dict.fromkeys([first[2], *(row[2] for row in others)]))
        if not key or not first[3]:
            left_out = dict.fromkeys([first[1], *(row[1] for row in others)])
            judged += [Skipped(contact, [], "no_address") for contact in left_out]
            continue
        for contact in dict.fromkeys(row[1] for row in others) if others else ():
            if contact != first[1]:
                judged.append(Skipped(contact, [], "duplicate"))
        blocked = blocks.get(key, _FREE)
        left = [name for name in names if name not in blocked] if blocked else names
        if EVERYTHING in blocked:
            judged.append(Skipped(first[1], names, blocked[EVERYTHING]))
        elif not left:
            why = {blocked[name] for name in names}
            judged.append(Skipped(first[1], names, next((one for one in _WORST if one in why), "opted_out")))
        elif not _valid(first[3]):
            judged.append(Skipped(first[1], names, "invalid_address"))
        else:
            judged.append((first[1], left, first[4], first[5]))
    return judged


def _valid(address: str) -> bool:
    try:
        parse(address)
    except AddressError:  # left out with its reason
        return False
    return True


def digest(data: bytes) -> str:
    """Return the name under which an object with these bytes is stored."""
    return hashlib.sha256(data).hexdigest()
