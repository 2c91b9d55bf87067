"""Contacts: who can be written to, one row an address, with merge fields as JSON text.

`upsert` takes a batch of imported rows into the transaction of the caller: new ones are inserted, changed ones updated,
the rest left alone. A contact's id starts with its ordinal, so that rows that come together lie together on disk. Each
belongs to a page of the directory; a page whose names or addresses changed is marked in the same transaction. `size` is
what a contact takes in a payload.
"""

from base64 import b32encode
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from operator import itemgetter
from secrets import token_bytes
from typing import Any

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

from services.planner.incoming import Incoming, pack_fields
from services.planner.schema import METADATA, insert, values_of
from shared import clock
from shared.addresses import domain
from shared.bulk import append_rows, fetch, insert_into, run_many, update_rows
from shared.database import is_postgresql
from shared.providers import BUILT_IN, Providers

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
DIRTY_PAGES = Table(
    "dirty_pages",
    METADATA,
    Column("page", Integer, primary_key=True, autoincrement=False),
    Column("changes", BigInteger, nullable=False),
)

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_OURS = bytes.maketrans(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", _ALPHABET.encode())
_PAIRS = [high + low for high in _ALPHABET for low in _ALPHABET]


@dataclass(frozen=True, slots=True)
class Upserted:
    """What became of a batch: counts by row, the contact of each address key, and which of them are new."""

    added: int
    updated: int
    unchanged: int
    contacts: dict[str, str]
    new: frozenset[str]


@dataclass(slots=True)
class _Known:
    id: str
    address: str
    name: str
    fields: str
    page: int
    new: bool = False
    changed: bool = False


def contact_ids(ordinal: int) -> Iterator[str]:
    """Yield ids of 12 characters that sort as they are given, from an ordinal on: 35 bits of it, 25 by chance."""
    while True:
        high = ordinal >> 10
        head = f"{_PAIRS[high >> 15 & 1023]}{_PAIRS[high >> 5 & 1023]}{_ALPHABET[high & 31]}"
        chance = b32encode(token_bytes(5 * 640)).translate(_OURS).decode()  # 1,024 times five characters
        low = ordinal & 1023
        yield from (f"{head}{_PAIRS[low + i]}{chance[5 * i : 5 * i + 5]}" for i in range(1024 - low))
        ordinal += 1024 - low


async def upsert(conn: AsyncConnection, rows: Sequence[Incoming], providers: Providers = BUILT_IN) -> Upserted:
    """Take `rows` in; of two rows with one address the later one wins."""
    rows = sorted(rows, key=itemgetter(1))  # by address key: the index is then changed from left to right
    ordinal = await _next_ordinal(conn)
    known = await _known(conn, list(dict.fromkeys([row.address_key for row in rows])))
    first, counts, ids = ordinal, [0, 0, 0], contact_ids(ordinal)
    for row in rows:
        found = known.get(row.address_key)
        if found is None:
            known[row.address_key] = _Known(
                next(ids), row.address, row.name or "", row.fields, ordinal // PAGE, new=True
            )
            ordinal += 1
            counts[0] += 1
        elif _lay_over(found, row):
            counts[1] += 1
        else:
            counts[2] += 1
    if ordinal > first:
        await conn.execute(update(ORDINALS).values(next=ordinal))
    await _write(conn, known, providers)
    new = frozenset(each.id for each in known.values() if each.new)
    return Upserted(counts[0], counts[1], counts[2], {key: each.id for key, each in known.items()}, new)


def _lay_over(found: _Known, row: Incoming) -> bool:
    name = found.name if row.name is None else row.name
    fields = row.fields
    if fields != found.fields:
        laid = {**orjson.loads(found.fields), **orjson.loads(fields)}
        fields = pack_fields({field: value for field, value in laid.items() if field not in row.empty})
    if (row.address, name, fields) == (found.address, found.name, found.fields):
        return False
    found.address, found.name, found.fields = row.address, name, fields
    found.changed = True
    return True


async def _known(conn: AsyncConnection, keys: list[str]) -> dict[str, _Known]:
    given: Any = orjson.dumps(keys).decode()
    if is_postgresql(conn):
        given = keys
        # Statistics come long after the first rows: it would take one contact for all, and read the whole table.
        await conn.exec_driver_sql("SET LOCAL enable_seqscan = off")
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
    wanted = select(ORDINALS.c.next).with_for_update()
    found = await conn.scalar(wanted)
    if found is None:  # the first contacts of all
        await conn.execute(insert(conn, ORDINALS).values(one=1, next=0).on_conflict_do_nothing())
        found = await conn.scalar(wanted)
    return int(found or 0)


async def _write(conn: AsyncConnection, known: Mapping[str, _Known], providers: Providers) -> None:
    now = int(clock.now().timestamp() * 1000)
    new: list[tuple[Any, ...]] = []
    changed: list[tuple[Any, ...]] = []
    pages: set[int] = set()
    for key, each in known.items():
        if not each.new and not each.changed:
            continue
        pages.add(each.page)
        size = len(orjson.dumps([each.address, each.name])) + len(each.fields.encode())
        if each.new:
            kind = providers.of_domain(domain(each.address))
            values = (each.id, each.address, key, kind, each.name, each.fields, each.page, size, now, now)
            new.append(values)
        else:
            changed.append((each.id, each.address, each.name, each.fields, size, now))
    await append_rows(conn, CONTACTS, new)
    await update_rows(conn, CONTACTS, ("id", "address", "name", "fields", "size", "updated"), changed)
    await _mark(conn, pages)


async def mark_pages_of(conn: AsyncConnection, contacts: Collection[str]) -> None:
    """Have the pages of these contacts published again."""
    await _mark(conn, set(await conn.scalars(select(CONTACTS.c.page).where(CONTACTS.c.id.in_(contacts)).distinct())))


async def _mark(conn: AsyncConnection, pages: Collection[int]) -> None:
    await run_many(conn, _mark_sql(conn.dialect), [(page, 1) for page in sorted(pages)])


@lru_cache(2)
def _mark_sql(dialect: Dialect) -> str:
    mark = insert_into(dialect, DIRTY_PAGES).values(values_of(DIRTY_PAGES, "page", "changes"))
    count = {"changes": DIRTY_PAGES.c.changes + mark.excluded.changes}
    return str(mark.on_conflict_do_update(index_elements=[DIRTY_PAGES.c.page], set_=count).compile(dialect=dialect))
