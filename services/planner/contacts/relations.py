"""Relations: a record (a person) belongs to another of its source (an account), whose fields it can be addressed with.

What is known of accounts stands here, for an account needs no address; one that has any counts as its own. Its name
and fields are laid over the contacts of its people, and its own, as `account.<field>`: templates, rules and previews
know them as any field. `note` says in the transaction of intake what is to be laid anew, whichever of the two came
first; `settle` does it, some records at a time, and goes on where a crash stopped it.
"""

from collections.abc import Collection, Iterable, Mapping
from typing import Any

import orjson
from sqlalchemy import Column, Index, Integer, String, Table, Text, bindparam, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from services.planner.contacts import contacts, lists
from services.planner.contacts.claims import CLAIMS
from services.planner.contacts.contacts import CONTACTS
from services.planner.contacts.incoming import incoming
from services.planner.contacts.lists import MEMBERS
from services.planner.schema import METADATA, execute_many, insert, rows_in, values_of
from shared.bulk import among
from shared.contracts.intake import ContactUpserted
from shared.contracts.records import ACCOUNT
from shared.database import reading

ACCOUNTS = Table(
    "source_accounts",
    METADATA,
    Column("record", String(20), primary_key=True),
    Column("fields", Text, nullable=False),
)
"""What is known of each account, as people get it."""
RELATIONS = Table(
    "source_relations",
    METADATA,
    Column("record", String(20), primary_key=True),
    Column("account", String(20), nullable=False, index=True),  # "" for none any more
    Column("owing", Integer, nullable=False),
    Column("given", Text, nullable=False),
    Index("source_relations_owing", "owing", sqlite_where=text("owing = 1"), postgresql_where=text("owing = 1")),
)
"""Of which account a record is, whether its fields are still to be laid over, and which it has of it."""

PREFIX = f"{ACCOUNT}."
_AT_ONCE = 100
_LONGEST = 64


def of_account(news: ContactUpserted) -> dict[str, str]:
    """Return what people of an account get."""
    told = news.fields | ({"name": news.name} if news.name else {})
    return {PREFIX + name: value for name, value in told.items() if len(PREFIX + name) <= _LONGEST}


async def note(conn: AsyncConnection, told: Iterable[tuple[str, str, ContactUpserted]]) -> None:
    """Note what records say now, each by its key and the key of its account ("" where it names none)."""
    news = {record: (account, data) for record, account, data in told}
    if not news:
        return
    people = await _there(conn, RELATIONS, news)
    whose = {record: account or (record if data.kind == ACCOUNT else "") for record, (account, data) in news.items()}
    rows = [(record, account, 1, "[]") for record, account in whose.items() if account or record in people]
    put = insert(conn, RELATIONS).values(values_of(RELATIONS, "record", "account", "owing", "given"))
    moved = {"account": put.excluded.account, "owing": put.excluded.owing}
    await execute_many(conn, put.on_conflict_do_update(index_elements=["record"], set_=moved), rows)
    known = await _there(conn, ACCOUNTS, news)
    fields = {
        record: orjson.dumps(of_account(data) if data.kind == ACCOUNT else {}, option=orjson.OPT_SORT_KEYS).decode()
        for record, (_, data) in news.items()
        if data.kind == ACCOUNT or record in known
    }
    changed = [(record, packed) for record, packed in fields.items() if known.get(record) != packed]
    put = insert(conn, ACCOUNTS).values(values_of(ACCOUNTS, "record", "fields"))
    newer = {"fields": put.excluded.fields}
    await execute_many(conn, put.on_conflict_do_update(index_elements=["record"], set_=newer), changed)
    if changed:
        theirs = among(conn, RELATIONS.c.account, [record for record, _ in changed])
        await conn.execute(update(RELATIONS).where(theirs).values(owing=1))


async def settle(engine: AsyncEngine) -> bool:
    """Lay over what is owed; tell whether anything was."""
    done = False
    while await _settle_some(engine):
        done = True
    return done


async def _settle_some(engine: AsyncEngine) -> bool:
    owed = select(RELATIONS).where(text("owing = 1")).order_by(RELATIONS.c.record).limit(_AT_ONCE)
    async with reading(engine).connect() as conn:
        if (await conn.execute(owed.limit(1))).first() is None:
            return False
    async with engine.begin() as conn:
        await contacts.lock(conn)
        people = (await conn.execute(owed)).all()
        accounts = await _there(conn, ACCOUNTS, {row.account for row in people})
        given: dict[str, list[str]] = {}
        lay: dict[str, Mapping[str, str]] = {}
        for row in people:
            fields: dict[str, str] = orjson.loads(accounts.get(row.account, "{}"))
            gone = [name for name in orjson.loads(row.given) if name not in fields]
            lay[row.record], given[row.record] = fields | dict.fromkeys(gone, ""), sorted(fields)
        await _lay_over(conn, lay)
        done = update(RELATIONS).where(RELATIONS.c.record == bindparam("of")).values(owing=0, given=bindparam("has"))
        await conn.execute(
            done, [{"of": record, "has": orjson.dumps(names).decode()} for record, names in given.items()]
        )
    return True


async def _lay_over(conn: AsyncConnection, fields: Mapping[str, Mapping[str, str]]) -> None:
    """Lay fields over the contacts of records."""
    c = CONTACTS.c
    query = select(CLAIMS.c.record, c.id, c.address, c.address_key).join(CLAIMS, CLAIMS.c.contact == c.id)
    found = await rows_in(conn, query.where(c.address_key.is_not(None)), CLAIMS.c.record, fields)
    rows = [incoming(row.address, row.address_key, None, fields[row.record]) for row in found if fields[row.record]]
    if not rows:
        return
    await contacts.upsert(conn, rows)
    names = sorted({name for each in fields.values() for name, value in each.items() if value})
    on = select(MEMBERS.c.list).where(MEMBERS.c.contact.in_([row.id for row in found])).distinct()
    for list_id in sorted(await conn.scalars(on)):
        await lists.add_fields(conn, list_id, names)


async def _there(conn: AsyncConnection, table: Table, records: Collection[str]) -> dict[str, Any]:
    """Return the rows that there are: record -> its second column."""
    keys = [record for record in records if record]
    return {record: value for record, value, *_ in await rows_in(conn, select(table), table.c.record, keys)}
