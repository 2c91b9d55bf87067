"""The requests about contacts and members of lists: look at one, see who is on a list, take somebody off.

In come the queries, which read the tables of contacts, and the command that takes a contact off a list. It is recorded
before it is done, so that a crash in between leaves an event, and whoever asks again completes it. What is taken off is
membership: consent stays as it is, frozen audiences do, and a later word of a producer puts the contact on again.
"""

import hashlib
import re
from typing import Any

import orjson
from sqlalchemy import Row, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from services.planner.contacts import claims, contacts, lists
from services.planner.contacts.address_kinds import flags
from services.planner.contacts.claims import CLAIMS
from services.planner.contacts.contacts import CONTACTS
from services.planner.contacts.lists import LIST_RULES, LISTS, MEMBERS
from services.planner.contacts.relations import ACCOUNTS, RELATIONS
from services.planner.contacts.sources import RECORDS
from services.planner.idempotency import Act
from services.planner.parts import Parts
from services.planner.statuses import standing
from shared.addresses import AddressError, parse
from shared.contracts import commands, subjects
from shared.contracts.audience import MemberRemoved
from shared.contracts.commands import Answer, Refusal
from shared.contracts.records import KINDS
from shared.database import reading
from shared.instants import from_millis

Result = Answer | Refusal

_CURSOR = re.compile(r"[0-9a-z]{0,12}")
_BAD_CURSOR = Refusal(code="invalid", message="Give `next` of the page before, as it came.", field="after")


async def show(parts: Parts, wanted: commands.ShowContact) -> Result:
    """Show one contact."""
    c = CONTACTS.c
    if wanted.address:
        address = _address(wanted.address)
        if isinstance(address, Refusal):
            return address
        mine, field = c.address_key == parts.keys.address_key(address), "address"
    else:
        mine, field = c.id == wanted.contact, "contact"
    async with reading(parts.engine).connect() as conn:
        row = (await conn.execute(select(CONTACTS).where(mine))).one_or_none()
        if row is None:
            return _no_contact(field)
        return Answer(ok=True, data=_itself(row) | await _beside(conn, row))


def _itself(row: Row[Any]) -> dict[str, Any]:
    fields = orjson.loads(row.fields)
    return {
        "contact": row.id,
        "address": row.address,
        "name": row.name,
        "kind": fields.get("kind", KINDS[0]),
        "provider": row.provider,
        "flags": list(flags(row.address)),
        "fields": fields,
        "created": from_millis(row.created).isoformat(),
        "updated": from_millis(row.updated).isoformat(),
    }


async def _beside(conn: AsyncConnection, row: Row[Any]) -> dict[str, Any]:
    """Return what is known of a contact in other tables."""
    k, r = CLAIMS.c, RECORDS.c
    query = select(k.record, k.slot, r.source, r.external, r.version).outerjoin(RECORDS, r.record == k.record)
    records = (await conn.execute(query.where(k.contact == row.id).order_by(k.record))).all()
    named = [
        {
            "source": each.source or "",
            "external": each.external or "",
            "version": each.version or 0,
            "slot": claims.name_of(each.slot),
        }
        for each in records
    ]
    on = select(LISTS.c.id, LISTS.c.name).join(MEMBERS, MEMBERS.c.list == LISTS.c.id)
    on = on.where(MEMBERS.c.contact == row.id).order_by(LISTS.c.name)
    return {
        "status": (await standing.of_contacts(conn, [row.id])).get(row.id, ""),
        "account": await _account(conn, [each.record for each in records]),
        "records": named,
        "addresses": await _addresses(conn, records[0].record) if records else [_alone(row)],
        "lists": [dict(each) for each in (await conn.execute(on)).mappings()],
    }


async def _account(conn: AsyncConnection, records: list[str]) -> dict[str, str] | None:
    """Return the account of the first of these records that belongs to one; an account does not belong to itself."""
    of, a, r = RELATIONS.c, ACCOUNTS.c, RECORDS.c
    query = select(r.source, r.external, a.fields).join(RELATIONS, of.account == r.record)
    query = query.outerjoin(ACCOUNTS, a.record == r.record).order_by(of.record).limit(1)
    row = (await conn.execute(query.where(of.record.in_(records), of.account != of.record))).one_or_none()
    if row is None:
        return None
    name = orjson.loads(row.fields or "{}").get("account.name", "")
    return {"source": row.source, "external": row.external, "name": name}


