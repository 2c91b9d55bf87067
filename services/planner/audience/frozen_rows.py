"""The frozen audience as rows: a cache of the AUDIENCE object, filled in short transactions, rebuilt when it is gone.

What is planned, listed and shown comes from here; what is true stands in the object. A fill that a crash interrupts
goes on where it stopped.
"""

import re
from collections.abc import AsyncIterator, Sequence
from typing import Any

from sqlalchemy import Boolean, Column, ColumnElement, Integer, String, Table, Text, delete, select, true, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from services.planner.audience.frozen_object import AudienceError, AudienceReader, Line, Recipient, Skipped, pieces
from services.planner.contacts import claims
from services.planner.contacts.contacts import CONTACTS
from services.planner.schema import METADATA, execute_many, insert, values_of
from shared.bulk import append_rows
from shared.contracts.commands import Audience
from shared.database import in_turn, reading

SLICE = 2_000
_CURSOR = re.compile(r"(?:[rs]:[0-9]{1,9}|r:[0-9]{1,9}:[0-9]{1,9})?")
_FEED = 8_192  # compressed bytes read in one go: some 1,500 lines

AUDIENCES = Table(
    "audiences",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("mailing", String(24), nullable=False, index=True),
    Column("object", String(64), nullable=False),
    Column("lines", Integer, nullable=False),
    Column("complete", Boolean, nullable=False),
)
ROWS = Table(
    "audience_rows",
    METADATA,
    Column("audience", Integer, primary_key=True),
    Column("n", Integer, primary_key=True),
    Column("idx", Integer, primary_key=True),
    Column("contact", String(12), nullable=False),
    Column("lists", Text, nullable=False),
    sqlite_with_rowid=False,
)
SKIPPED = Table(
    "audience_skipped",
    METADATA,
    Column("audience", Integer, primary_key=True),
    Column("line", Integer, primary_key=True),
    Column("contact", String(12), nullable=False),
    Column("lists", Text, nullable=False),
    Column("reason", String(24), nullable=False),
    sqlite_with_rowid=False,
)
PIECES = Table(
    "audience_pieces",
    METADATA,
    Column("audience", Integer, primary_key=True),
    Column("n", Integer, primary_key=True),
    Column("lane", String(24), nullable=False),
    Column("size", Integer, nullable=False),
    Column("zone", String(40), nullable=False, server_default=""),
    Column("version", String(1), nullable=False, server_default=""),
)


async def cached(engine: AsyncEngine, mailing: str, name: str) -> int | None:
    """Return the id of the whole audience in the cache, None where it is not, or not wholly."""
    async with reading(engine).connect() as conn:
        row = await _find(conn, mailing, name)
    return None if row is None or not row["complete"] else int(row["id"])


async def fill(engine: AsyncEngine, mailing: str, name: str, source: AsyncIterator[bytes]) -> int:
    """Take the object `name` into the cache and return its id.

    Raises:
        AudienceError: The object is not whole, or what was frozen before is being removed.
    """
    async with engine.begin() as conn:
        await in_turn(conn, "audiences")
        row = await _find(conn, mailing, name)
        if row is None:
            await conn.execute(AUDIENCES.insert().values(mailing=mailing, object=name, lines=0, complete=False))
            row = await _find(conn, mailing, name)
    if row is None or row["complete"]:
        return 0 if row is None else int(row["id"])
    audience, done, line = int(row["id"]), int(row["lines"]), 0
    reader, batch = AudienceReader(), list[Line]()
    async for piece in source:
        for start in range(0, len(piece), _FEED):
            for parsed in reader.feed(piece[start : start + _FEED]):
                line += 1
                if line > done:
                    batch.append(parsed)
            if len(batch) >= SLICE:
                await _store(engine, audience, line, batch)
                batch = []
    if not reader.ended:
        raise AudienceError(f"audience {name} of mailing {mailing} is not whole")
    await _store(engine, audience, line, batch)
    async with engine.begin() as conn:
        whole = (AUDIENCES.c.id == audience) & (AUDIENCES.c.lines == line)
        if not (await conn.execute(update(AUDIENCES).where(whole).values(complete=True))).rowcount:
            raise AudienceError(f"audience {name} of mailing {mailing} was forgotten while it was filled")
    return audience


async def _find(conn: AsyncConnection, mailing: str, name: str) -> dict[str, Any] | None:
    c = AUDIENCES.c
    found = await conn.execute(select(AUDIENCES).where((c.mailing == mailing) & (c.object == name)).order_by(c.id))
    row = found.mappings().first()
    return None if row is None else dict(row)


