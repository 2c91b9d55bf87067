"""Contacts: who can be written to, one row an address, with merge fields as JSON text.

`upsert` takes a batch of imported rows into the transaction of the caller: new ones are inserted, changed ones updated,
the rest left alone. A contact's id starts with its ordinal, so that rows that come together lie together on disk. Each
belongs to a page; a page of which something changed is marked in the same transaction, for the directory and for what
rules look at (`search`). `size` is what a contact takes in a payload.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from operator import itemgetter
from secrets import token_bytes
from typing import Any, NamedTuple

import orjson
from sqlalchemy import (
    ARRAY,
    BigInteger,
    Column,
    ColumnElement,
    Integer,
    String,
    Table,
    Text,
    any_,
    bindparam,
    func,
    select,
    update,
)
from sqlalchemy.engine import Dialect
from sqlalchemy.ext.asyncio import AsyncConnection

from services.planner.contacts.incoming import Incoming, pack_fields, size_of
from services.planner.schema import METADATA, insert
from shared import clock
from shared.bulk import among, append_rows, by_index, fetch, inserting, run_at_once, run_many, update_rows
from shared.database import is_postgresql

PAGE = 256

CONTACTS = Table(
    "contacts",
    METADATA,
    Column("id", String(12), primary_key=True),
    Column("address", Text, nullable=False),
    Column("address_key", String(16), index=True),
    Column("provider", String(16), nullable=False),
    Column("name", Text, nullable=False),
    Column("fields", Text, nullable=False),
    Column("page", Integer, nullable=False, index=True),
    Column("size", Integer, nullable=False),
    Column("created", BigInteger, nullable=False),
    Column("updated", BigInteger, nullable=False),
)
ORDINALS = Table(
    "contact_ordinals",
    METADATA,
    Column("one", Integer, primary_key=True, autoincrement=False),
    Column("next", BigInteger, nullable=False),
)


def _marks(name: str) -> Table:
    page = Column("page", Integer, primary_key=True, autoincrement=False)
    return Table(name, METADATA, page, Column("changes", BigInteger, nullable=False))


DIRTY_PAGES = _marks("dirty_pages")
"""Pages of which the directory does not know the latest."""
UNREAD_PAGES = _marks("unread_pages")
"""Pages of which rules do not see the latest."""

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_LETTERS = _ALPHABET.encode() * 8
"""A letter for each byte: five bits of it count."""
_PAIRS = [high + low for high in _ALPHABET for low in _ALPHABET]


@dataclass(frozen=True, slots=True)
class Upserted:
    """What became of a batch: the contact of each address key, known before or new, and counts by row."""

    known: dict[str, str]
    new: dict[str, str]
    updated: int
    unchanged: int

    @property
    def added(self) -> int:
        """How many contacts are new."""
        return len(self.new)

    @property
    def contacts(self) -> dict[str, str]:
        """The contact of each address key."""
        return self.known | self.new


class Holder(NamedTuple):
    """Who has an address."""

    contact: str
    name: str
    fields: dict[str, str]


class _Known(NamedTuple):
    id: str
    address: str
    name: str
    fields: str
    page: int


def contact_ids(ordinal: int) -> Iterator[str]:
    """Yield ids of 12 characters that sort as they are given, from an ordinal on: 35 bits of it, 25 by chance."""
    while True:
        high = ordinal >> 10
        head = f"{_PAIRS[high >> 15 & 1023]}{_PAIRS[high >> 5 & 1023]}{_ALPHABET[high & 31]}"
        chance = token_bytes(5 * 1024).translate(_LETTERS).decode()
        low = ordinal & 1023
        yield from (f"{head}{_PAIRS[low + i]}{chance[5 * i : 5 * i + 5]}" for i in range(1024 - low))
        ordinal += 1024 - low


async def holder(conn: AsyncConnection, address_key: str) -> Holder | None:
    """Return the contact that has an address, None where nobody has it."""
    c = CONTACTS.c
    row = (await conn.execute(select(c.id, c.name, c.fields).where(c.address_key == address_key))).one_or_none()
    return None if row is None else Holder(row[0], row[1], orjson.loads(row[2]))


async def upsert(conn: AsyncConnection, rows: Sequence[Incoming]) -> Upserted:
    """Take `rows` in; of two rows with one address the later one wins."""
    rows = sorted(rows, key=itemgetter(1))  # by address key: the index is then changed from left to right
    ordinal = await _next_ordinal(conn)
    known = await _known(conn, list(dict.fromkeys([row.address_key for row in rows])))
    new: dict[str, Incoming] = {}
    changed: dict[str, _Known] = {}
    updated = 0
    for row in rows:
        key = row.address_key
        if (found := known.get(key)) is not None:
            if (laid := _laid_over(found.address, found.name, found.fields, row)) is not None:
                known[key] = changed[key] = _Known(found.id, *laid, found.page)
                updated += 1
        elif (first := new.get(key)) is None:
            new[key] = row
        elif (laid := _laid_over(first.address, first.name or "", first.fields, row)) is not None:
            new[key] = first.laid(*laid)
            updated += 1
    ids = await _insert(conn, ordinal, new.values())
    await _change(conn, changed.values())
    pages = {each.page for each in changed.values()}
    if ids:
        pages.update(range(ordinal // PAGE, (ordinal + len(ids) - 1) // PAGE + 1))
    await mark(conn, DIRTY_PAGES, pages)
    await mark(conn, UNREAD_PAGES, pages)
    unchanged = len(rows) - updated - len(new)
    return Upserted({key: each.id for key, each in known.items()}, dict(zip(new, ids, strict=True)), updated, unchanged)


def _laid_over(address: str, name: str, fields: str, row: Incoming) -> tuple[str, str, str] | None:
    """Return address, name and fields of a contact after a row, None where it is as it was."""
    named, given = name if row.name is None else row.name, row.fields
    if given != fields:
        laid = {**orjson.loads(fields), **orjson.loads(given)}
        given = pack_fields({field: value for field, value in laid.items() if field not in row.empty})
    after = (row.address, named, given)
    return None if after == (address, name, fields) else after


async def _known(conn: AsyncConnection, keys: list[str]) -> dict[str, _Known]:
    given: Any = orjson.dumps(keys).decode()
    if is_postgresql(conn):
        given = keys
        await by_index(conn)
    rows = await fetch(conn, known_sql(conn.dialect), (given,))
    return {row[0]: _Known(*row[1:]) for row in rows}


@lru_cache(2)
def known_sql(dialect: Dialect) -> str:
    """Return the look-up of contacts by their address keys: one parameter, however many there are."""
    c = CONTACTS.c
    wanted: ColumnElement[bool] = c.address_key == any_(bindparam("keys", type_=ARRAY(String)))
    if dialect.name != "postgresql":
        given = func.json_each(bindparam("keys", type_=Text)).table_valued("value")
        wanted = c.address_key.in_(select(given.c.value))
    look_up = select(c.address_key, c.id, c.address, c.name, c.fields, c.page).where(wanted)
    return str(look_up.compile(dialect=dialect))


async def lock(conn: AsyncConnection) -> None:
    """Keep other transactions from changing contacts until this one ends."""
    await _next_ordinal(conn)


async def _next_ordinal(conn: AsyncConnection) -> int:
    """Return the ordinal of the next new contact; nobody else adds any until the transaction ends."""
    wanted, _ = _ordinal_sql(conn.dialect)
    while not (found := list(await fetch(conn, wanted, ()))):  # the first contacts of all
        await conn.execute(insert(conn, ORDINALS).values(one=1, next=0).on_conflict_do_nothing())
    return int(found[0][0])


@lru_cache(2)
def _ordinal_sql(dialect: Dialect) -> tuple[str, str]:
    """Return how the next ordinal is read, and how it is set."""
    read = select(ORDINALS.c.next).with_for_update()
    put = update(ORDINALS).values(next=bindparam("next", type_=BigInteger))
    return str(read.compile(dialect=dialect)), str(put.compile(dialect=dialect))


async def _insert(conn: AsyncConnection, ordinal: int, new: Collection[Incoming]) -> list[str]:
    """Insert contacts, the first with this ordinal; return their ids."""
    if not new:
        return []
    now = clock.millis()
    ids = list(islice(contact_ids(ordinal), len(new)))
    places = range(ordinal, ordinal + len(new))
    rows = [
        (of, row.address, row.address_key, row.provider, row.name or "", row.fields, at // PAGE, row.size, now, now)
        for of, at, row in zip(ids, places, new, strict=True)
    ]
    _, put = _ordinal_sql(conn.dialect)
    await run_many(conn, put, [(places.stop,)])
    await append_rows(conn, CONTACTS, rows)
    return ids


async def _change(conn: AsyncConnection, changed: Collection[_Known]) -> None:
    now = clock.millis()
    rows = [(of, *laid, size_of(*laid), now) for of, *laid, _ in changed]
    await update_rows(conn, CONTACTS, ("id", "address", "name", "fields", "size", "updated"), rows)


async def mark_pages_of(conn: AsyncConnection, contacts: Collection[str]) -> None:
    """Have the pages of these contacts published again, and looked at anew by rules."""
    pages = set(await conn.scalars(select(CONTACTS.c.page).where(among(conn, CONTACTS.c.id, contacts)).distinct()))
    await mark(conn, DIRTY_PAGES, pages)
    await mark(conn, UNREAD_PAGES, pages)


async def mark(conn: AsyncConnection, marks: Table, pages: Collection[int]) -> None:
    """Note that something changed in these pages."""
    await run_at_once(conn, _mark_sql(conn.dialect, marks), [(page, 1) for page in sorted(pages)])


@lru_cache(4)
def _mark_sql(dialect: Dialect, marks: Table) -> str:
    mark = inserting(dialect, marks, ("page", "changes"))
    count = {"changes": marks.c.changes + mark.excluded.changes}
    return str(mark.on_conflict_do_update(index_elements=[marks.c.page], set_=count).compile(dialect=dialect))
