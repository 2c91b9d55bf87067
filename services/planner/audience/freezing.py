"""Freezing an audience: who gets the mailing, in which chunk, and why each of the others does not.

In go the lists of the campaign, or whatever sources were chosen (`candidates`); contacts are read in pages
ordered by address key, so memory holds one page. Out comes the AUDIENCE object (put under its hash), its cache in SQL,
and the AudienceFrozen to append. Suppression is as the facts have it after the last consent that stood in the log when
freezing began. Every step can be repeated after a crash.
"""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import Table, and_, func, literal, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from services.planner.audience import frozen_rows, outcomes, providers, sample
from services.planner.audience.candidates import CHOSEN, LEFT_OUT, Combined, combine, scratch
from services.planner.audience.choosing import Chosen
from services.planner.audience.frozen_object import AudienceWriter, Skipped
from services.planner.audience.frozen_rows import ROWS
from services.planner.audience.rules import Blocks, Row, judged
from services.planner.audience.sample import Draw
from services.planner.contacts import blocked_domains, claims, contact_zones
from services.planner.contacts.contacts import CONTACTS
from services.planner.contacts.lists import MEMBERS
from services.planner.facts import SUPPRESSION
from services.planner.segments import dynamic
from shared import clock
from shared.contracts.mailing import AudienceFrozen
from shared.contracts.mailing_settings import AbTest
from shared.database import reading
from shared.eventlog.objects import Objects
from shared.ids import new_id
from shared.steps import step

