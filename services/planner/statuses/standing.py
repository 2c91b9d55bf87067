"""The status of a customer as it is now: what its own system said, or what a campaign set, whichever happened last.

In go contacts, out comes the status of each that has one, the same for all addresses of a record. Templates ask for it
as the field `person.status` when a chunk is planned; rules look at it as at a field, in the text of `contacts.search`,
which is written anew where `note_changes` finds statuses that were set since it looked last. Of what happened in the
same second the word of the customer's system holds, then the furthest outcome.
"""

import time
from collections.abc import Collection, Iterable
from typing import NamedTuple

from sqlalchemy import BigInteger, Column, Integer, Table, delete, func, select, union
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from services.planner.contacts.claims import CLAIMS
from services.planner.contacts.contacts import CONTACTS, UNREAD_PAGES, mark
from services.planner.contacts.sources import SAID
from services.planner.schema import METADATA, insert, rows_in
from services.planner.statuses.moving import rank
from services.planner.statuses.status_facts import STATUSES
from shared.contracts.records import STATUS
from shared.database import in_turn, reading

SEEN = Table(
    "statuses_seen",
    METADATA,
    Column("one", Integer, primary_key=True, autoincrement=False),
    Column("seq", BigInteger, nullable=False),
)
"""Up to which sequence of the log rules know of statuses that were set."""

SAID_BY_ITSELF = 99
"""Beyond the rank of every outcome."""


class Word(NamedTuple):
    """One status of a customer, what counts first: when it happened, how far that is, of which campaign."""

    at: int
    rank: int
    campaign: str
    status: str


def latest(words: Iterable[tuple[str, Word]]) -> dict[str, str]:
    """Return the status of each customer."""
    found: dict[str, Word] = {}
    for customer, word in words:
        found[customer] = max(word, found.get(customer, word))
    return {customer: word.status for customer, word in found.items()}


async def of_contacts(conn: AsyncConnection, contacts: Collection[str]) -> dict[str, str]:
    """Return the status of those contacts that have one."""
    if not contacts or not await _any(conn):
        return {}
    c, s = CLAIMS.c, STATUSES.c
    wanted = sorted(contacts)
    records = {
        str(contact): str(record)
        for contact, record in await rows_in(
            conn, select(c.contact, func.min(c.record)).group_by(c.contact), c.contact, wanted
        )
    }
    beside = await rows_in(conn, select(c.record, c.contact), c.record, sorted(set(records.values())))
    customers = {str(contact): str(record) for record, contact in beside} | records
    set_ = await rows_in(
        conn, select(s.contact, s.at, s.outcome, s.campaign, s.status), s.contact, sorted({*wanted, *customers})
    )
    said = await rows_in(
        conn, select(SAID.c.record, SAID.c.at, SAID.c.status), SAID.c.record, sorted(set(records.values()))
    )
    words = [(customers.get(who, who), Word(at, rank(outcome), of, text)) for who, at, outcome, of, text in set_]
    found = latest([*words, *((str(record), Word(at, SAID_BY_ITSELF, "", text)) for record, at, text in said)])
    return {who: found[of] for who in wanted if (of := customers.get(who, who)) in found}


async def field_of(conn: AsyncConnection, contact: str) -> dict[str, str]:
    """Return the merge field of one contact, empty where it has no status."""
    return {STATUS: (await of_contacts(conn, [contact])).get(contact, "")}


async def _any(conn: AsyncConnection) -> bool:
    """Tell whether anybody has a status: in most installations nobody has."""
    there = [select(table.c.status).limit(1) for table in (STATUSES, SAID)]
    return any([await conn.scalar(one) is not None for one in there])


_SEEN = func.coalesce(select(SEEN.c.seq).scalar_subquery(), 0)


async def note_changes(engine: AsyncEngine, ends: float | None = None) -> int:
    """Have rules look anew at whose status was set since this was asked last, an event in each transaction.

    Return how many statuses are left, where the time is over (`ends`, of the monotonic clock).
    """
    while await _note_next(engine):
        if ends is not None and time.monotonic() > ends:
            async with reading(engine).connect() as conn:
                left = select(func.count()).select_from(STATUSES).where(STATUSES.c.seq > _SEEN)
                return int(await conn.scalar(left) or 0)
    return 0


async def forget_seen(conn: AsyncConnection) -> None:
    """Have rules look anew at everybody: all statuses that were set are told again, by another log."""
    await mark(conn, UNREAD_PAGES, set(await conn.scalars(select(CONTACTS.c.page).distinct())))
    await conn.execute(delete(SEEN))


async def _note_next(engine: AsyncEngine) -> bool:
    s, c = STATUSES.c, CONTACTS.c
    async with reading(engine).connect() as conn:
        if await conn.scalar(select(s.seq).where(s.seq > _SEEN).limit(1)) is None:
            return False
    async with engine.begin() as conn:
        await in_turn(conn, "statuses_seen")
        seq = await conn.scalar(select(func.min(s.seq)).where(s.seq > _SEEN))
        if seq is None:  # another planner was faster
            return False
        moved = select(s.contact).where(s.seq == seq)
        theirs = select(CLAIMS.c.record).where(CLAIMS.c.contact.in_(moved))
        all_of_them = select(CLAIMS.c.contact).where(CLAIMS.c.record.in_(theirs))
        pages = await conn.scalars(select(c.page).where(c.id.in_(union(moved, all_of_them))).distinct())
        await mark(conn, UNREAD_PAGES, set(pages))
        put = insert(conn, SEEN).values(one=1, seq=seq)
        await conn.execute(put.on_conflict_do_update(index_elements=["one"], set_={"seq": seq}))
    return True
