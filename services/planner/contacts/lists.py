"""Lists of contacts: their names, members and merge fields.

The id of a list derives from its name, so the same name is the same list (consent is given by list id and outlives the
database). Membership is taken away where a producer says so, never by an import.
"""

from collections.abc import Collection, Iterable, Sequence
from typing import Any

from sqlalchemy import Column, ForeignKey, String, Table, Text, bindparam, delete, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from services.planner.schema import METADATA, insert
from shared.bulk import append_rows, insert_absent
from shared.ids import derived_id

LISTS = Table(
    "lists",
    METADATA,
    Column("id", String(24), primary_key=True),
    Column("name", Text, nullable=False, unique=True),
)
MEMBERS = Table(
    "members",
    METADATA,
    Column("list", String(24), primary_key=True),  # no foreign key: PostgreSQL would look each row's list up
    Column("contact", String(12), primary_key=True),
    sqlite_with_rowid=False,
)
CONFIRMATIONS = Table(
    "list_confirmations",
    METADATA,
    Column("list", String(24), primary_key=True),
    Column("account", String(24), nullable=False),
    Column("content", String(64), nullable=False),
    Column("subject", Text, nullable=False),
)
"""Lists that demand a confirmation, and the mail that asks for it."""
LIST_RULES = Table(
    "list_rules",
    METADATA,
    Column("list", String(24), primary_key=True),
    Column("rule", Text, nullable=False),
)
"""Dynamic lists: whom the rule finds is on the list beside those who were put on it."""
LIST_FIELDS = Table(
    "list_fields",
    METADATA,
    Column("list", String(24), ForeignKey("lists.id"), primary_key=True),
    Column("field", String(64), primary_key=True),
)


def id_of(name: str) -> str:
    """Return the id that a list of that name has, or would have."""
    return derived_id("list", " ".join(name.split()))


async def ensure(conn: AsyncConnection, name: str) -> str:
    """Return the id of the list of that name, made if new."""
    name = " ".join(name.split())
    found = await conn.scalar(select(LISTS.c.id).where(LISTS.c.name == name))
    if found is not None:
        return str(found)
    list_id = id_of(name)
    await conn.execute(insert(conn, LISTS).values(id=list_id, name=name).on_conflict_do_nothing())
    return list_id


async def resolve(conn: AsyncConnection, wanted: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return the ids of lists named by id or name, in order and once each, and those that do not exist."""
    found: dict[str, None] = {}
    unknown: list[str] = []
    for each in wanted:
        name = " ".join(each.split())
        list_id = await conn.scalar(select(LISTS.c.id).where((LISTS.c.id == each) | (LISTS.c.name == name)))
        if list_id is None:
            unknown.append(each)
        else:
            found[str(list_id)] = None
    return list(found), unknown


async def names(conn: AsyncConnection, ids: Collection[str]) -> dict[str, str]:
    """Return id -> name."""
    rows = await conn.execute(select(LISTS.c.id, LISTS.c.name).where(LISTS.c.id.in_(ids)))
    return {row.id: row.name for row in rows}


async def fields(conn: AsyncConnection, ids: Collection[str]) -> set[str]:
    """Return the merge fields that contacts of these lists can have; a rule finds contacts of any list."""
    dynamic = await conn.scalar(select(LIST_RULES.c.list).where(LIST_RULES.c.list.in_(ids)).limit(1))
    wanted = select(LIST_FIELDS.c.field).distinct()
    return set(await conn.scalars(wanted if dynamic else wanted.where(LIST_FIELDS.c.list.in_(ids))))


async def all_fields(conn: AsyncConnection) -> set[str]:
    """Return the merge fields that any contact can have."""
    return set(await conn.scalars(select(LIST_FIELDS.c.field).distinct()))


async def add_fields(conn: AsyncConnection, list_id: str, wanted: Collection[str]) -> None:
    """Note that contacts of the list can have these merge fields."""
    rows = [{"list": list_id, "field": field} for field in wanted]
    if rows:
        await conn.execute(insert(conn, LIST_FIELDS).on_conflict_do_nothing(), rows)


async def add_members(conn: AsyncConnection, list_id: str, contacts: Iterable[str], new: Iterable[str] = ()) -> None:
    """Put contacts on a list; those on it stay. `new` come as well: they are on none yet, which is faster."""
    await append_rows(conn, MEMBERS, [(list_id, contact) for contact in new])
    await insert_absent(conn, MEMBERS, ("list", "contact"), [(list_id, contact) for contact in contacts])


async def remove_members(conn: AsyncConnection, pairs: Sequence[tuple[str, str]]) -> None:
    """Take contacts off lists, each given as (list, contact)."""
    m = MEMBERS.c
    drop = delete(MEMBERS).where((m.list == bindparam("of")) & (m.contact == bindparam("who")))
    if pairs:
        await conn.execute(drop, [{"of": list_id, "who": contact} for list_id, contact in pairs])


async def overview(conn: AsyncConnection) -> list[dict[str, Any]]:
    """Return all lists with their number of members, by name."""
    members = select(MEMBERS.c.list, func.count().label("members")).group_by(MEMBERS.c.list).subquery()
    rows = await conn.execute(
        select(
            LISTS.c.id,
            LISTS.c.name,
            func.coalesce(members.c.members, 0).label("members"),
            CONFIRMATIONS.c.account,
            LIST_RULES.c.rule,
        )
        .outerjoin(members, members.c.list == LISTS.c.id)
        .outerjoin(LIST_RULES, LIST_RULES.c.list == LISTS.c.id)
        .outerjoin(CONFIRMATIONS, CONFIRMATIONS.c.list == LISTS.c.id)
        .order_by(LISTS.c.name)
    )
    return [
        {
            "id": row.id,
            "name": row.name,
            "members": row.members,
            "confirmed": row.account is not None,
            "rule": row.rule or "",
        }
        for row in rows
    ]
