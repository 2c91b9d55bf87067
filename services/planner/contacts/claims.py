"""Claims: which contacts are addresses of one customer, and which place each has there (decision 0033).

A contact is one address; a customer with several is a record that claims several contacts: up to three of its own, in
order, and those of its named contact persons. Whoever no record claims is a customer with one address. Records are
those of producers (`sources`) and of rows of files with several addresses.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Column, Integer, String, Table, and_, delete, func, select, text, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from services.planner.schema import METADATA, execute_many, insert, portions, rows_in, values_of
from shared.bulk import among
from shared.contracts.sources import SLOTS, AddressSlot
from shared.ids import derived_id

CLAIMS = Table(
    "source_contacts",
    METADATA,
    Column("record", String(20), primary_key=True),
    Column("contact", String(12), primary_key=True, index=True),
    Column("slot", Integer, nullable=False, server_default=text("1")),
)
PERSON = len(SLOTS)
"""The slot of a contact person; those before it are addresses of the customer's own, in order."""
REASON = "other_address"
"""Why a contact is left out of which another address is used."""


class Claim(NamedTuple):
    """An address of a row of a file that has several: `first` is the address key of the row's first one."""

    first: str
    address_key: str
    slot: int


def of_row(first: str) -> str:
    """Return the record of a row of a file, by the address key of its first address."""
    return derived_id("record", "", first, length=20)


def name_of(slot: int) -> AddressSlot:
    """Return what a slot is called."""
    return SLOTS[min(slot, PERSON) - 1]


async def put(conn: AsyncConnection, rows: Sequence[tuple[str, str, int]]) -> None:
    """Let records claim contacts in a slot."""
    claim = insert(conn, CLAIMS).values(values_of(CLAIMS, "record", "contact", "slot"))
    moved = claim.on_conflict_do_update(index_elements=["record", "contact"], set_={"slot": claim.excluded.slot})
    await execute_many(conn, moved, rows)


async def put_rows(conn: AsyncConnection, claims: Iterable[Claim], contacts: Mapping[str, str]) -> set[str]:
    """Claim what rows of a file say, in place of who had the slot; return the contacts, given by address key.

    Those that lost their place are among the returned.
    """
    rows = {(of_row(each.first), contacts[each.address_key]): each.slot for each in claims}
    own = [(record, slot) for (record, _), slot in rows.items() if slot != PERSON]
    c = CLAIMS.c
    moved = {contact for _, contact in rows}
    for part in portions(own):
        had = tuple_(c.record, c.slot).in_(part)
        moved.update(await conn.scalars(select(c.contact).where(had)))
        await conn.execute(delete(CLAIMS).where(had))
    await put(conn, [(*key, slot) for key, slot in rows.items()])
    return moved


async def several(conn: AsyncConnection) -> bool:
    """Tell whether any customer has more than one address."""
    return await conn.scalar(select(CLAIMS.c.slot).where(CLAIMS.c.slot > 1).limit(1)) is not None


async def slots_of(conn: AsyncConnection, contacts: Collection[str]) -> dict[str, set[int]]:
    """Return the slots that records have for these contacts; nothing for whoever no record claims."""
    c, found = CLAIMS.c, dict[str, set[int]]()
    for contact, slot in await rows_in(conn, select(c.contact, c.slot), c.contact, contacts):
        found.setdefault(contact, set()).add(int(slot))
    return found


async def records_of(conn: AsyncConnection, contacts: Collection[str]) -> dict[str, str]:
    """Return the customer of those of these contacts that share theirs: the key of their (first) record."""
    c = CLAIMS.c
    first = select(c.contact, func.min(c.record).label("record")).group_by(c.contact)
    mine = first.where(among(conn, c.contact, contacts)).subquery()
    several = select(c.record).group_by(c.record).having(func.count() > 1)
    shared = several.where(c.record.in_(select(mine.c.record)))
    rows = await conn.execute(select(mine.c.contact, mine.c.record).where(mine.c.record.in_(shared)))
    return {str(contact): str(record) for contact, record in rows}


def others(wanted: Collection[AddressSlot], slots: Mapping[str, set[int]], by_hand: Collection[str]) -> set[str]:
    """Return the contacts of which another address is used; whoever was added by hand gets it all the same."""
    chosen = {SLOTS.index(name) + 1 for name in wanted}
    found = {contact for contact, held in slots.items() if not held & chosen}
    return found.difference(by_hand)


async def customers(conn: AsyncConnection, table: Table, *where: Any) -> int:  # noqa: ANN401 - conditions
    """Return how many customers stand behind the contacts of some rows."""
    rows = select(table.c.contact).where(*where).subquery()
    c = CLAIMS.c
    firsts = select(c.contact, func.min(c.record).label("record")).group_by(c.contact).subquery()
    joined = rows.outerjoin(firsts, and_(firsts.c.contact == rows.c.contact))
    who = func.coalesce(firsts.c.record, rows.c.contact)
    return int(await conn.scalar(select(func.count(who.distinct())).select_from(joined)) or 0)
