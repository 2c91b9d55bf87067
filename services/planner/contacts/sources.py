"""Records of producers: what a source knows a customer by, beside the contacts and lists it stands for.

`apply` takes told events into the transaction of the caller. Name, addresses and fields of a record have one version,
each of its lists has another: an event changes what it is newer for, so the same events lead to the same tables in
whatever order they come. A contact is on a list while some record that claims it is; what a producer takes off a list
is off it, also where an import had put it there.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field

import orjson
from sqlalchemy import BigInteger, Column, Integer, String, Table, Text, bindparam, delete, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from services.planner.contacts import claims, contacts, lists, relations
from services.planner.contacts.claims import CLAIMS, PERSON
from services.planner.contacts.incoming import Incoming, incoming
from services.planner.schema import METADATA, execute_many, insert, rows_in, values_of
from shared import clock
from shared.contracts.intake import ContactUpserted, Told
from shared.ids import derived_id
from shared.keys import KeyRing
from shared.providers import BUILT_IN, Providers

RECORDS = Table(
    "source_records",
    METADATA,
    Column("record", String(20), primary_key=True),
    Column("source", String(100), nullable=False),
    Column("external", String(100), nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("given", Text, nullable=False),  # fields it ever gave: what it leaves out is taken away
)
SAID = Table(
    "source_statuses",
    METADATA,
    Column("record", String(20), primary_key=True),
    Column("status", Text, nullable=False),
    Column("at", BigInteger, nullable=False),
)
"""The status that the source itself gave a customer last, and when, in seconds since 1970."""
ON_LISTS = Table(
    "source_lists",
    METADATA,
    Column("record", String(20), primary_key=True),
    Column("list", String(24), primary_key=True),
    Column("version", BigInteger, nullable=False),
    Column("member", Integer, nullable=False),
)

_NEVER = -1
_NAME = "=name"  # no field is called so


@dataclass(slots=True)
class Counts:
    """What became of the events; the fields of `ContactsSynced`."""

    added: int = 0
    updated: int = 0
    unchanged: int = 0
    stale: int = 0
    joined: int = 0
    left: int = 0


@dataclass(slots=True)
class _Record:
    """One record while events are folded into it. `news`: what to write of name, addresses and fields."""

    source: str
    external: str
    version: int = _NEVER
    given: set[str] = field(default_factory=set)
    contacts: dict[str, int] = field(default_factory=dict)  # contact -> slot
    on: dict[str, tuple[int, bool]] = field(default_factory=dict)  # list -> version, member
    touched: set[str] = field(default_factory=set)
    news: ContactUpserted | None = None
    said: tuple[str, int] | None = None

    @property
    def lists(self) -> set[str]:
        """The lists it is on."""
        return {list_id for list_id, (_, member) in self.on.items() if member}

    def take(self, told: Told) -> bool:
        """Take an event in; tell whether it changed anything."""
        data = told.data
        if not isinstance(data, ContactUpserted):
            return self._put(lists.id_of(data.list), told.version, member=False)
        changed = told.version > self.version
        if changed:
            self.version, self.news = told.version, data
            if data.status:
                now = clock.now()
                self.said = data.status, int(min(told.time or now, now).timestamp())
        for name in data.lists:
            changed |= self._put(lists.id_of(name), told.version, member=True)
        return changed

    def _put(self, list_id: str, version: int, *, member: bool) -> bool:
        if version <= self.on.get(list_id, (_NEVER, False))[0]:
            return False
        self.on[list_id] = (version, member)
        self.touched.add(list_id)
        return True


async def apply(
    conn: AsyncConnection, events: Sequence[Told], keys: KeyRing, providers: Providers = BUILT_IN
) -> Counts:
    """Take events in, in any order; those that are late or came before change nothing."""
    await contacts.lock(conn)
    records = await _load(conn, events)
    before = {key: (record.lists, dict(record.contacts)) for key, record in records.items()}
    counts = Counts()
    for told in events:
        counts.stale += not records[_key(told)].take(told)
    named = {name for told in events if isinstance(told.data, ContactUpserted) for name in told.data.lists}
    for name in sorted(named):  # a list is made by the first who is on it, never by who leaves it
        await lists.ensure(conn, name)
    await _write_contacts(conn, records, (keys, providers), counts)
    await relations.note(conn, _belongings(records))
    await _write_records(conn, records, {key: held for key, (_, held) in before.items()})
    await _write_members(conn, records, before, counts)
    return counts


def _belongings(records: dict[str, _Record]) -> Iterator[tuple[str, str, ContactUpserted]]:
    """Yield record, account and what is said, of those of which anything is."""
    for key, each in records.items():
        if each.news is not None:
            yield key, record_of(each.source, each.news.account) if each.news.account else "", each.news


def record_of(source: str, external: str) -> str:
    """Return the key under which a record of a source stands, known or not."""
    return derived_id("record", source, external, length=20)


def _key(told: Told) -> str:
    return record_of(told.source, told.data.id)


async def _load(conn: AsyncConnection, events: Sequence[Told]) -> dict[str, _Record]:
    records = {_key(told): _Record(told.source, told.data.id) for told in events}
    keys = list(records)
    for row in await conn.execute(select(RECORDS).where(RECORDS.c.record.in_(keys))):
        records[row.record].version, records[row.record].given = row.version, set(orjson.loads(row.given))
    for row in await conn.execute(select(CLAIMS).where(CLAIMS.c.record.in_(keys))):
        records[row.record].contacts[row.contact] = row.slot
    for row in await conn.execute(select(ON_LISTS).where(ON_LISTS.c.record.in_(keys))):
        records[row.record].on[row.list] = (row.version, bool(row.member))
    return records


async def _write_contacts(
    conn: AsyncConnection, records: dict[str, _Record], means: tuple[KeyRing, Providers], counts: Counts
) -> None:
    """Bring the contacts of all records with news up to them, and note which contacts each record has now."""
    keys, providers = means
    slots: dict[str, dict[str, int]] = {}  # record -> address key -> slot
    rows: list[Incoming] = []
    for key, record in records.items():
        if (news := record.news) is not None:
            gives = {*news.merged, *([_NAME] if news.name else [])}
            gives.update(field for person in news.persons for field in person.fields)
            gone = record.given - gives
            record.given |= gives
            name = news.name or ("" if _NAME in gone else None)
            fields = dict.fromkeys(gone - {_NAME}, "") | news.merged
            held = slots[key] = {}
            for slot, address in enumerate(news.addresses, 1):
                if (of := keys.address_key(address)) not in held:
                    held[of] = slot
                    rows.append(incoming(address, of, name, fields, providers.domains))
            for person in news.persons:
                for address in person.addresses:
                    if (of := keys.address_key(address)) not in held:
                        held[of] = PERSON
                        rows.append(incoming(address, of, person.name, fields | person.fields, providers.domains))
    ids: dict[str, str] = {}
    if rows:
        done = await contacts.upsert(conn, rows)
        counts.added, counts.updated, counts.unchanged = done.added, done.updated, done.unchanged
        ids = done.contacts
    for key, wanted in slots.items():
        records[key].contacts = {ids[address_key]: slot for address_key, slot in wanted.items()}


async def _write_records(conn: AsyncConnection, records: dict[str, _Record], held: dict[str, dict[str, int]]) -> None:
    rows = [
        (key, each.source, each.external, each.version, orjson.dumps(sorted(each.given)).decode())
        for key, each in records.items()
        if each.news is not None
    ]
    put = insert(conn, RECORDS).values(values_of(RECORDS, "record", "source", "external", "version", "given"))
    newer = {"version": put.excluded.version, "given": put.excluded.given}
    await execute_many(conn, put.on_conflict_do_update(index_elements=[RECORDS.c.record], set_=newer), rows)
    said = [(key, *each.said) for key, each in records.items() if each.said is not None]
    put = insert(conn, SAID).values(values_of(SAID, "record", "status", "at"))
    newest = {"status": put.excluded.status, "at": put.excluded.at}
    await execute_many(conn, put.on_conflict_do_update(index_elements=[SAID.c.record], set_=newest), said)
    gone = [(key, contact) for key, each in records.items() for contact in sorted(held[key].keys() - each.contacts)]
    drop = delete(CLAIMS).where((CLAIMS.c.record == bindparam("of")) & (CLAIMS.c.contact == bindparam("who")))
    if gone:
        await conn.execute(drop, [{"of": key, "who": contact} for key, contact in gone])
    new = [
        (key, contact, slot)
        for key, each in records.items()
        for contact, slot in sorted(each.contacts.items() - held[key].items())
    ]
    await claims.put(conn, new)
    moved = {contact for _, contact in gone}
    for key in {*(key for key, _ in gone), *(key for key, _, _ in new), *(key for key, _, _ in said)}:
        moved |= records[key].contacts.keys()
    if moved:  # the directory says whose record a contact is and who shares it, and rules ask for its status
        await contacts.mark_pages_of(conn, moved)


async def _write_members(
    conn: AsyncConnection,
    records: dict[str, _Record],
    before: dict[str, tuple[set[str], dict[str, int]]],
    counts: Counts,
) -> None:
    rows = [(key, of, *each.on[of]) for key, each in records.items() for of in sorted(each.touched)]
    put = insert(conn, ON_LISTS).values(values_of(ON_LISTS, "record", "list", "version", "member"))
    newer = {"version": put.excluded.version, "member": put.excluded.member}
    put = put.on_conflict_do_update(index_elements=[ON_LISTS.c.record, ON_LISTS.c.list], set_=newer)
    await execute_many(conn, put, [(key, of, version, int(member)) for key, of, version, member in rows])
    joining: dict[str, set[str]] = {}
    fields: dict[str, set[str]] = {}
    leaving: set[tuple[str, str]] = set()
    for key, each in records.items():
        lists_before, contacts_before = before[key]
        counts.joined += len(each.lists - lists_before)
        counts.left += len(lists_before - each.lists)
        for list_id in each.lists:
            new = each.contacts if list_id in each.touched else each.contacts.keys() - contacts_before.keys()
            joining.setdefault(list_id, set()).update(new)  # whoever was taken off by hand comes back by a word of it
            fields.setdefault(list_id, set()).update(each.news.merged if each.news else ())
        were = {(list_id, contact) for list_id in lists_before for contact in contacts_before}
        leaving |= were - {(list_id, contact) for list_id in each.lists for contact in each.contacts}
        ended = {of for of in each.touched if not each.on[of][1]}
        leaving |= {(of, contact) for of in ended for contact in each.contacts}
    for list_id, members in joining.items():
        await lists.add_fields(conn, list_id, sorted(fields[list_id]))
        await lists.add_members(conn, list_id, sorted(members))
    await lists.remove_members(conn, sorted(leaving - await _claimed(conn, leaving)))


async def _claimed(conn: AsyncConnection, pairs: Collection[tuple[str, str]]) -> set[tuple[str, str]]:
    """Return those of (list, contact) that some record still claims."""
    if not pairs:
        return set()
    rows = await conn.execute(
        select(ON_LISTS.c.list, CLAIMS.c.contact)
        .join(CLAIMS, CLAIMS.c.record == ON_LISTS.c.record)
        .where(ON_LISTS.c.member == 1, tuple_(ON_LISTS.c.list, CLAIMS.c.contact).in_(list(pairs)))
    )
    return {(row.list, row.contact) for row in rows}


async def owners(conn: AsyncConnection, of: Collection[str]) -> dict[str, tuple[str, str]]:
    """Return contact -> source and external id of its record, of the first one where there are several."""
    query = select(CLAIMS.c.contact, RECORDS.c.source, RECORDS.c.external)
    query = query.join(RECORDS, RECORDS.c.record == CLAIMS.c.record).order_by(RECORDS.c.record.desc())
    rows = await rows_in(conn, query, CLAIMS.c.contact, of)
    return {row.contact: (row.source, row.external) for row in rows}
