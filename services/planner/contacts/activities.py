"""Activities that are no mailings: what producers told of them, and who took part.

`apply` takes told events into the transaction of the caller, in whatever order they come: the newest says what an
activity was and when, participants add up. A participant is kept as the record or the keyed address that was told, not
as a contact, so it counts as soon as that record or address is a contact, and stands for whoever the record is then.
What is long past is forgotten; the most recent activity of each type in each campaign stays, for it is a source.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    CompoundSelect,
    String,
    Table,
    and_,
    delete,
    or_,
    select,
    tuple_,
    union,
)
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from services.planner.contacts import contacts
from services.planner.contacts.claims import CLAIMS
from services.planner.contacts.contacts import CONTACTS
from services.planner.contacts.sources import record_of
from services.planner.schema import METADATA, execute_many, insert, values_of
from shared import clock
from shared.bulk import insert_absent
from shared.contracts.activities import Activity
from shared.contracts.intake import microseconds
from shared.database import reading
from shared.ids import derived_id
from shared.keys import KeyRing

ACTIVITIES = Table(
    "activities",
    METADATA,
    Column("activity", String(20), primary_key=True),
    Column("type", String(100), nullable=False, index=True),
    Column("campaign", String(200), nullable=False),  # as it was told: id or name, "" where it belongs to none
    Column("at", BigInteger, nullable=False),  # microseconds since 1970
)
PARTICIPANTS = Table(
    "activity_participants",
    METADATA,
    Column("activity", String(20), primary_key=True),
    Column("record", String(20), primary_key=True),  # one of these two, the other is ""
    Column("address_key", String(16), primary_key=True),
    sqlite_with_rowid=False,
)
SLICE = 2_000
"""So many participants, or one event, are taken in by one transaction."""

_EVENTS = 250
_NEVER = (-1, "", "")
_DAY = 86_400_000_000


@dataclass(slots=True)
class Counts:
    """What became of the events; the fields of `ActivitiesTold`."""

    activities: int = 0
    participants: int = 0
    stale: int = 0


def slices(told: Sequence[Activity]) -> Iterator[list[Activity]]:
    """Yield the events in parts for one transaction each."""
    part: list[Activity] = []
    size = 0
    for each in told:
        many = len(each.data.participants)
        if part and (size + many > SLICE or len(part) == _EVENTS):
            yield part
            part, size = [], 0
        part.append(each)
        size += many
    if part:
        yield part


async def apply(conn: AsyncConnection, told: Sequence[Activity], keys: KeyRing) -> Counts:
    """Take events in; those that are late or came before change nothing."""
    await contacts.lock(conn)
    took_part = [{(_key(each), *who) for who in _who(each, keys)} for each in told]
    known = await _known(conn, set().union(*took_part))
    a = ACTIVITIES.c
    rows = await conn.execute(select(ACTIVITIES).where(a.activity.in_({_key(each) for each in told})))
    versions = {str(row.activity): (int(row.at), str(row.type), str(row.campaign)) for row in rows}
    counts = Counts()
    changed: dict[str, tuple[str, str, int]] = {}
    new: set[tuple[str, str, str]] = set()
    for each, those in zip(told, took_part, strict=True):
        key, version = _key(each), (each.at, each.data.type, each.data.campaign)
        newer = version > versions.get(key, _NEVER)
        if newer:
            versions[key] = version
            changed[key] = (each.data.type, each.data.campaign, each.at)
        counts.stale += not newer and those <= known | new
        new |= those - known
    counts.activities, counts.participants = len(changed), len(new)
    put = insert(conn, ACTIVITIES).values(values_of(ACTIVITIES, "activity", "type", "campaign", "at"))
    newest = {name: put.excluded[name] for name in ("type", "campaign", "at")}
    put = put.on_conflict_do_update(index_elements=[a.activity], set_=newest)
    await execute_many(conn, put, [(key, *what) for key, what in sorted(changed.items())])
    await insert_absent(conn, PARTICIPANTS, ("activity", "record", "address_key"), sorted(new))
    return counts


async def newest(conn: AsyncConnection, of_type: str, campaign: Collection[str], until: int) -> str | None:
    """Return the most recent activity up to `until` of a campaign by any of these words, of whatever one if by none."""
    a = ACTIVITIES.c
    query = select(a.activity).where(a.type == of_type, a.at <= until).order_by(a.at.desc(), a.activity).limit(1)
    return await conn.scalar(query.where(a.campaign.in_(campaign)) if campaign else query)


async def forget(engine: AsyncEngine, days: int) -> int:
    """Forget what happened more than so many days ago and is not the most recent; return how many activities."""
    now = microseconds(clock.now()) or 0
    before, forgotten = now - days * _DAY, 0
    while some := await _past(engine, before, now):
        for activity in some:
            while await _forget_some(engine, activity):
                pass
        forgotten += len(some)
    return forgotten


async def _past(engine: AsyncEngine, before: int, now: int) -> list[str]:
    """Return activities of before then, but for those after which none of their type and campaign has happened."""
    a, b = ACTIVITIES.c, ACTIVITIES.alias("later").c
    later = and_(b.type == a.type, b.campaign == a.campaign, b.at <= now)
    later &= or_(b.at > a.at, and_(b.at == a.at, b.activity < a.activity))  # as `newest` chooses
    query = select(a.activity).where(a.at < before, select(b.activity).where(later).exists()).limit(_EVENTS)
    async with reading(engine).connect() as conn:
        return list(await conn.scalars(query))


async def _forget_some(engine: AsyncEngine, activity: str) -> bool:
    """Forget some participants in a short transaction, with the last of them the activity; tell if any may be left."""
    p = PARTICIPANTS.c
    who = (p.activity, p.record, p.address_key)
    async with engine.begin() as conn:
        await contacts.lock(conn)  # nobody adds to it meanwhile
        some = select(*who).where(p.activity == activity).limit(SLICE)
        gone = (await conn.execute(delete(PARTICIPANTS).where(tuple_(*who).in_(some)))).rowcount
        if gone < SLICE:
            await conn.execute(delete(ACTIVITIES).where(ACTIVITIES.c.activity == activity))
    return gone == SLICE


def participants(activity: str, scope: ColumnElement[str]) -> CompoundSelect[Any]:
    """Return the query for contact and `scope` of all who took part and are contacts now."""
    p = PARTICIPANTS.c
    by_record = select(CLAIMS.c.contact, scope).join(PARTICIPANTS, p.record == CLAIMS.c.record)
    by_address = select(CONTACTS.c.id, scope).join(PARTICIPANTS, p.address_key == CONTACTS.c.address_key)
    return union(by_record.where(p.activity == activity), by_address.where(p.activity == activity))


def _key(each: Activity) -> str:
    return derived_id("activity", each.source, each.data.id, length=20)


def _who(each: Activity, keys: KeyRing) -> Iterator[tuple[str, str]]:
    for one in each.data.participants:
        if one.id is not None:
            yield record_of(one.source or each.source, one.id), ""
        elif one.address is not None:
            yield "", keys.address_key(one.address)


async def _known(conn: AsyncConnection, wanted: Collection[tuple[str, str, str]]) -> set[tuple[str, str, str]]:
    """Return those of (activity, record, address key) that are there, and maybe some more."""
    p = PARTICIPANTS.c
    told = p.activity.in_({who[0] for who in wanted})
    by_record = p.record.in_({who[1] for who in wanted} - {""})
    by_address = and_(p.record == "", p.address_key.in_({who[2] for who in wanted} - {""}))
    found: set[tuple[str, str, str]] = set()
    for named in (by_record, by_address):  # one after the other, each by the key
        rows = await conn.execute(select(p.activity, p.record, p.address_key).where(told, named))
        found.update((row[0], row[1], row[2]) for row in rows)
    return found