PAGE = 4_000
_FEW = 3 * PAGE


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to freeze: for which mailing, from which lists, in chunks of how many at most.

    Attributes:
        chosen: Sources beside the lists, who is left out, and who was added and removed by hand.
        scope: List whose opt-outs count for contacts that no list gives: the first of the campaign.
        sources: Mailing -> AUDIENCE object, of those that are a source.
        activities: Those that are a source.
        ab_test: Some of them are its sample.
    """

    mailing: str
    lists: Sequence[str]
    chunk_size: int
    by_zone: bool = False
    chosen: Chosen = field(default_factory=Chosen)
    scope: str = ""
    sources: Mapping[str, str] = field(default_factory=dict)
    activities: Sequence[str] = ()
    ab_test: AbTest | None = None


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
            await frozen_rows.fill(self._engine, wanted.mailing, name, _file(path))
            step("freeze.cached")
            customers = await self._customers(wanted.mailing, name, writer.recipients)
        finally:
            path.unlink(missing_ok=True)
        return AudienceFrozen(
            object=name,
            recipients=writer.recipients,
            skipped=dict(sorted(writer.skipped.items())),
            chunks=writer.chunks,
            lanes=dict(sorted(writer.chunks_of.items())),
            zones=dict(sorted(writer.zones.items())) if wanted.by_zone else {},
            sample=dict(sorted(writer.sample.items())),
            position=position,
            customers=customers,
        )

    async def _customers(self, mailing: str, name: str, recipients: int) -> int:
        """Return how many customers the recipients are."""
        async with reading(self._engine).connect() as conn:
            if not await claims.several(conn):
                return recipients
            audience = await frozen_rows.cached(self._engine, mailing, name)
            return await claims.customers(conn, ROWS, ROWS.c.audience == audience)

    async def ensure_cached(self, mailing: str, name: str) -> int:
        """Return the id of a frozen audience in the cache, made again from its object where it is gone."""
        found = await frozen_rows.cached(self._engine, mailing, name)
        if found is not None:
            return found
        return await frozen_rows.fill(self._engine, mailing, name, self._objects.open(name))

    async def _write(self, wanted: Wanted, path: Path) -> AudienceWriter:
        sources = wanted.chosen.sources
        named = {*wanted.lists, *sources.exclude, *([sources.helper.list] if sources.helper else ())}
        found = await dynamic.settled(self._engine, sorted(named), clock.now().date())
        if wanted.chosen.plain:
            async with reading(self._engine).connect() as conn:
                return await _write(conn, wanted, path, _Given(MEMBERS, found, [*wanted.lists, *found]))
        audiences = {mailing: await self.ensure_cached(mailing, name) for mailing, name in wanted.sources.items()}
        await outcomes.freshen(self._engine)
        now = int(clock.now().timestamp())
        combined = Combined(wanted.chosen, wanted.lists, wanted.scope, now, found, audiences, wanted.activities)
        async with scratch(self._engine) as conn:
            await combine(conn, combined)
            step("freeze.combined")
            return await _write(conn, wanted, path, _Given(CHOSEN, found))


@dataclass(frozen=True, slots=True)
class _Given:
    """The table that says who is on which list.

    Attributes:
        found: Ids under which stand whom rules of lists find -> their list.
        lists: Which of them count; None: all of them, less `LEFT_OUT`.
    """

    table: Table
    found: Mapping[str, str]
    lists: Sequence[str] | None = None


async def _write(conn: AsyncConnection, wanted: Wanted, path: Path, given: _Given) -> AudienceWriter:
    counts = await _by_provider(conn, given)
    writer = AudienceWriter(path, providers.lanes(counts), wanted.chunk_size)
    everyone = int(await conn.scalar(select(func.count()).select_from(CONTACTS)) or 0)
    many = sum(counts.values()) > max(_FEW, everyone // 20)
    if wanted.ab_test is not None:  # who is drawn depends on how many there are
        total = 0
        async for rows, blocks, _ in _listed(conn, given, wanted.chosen, many=many):
            total += await asyncio.to_thread(_recipients, judged(rows, blocks))
        versions = wanted.ab_test.letters
        writer.draw = Draw(wanted.mailing, versions, sample.size(wanted.ab_test, total), total)
    async for rows, blocks, slots in _listed(conn, given, wanted.chosen, many=many):
        if wanted.by_zone:
            writer.zone_of = await contact_zones.of(conn, {row[1] for row in rows})
        writer.slot_of = {contact: claims.name_of(min(held)) for contact, held in slots.items()}
        await asyncio.to_thread(writer.add, judged(rows, blocks))
    return writer


async def _listed(
    conn: AsyncConnection, given: _Given, chosen: Chosen, *, many: bool
) -> AsyncIterator[tuple[list[Row], Blocks, dict[str, set[int]]]]:
    """Yield pages of rows as `_pages` does, with the slots of contacts where any customer has several addresses.

    Blocked domains, and addresses that are not used, are marked; lists have their own ids.
    """
    found, blocked = given.found, await blocked_domains.names(conn)
    several = await claims.several(conn)
    async for rows, blocks in _pages(conn, given, many=many):
        blocked_domains.mark(rows, blocks, blocked)
        slots = await claims.slots_of(conn, {row[1] for row in rows}) if several else {}
        gone = claims.others(chosen.sources.addresses, slots, chosen.added)
        used = [(*row[:6], row[6] or claims.REASON) if row[1] in gone else row for row in rows] if gone else rows
        yield ([(*row[:2], found.get(row[2], row[2]), *row[3:]) for row in used] if found else used), blocks, slots


def _recipients(rows: Iterable[object]) -> int:
    return sum(not isinstance(row, Skipped) for row in rows)


async def _file(path: Path) -> AsyncIterator[bytes]:
    with path.open("rb") as file:
        while piece := await asyncio.to_thread(file.read, 65_536):
            yield piece


async def _by_provider(conn: AsyncConnection, given: _Given) -> dict[str, int]:
    everybody = select(given.table.c.contact)
    if given.lists is not None:
        everybody = everybody.where(given.table.c.list.in_(given.lists))
    members = everybody.distinct().subquery()
    rows = await conn.execute(
        select(CONTACTS.c.provider, func.count())
        .join(members, members.c.contact == CONTACTS.c.id)
        .group_by(CONTACTS.c.provider)
    )
    return {str(row[0]): int(row[1]) for row in rows}


async def _pages(conn: AsyncConnection, given: _Given, *, many: bool) -> AsyncIterator[tuple[list[Row], Blocks]]:
    """Yield rows ordered by address; all rows of one address come in one page."""
    c, m = CONTACTS.c, given.table.c
    member = m.contact == c.id if given.lists is None else and_(m.contact == c.id, m.list.in_(given.lists))
    why = literal("") if given.lists is not None else func.coalesce(LEFT_OUT.c.reason, "")
    columns = select(func.coalesce(c.address_key, ""), c.id, m.list, c.address, c.provider, c.size, why)
    # Where most contacts are on the lists, the outer join has SQLite walk along the addresses; an inner one would let
    # it read the lists first and sort all of them for every page.
    ordered = columns.join_from(CONTACTS, given.table, member, isouter=many).order_by(c.address_key, c.id, m.list)
    if given.lists is None:
        ordered = ordered.outerjoin(LEFT_OUT, LEFT_OUT.c.contact == c.id)
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
    return row[0], row[1], row[2] or "", row[3], row[4], row[5], row[6]


async def _blocks(conn: AsyncConnection, first: str, last: str) -> Blocks:
    s = SUPPRESSION.c
    rows = await conn.execute(
        select(s.address_key, s.scope, s.blocked).where(s.address_key.between(first, last) & (s.blocked != ""))
    )
    blocks: Blocks = {}
    for key, scope, blocked in rows:
        blocks.setdefault(key, {})[scope] = blocked
    return blocks


def digest(data: bytes) -> str:
    """Return the name under which an object with these bytes is stored."""
    return hashlib.sha256(data).hexdigest()