async def _store(engine: AsyncEngine, audience: int, upto: int, batch: Sequence[Line]) -> None:
    recipients = [each for each in batch if isinstance(each, Recipient)]
    rows = [(audience, each.n, each.index, each.contact, ",".join(each.lists)) for each in recipients]
    sizes = [
        (audience, piece.n, piece.lane, piece.size, piece.zone, piece.version) for piece in pieces(recipients).values()
    ]
    first = upto - len(batch) + 1
    skipped = [
        (audience, line, each.contact, ",".join(each.lists), each.reason)
        for line, each in enumerate(batch, first)
        if isinstance(each, Skipped)
    ]
    async with engine.begin() as conn:
        c = AUDIENCES.c
        moved = await conn.execute(
            update(AUDIENCES).where((c.id == audience) & (c.lines == first - 1)).values(lines=upto)
        )
        if not moved.rowcount:  # another one fills it, too, and was here first
            return
        await append_rows(conn, ROWS, rows)
        await append_rows(conn, SKIPPED, skipped)
        add = insert(conn, PIECES).values(values_of(PIECES, *PIECES.c.keys()))
        more = {"size": PIECES.c.size + add.excluded.size}
        await execute_many(conn, add.on_conflict_do_update(index_elements=["audience", "n"], set_=more), sizes)


async def forget_others(engine: AsyncEngine, mailing: str, name: str) -> None:
    """Remove what was frozen before, piece by piece."""
    c = AUDIENCES.c
    async with reading(engine).connect() as conn:
        others = list(await conn.scalars(select(c.id).where((c.mailing == mailing) & (c.object != name))))
    for audience in others:
        async with engine.begin() as conn:
            await conn.execute(update(AUDIENCES).where(c.id == audience).values(complete=False, lines=-1))
        while await _forget_some(engine, audience):
            pass
        async with engine.begin() as conn:
            await conn.execute(delete(SKIPPED).where(SKIPPED.c.audience == audience))
            await conn.execute(delete(AUDIENCES).where(c.id == audience))


async def _forget_some(engine: AsyncEngine, audience: int) -> bool:
    p = PIECES.c
    async with engine.begin() as conn:
        some = list(await conn.scalars(select(p.n).where(p.audience == audience).limit(20)))
        if some:
            await conn.execute(delete(ROWS).where((ROWS.c.audience == audience) & ROWS.c.n.in_(some)))
            await conn.execute(delete(PIECES).where((p.audience == audience) & p.n.in_(some)))
    return bool(some)


def is_cursor(after: str) -> bool:
    """Tell whether `after` may be one of those that were given out, or "" for the first page."""
    return _CURSOR.fullmatch(after) is not None


async def page(conn: AsyncConnection, audience: int, wanted: Audience) -> list[dict[str, Any]]:
    """Return rows after the cursor `after`, recipients before those left out; each row holds its own `cursor`."""
    kind, _, place = wanted.after.partition(":")
    found: list[dict[str, Any]] = []
    if wanted.only != "skipped" and kind in ("", "r"):
        n, _, index = place.partition(":")
        r = ROWS.c
        behind = (r.n > int(n or 0)) | ((r.n == int(n or 0)) & (r.idx > int(index or -1)))
        found = await _recipients(conn, behind & _holds(wanted.search) & (r.audience == audience), wanted.limit)
        place = ""
    if wanted.only != "recipients" and len(found) < wanted.limit:
        s = SKIPPED.c
        some = (s.audience == audience) & (s.line > int(place or 0)) & _holds(wanted.search)
        found += await _left_out(conn, some, wanted.limit - len(found))
    slots = await claims.slots_of(conn, [row["contact"] for row in found])
    return [row | {"slot": claims.name_of(min(slots.get(row["contact"], {1})))} for row in found]


def _holds(search: str) -> ColumnElement[bool]:
    """Return the condition that address or name of a contact holds these characters."""
    c = CONTACTS.c
    if not search:
        return true()
    return c.address.icontains(search, autoescape=True) | c.name.icontains(search, autoescape=True)


async def _recipients(conn: AsyncConnection, some: ColumnElement[bool], limit: int) -> list[dict[str, Any]]:
    r, c, p = ROWS.c, CONTACTS.c, PIECES.c
    rows = await conn.execute(
        select(r.contact, c.address, c.name, p.lane, r.n, r.idx)
        .outerjoin(CONTACTS, c.id == r.contact)
        .join(PIECES, (p.audience == r.audience) & (p.n == r.n))
        .where(some)
        .order_by(r.n, r.idx)
        .limit(limit)
    )
    return [
        {
            "contact": row.contact,
            "address": row.address or "",
            "name": row.name or "",
            "lane": row.lane,
            "n": row.n,
            "index": row.idx,
            "skipped": "",
            "cursor": f"r:{row.n}:{row.idx}",
        }
        for row in rows
    ]


async def _left_out(conn: AsyncConnection, some: ColumnElement[bool], limit: int) -> list[dict[str, Any]]:
    s, c = SKIPPED.c, CONTACTS.c
    rows = await conn.execute(
        select(s.line, s.contact, c.address, c.name, s.reason)
        .outerjoin(CONTACTS, c.id == s.contact)
        .where(some)
        .order_by(s.line)
        .limit(limit)
    )
    return [
        {
            "contact": row.contact,
            "address": row.address or "",
            "name": row.name or "",
            "lane": "",
            "n": None,
            "index": None,
            "skipped": row.reason,
            "cursor": f"s:{row.line}",
        }
        for row in rows
    ]