async def _addresses(conn: AsyncConnection, record: str) -> list[dict[str, str]]:
    """Return the addresses of a customer, its own in order, then those of its contact persons."""
    c, k = CONTACTS.c, CLAIMS.c
    query = select(c.id, c.address, c.name, k.slot).join(CLAIMS, k.contact == c.id)
    rows = await conn.execute(query.where(k.record == record).order_by(k.slot, c.id))
    return [
        {"contact": row.id, "address": row.address, "name": row.name, "slot": claims.name_of(row.slot)} for row in rows
    ]


def _alone(row: Row[Any]) -> dict[str, str]:
    return {"contact": row.id, "address": row.address, "name": row.name, "slot": claims.name_of(1)}


async def members(parts: Parts, wanted: commands.ListMembers) -> Result:
    """List who was put on a list, by contact."""
    if not _CURSOR.fullmatch(wanted.after):
        return _BAD_CURSOR
    m, c = MEMBERS.c, CONTACTS.c
    async with reading(parts.engine).connect() as conn:
        found = await _list(conn, wanted.list)
        if isinstance(found, Refusal):
            return found
        query = select(c.id.label("contact"), c.address, c.name).join(MEMBERS, m.contact == c.id)
        query = query.where(m.list == found["list"], m.contact > wanted.after).order_by(m.contact).limit(wanted.limit)
        rows = [dict(row) for row in (await conn.execute(query)).mappings()]
    after = rows[-1]["contact"] if len(rows) == wanted.limit else ""
    return Answer(ok=True, data=found | {"rows": rows, "next": after})


async def remove(parts: Parts, wanted: commands.RemoveFromList, act: Act) -> Result:
    """Take a contact off a list; nothing happens where it is not on it."""
    address = _address(wanted.address)
    if isinstance(address, Refusal):
        return address
    m = MEMBERS.c
    async with reading(parts.engine).connect() as conn:
        found = await _list(conn, wanted.list)
        if isinstance(found, Refusal):
            return found
        holder = await contacts.holder(conn, parts.keys.address_key(address))
        if holder is None:
            return _no_contact("address")
        mine = (m.list == found["list"]) & (m.contact == holder.contact)
        there = await conn.scalar(select(func.count()).select_from(MEMBERS).where(mine))
    data = {"list": found["list"], "contact": holder.contact, "removed": bool(there), "rule": found["rule"]}
    if not there:
        return Answer(ok=True, data=data)
    event = MemberRemoved(list=found["list"], contact=holder.contact)
    part = subjects.partition(hashlib.sha256(event.list.encode()).hexdigest())
    position = await parts.log.append_journal(subjects.audience(part), [event], origin=act.origin())
    async with parts.engine.begin() as conn:
        await contacts.lock(conn)
        await lists.remove_members(conn, [(event.list, event.contact)])
    return Answer(ok=True, position=position, data=data)


async def _list(conn: AsyncConnection, wanted: str) -> dict[str, str] | Refusal:
    """Return id, name and rule of a list."""
    ids, _ = await lists.resolve(conn, [wanted])
    if not ids:
        return Refusal(code="list_unknown", message=f"There is no list {wanted}.", field="list")
    query = select(LISTS.c.id, LISTS.c.name, LIST_RULES.c.rule).outerjoin(LIST_RULES, LIST_RULES.c.list == LISTS.c.id)
    row = (await conn.execute(query.where(LISTS.c.id == ids[0]))).one()
    return {"list": row.id, "name": row.name, "rule": row.rule or ""}


def _no_contact(field: str) -> Refusal:
    return Refusal(code="contact_unknown", message="Nobody here has this address or id.", field=field)


def _address(text: str) -> str | Refusal:
    try:
        return parse(text)
    except AddressError as error:  # refused with the reason
        return Refusal(code="address_invalid", message=f"This is no e-mail address: {error}", field="address")
