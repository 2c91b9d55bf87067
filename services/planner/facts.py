"""What the planner knows from the log: mailings, accounts, chunks and suppression, as tables of its own.

A view for the projector kit. In come commits of mailings, accounts, relays, plans, chunks, consent and feedback; out
come rows that hold exactly what the log says, so any batching and any repetition gives the same tables. Decisions are
taken on the entity itself; these rows say where to look, how much is open, and who must not be mailed.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeGuard

import orjson
from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    false,
    select,
    text,
    tuple_,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from services.planner.accounts.account import Account, AccountDecider
from services.planner.consent import returns
from services.planner.mailings.mailing import MailingDecider
from services.planner.notices import notice_facts
from services.planner.notices.notice_facts import NOTICES
from services.planner.schema import METADATA, insert
from shared.bulk import among, replace_rows
from shared.contracts import account, consent, feedback, mailing, ranges, relay, subjects
from shared.contracts.account import AccountEdited, AccountTested
from shared.contracts.consent import BLOCKING, Act, AddressSuppressed, Held, OptInRequested, after, moment
from shared.contracts.envelope import Commit, DomainEvent
from shared.contracts.mailing import DoubtDecided, MailingCancelled, MailingResumed, RateChanged, WindowOpened
from shared.contracts.relay import (
    AccountPaused,
    AccountReleased,
    ProviderReleased,
    ProviderSlowed,
    ProviderSuspended,
)
from shared.contracts.sending import (
    ChunkFinished,
    ChunkParked,
    ChunkPassed,
    ChunkPlanned,
    ChunkStarted,
    Group,
    RecipientsSettled,
)
from shared.instants import to_millis

MAILINGS = Table(
    "facts_mailings",
    METADATA,
    Column("id", String(24), primary_key=True),
    Column("status", String(12), nullable=False, index=True),
    Column("state", Text, nullable=False),
    Column("resumed", BigInteger, nullable=False),
    Column("retry", BigInteger, nullable=False),
    Column("seq", BigInteger, nullable=False),
)
ACCOUNTS = Table(
    "facts_accounts",
    METADATA,
    Column("id", String(24), primary_key=True),
    Column("state", Text, nullable=False),
    Column("paused", Text, nullable=False),
    Column("retry", BigInteger, nullable=False),
    Column("seq", BigInteger, nullable=False),
)
CHUNKS = Table(
    "facts_chunks",
    METADATA,
    Column("mailing", String(24), primary_key=True),
    Column("n", Integer, primary_key=True),
    Column("account", String(24), nullable=False),
    Column("lane", String(24), nullable=False),
    Column("kind", String(12), nullable=False),
    Column("size", Integer, nullable=False),
    Column("started", Boolean, nullable=False),
    Column("passed", Boolean, nullable=False),
    Column("finished", Boolean, nullable=False),
    Column("totals", Text, nullable=False),
    Column("parked", Text, nullable=False),
    Column("parked_seq", BigInteger, nullable=False),
    Column("planned_at", BigInteger, nullable=False),
    Column("planned_seq", BigInteger, nullable=False, server_default=text("0")),
    *(Column(name, Integer, nullable=False, server_default=text("0")) for name in ("accepted", "bounced", "refused")),
    Column("last_at", BigInteger, nullable=False),
    Column("due_at", BigInteger, nullable=False),
    Column("copied", Boolean, nullable=False, server_default=false()),
    Index("facts_chunks_open", "mailing", "finished", "passed"),
    Index("facts_chunks_quiet", "finished", "last_at"),
)
_COPIED = CHUNKS.c.copied.is_(True)
Index("facts_chunks_copied", CHUNKS.c.planned_seq, sqlite_where=_COPIED, postgresql_where=_COPIED)
DOUBTS = Table(
    "facts_doubts",
    METADATA,
    Column("mailing", String(24), primary_key=True),
    Column("seq", BigInteger, primary_key=True),
    Column("n", Integer, primary_key=True),
)
SUPPRESSION = Table(
    "facts_suppression",
    METADATA,
    Column("address_key", String(16), primary_key=True),
    Column("scope", String(24), primary_key=True),
    Column("blocked", String(12), nullable=False),
    Column("reason", String(40), nullable=False, server_default=""),
    Column("seq", BigInteger, nullable=False),
    Column("at", BigInteger, nullable=False, server_default=text("0")),
)
TABLES = (MAILINGS, ACCOUNTS, CHUNKS, DOUBTS, SUPPRESSION, NOTICES, returns.RETURNS)

_CHUNK_COLUMNS = tuple(CHUNKS.c.keys())
FILTERS = (
    subjects.ALL_MAILINGS,
    subjects.ALL_ACCOUNTS,
    subjects.relay("*"),
    subjects.ALL_PLANS,
    subjects.ALL_CHUNKS,
    subjects.ALL_CONSENT,
    subjects.ALL_FEEDBACK,
    subjects.ALL_ENGAGEMENT,
    subjects.ALL_CAMPAIGNS,
    subjects.ALL_STATUSES,
)
_CHUNK_EVENTS = (ChunkPlanned, ChunkStarted, RecipientsSettled, ChunkPassed, ChunkParked, ChunkFinished)
_RETRY = (MailingResumed, WindowOpened, MailingCancelled, RateChanged)
"""After these, chunks that wait shall look again: what they wait for may have come."""
_NEW_CHUNK: Mapping[str, Any] = {
    "account": "",
    "lane": "",
    "kind": "",
    "size": 0,
    "started": False,
    "passed": False,
    "finished": False,
    "totals": "{}",
    "parked": "",
    "parked_seq": 0,
    "planned_at": 0,
    "planned_seq": 0,
    "copied": False,
    "accepted": 0,
    "bounced": 0,
    "refused": 0,
    "last_at": 0,
    "due_at": 0,
}


async def out_of_all(conn: AsyncConnection, address_key: str) -> str:
    """Return why no mail at all may go to an address, "" where some may."""
    s = SUPPRESSION.c
    why = select(s.blocked).where((s.address_key == address_key) & (s.scope == consent.EVERYTHING))
    return str(await conn.scalar(why) or "")


def millis(instant: datetime | None) -> int:
    """Return milliseconds since 1970, 0 for no instant."""
    return 0 if instant is None else to_millis(instant)


class Facts:
    """The view."""

    name = "planner_facts"
    version = 1
    handles = frozenset(
        event.TYPE
        for event in (
            *mailing.EVENTS,
            *account.EVENTS,
            *consent.EVENTS,
            *_CHUNK_EVENTS,
            *relay.EVENTS,
            *feedback.EVENTS,
        )
    )

    @property
    def tables(self) -> MetaData | Sequence[Table]:
        """Its own tables."""
        return TABLES

    async def apply(self, conn: AsyncConnection, commits: Sequence[Commit]) -> None:
        """Change the tables as the commits demand."""
        kinds: dict[str, list[Commit]] = {}
        for commit in commits:
            kinds.setdefault(commit.subject.split(".")[1], []).append(commit)
        await _mailings(conn, kinds.get("mailing", ()))
        await _accounts(conn, [*kinds.get("account", ()), *kinds.get("relay", ())])
        chunks = sorted([*kinds.get("plan", ()), *kinds.get("chunk", ())], key=lambda commit: commit.seq)
        await _chunks(conn, chunks)
        await _consent(conn, kinds.get("consent", ()))
        came_back = kinds.get("feedback", ())
        await returns.apply(conn, came_back, {commit.seq: millis(commit.recorded_at) for commit in came_back})


async def _upsert(conn: AsyncConnection, table: Table, rows: Iterable[Mapping[str, Any]]) -> None:
    listed = list(rows)
    if not listed:
        return
    statement = insert(conn, table)
    keys = [column.name for column in table.primary_key]
    changed = {column.name: statement.excluded[column.name] for column in table.columns if column.name not in keys}
    await conn.execute(statement.on_conflict_do_update(index_elements=keys, set_=changed), listed)


async def _known(conn: AsyncConnection, table: Table, ids: Collection[str]) -> dict[str, dict[str, Any]]:
    rows = await conn.execute(select(table).where(table.c.id.in_(ids)))
    return {row["id"]: dict(row) for row in rows.mappings()}


def _id(commit: Commit) -> str:
    return commit.subject.split(".")[2]


async def _mailings(conn: AsyncConnection, commits: Sequence[Commit]) -> None:
    if not commits:
        return
    decider = MailingDecider()
    rows = await _known(conn, MAILINGS, {_id(commit) for commit in commits})
    states = {name: type(decider.initial()).model_validate_json(row["state"]) for name, row in rows.items()}
    doubts: list[dict[str, Any]] = []
    notices: list[dict[str, Any]] = []
    for commit in commits:
        name = _id(commit)
        row = rows.setdefault(name, {"id": name, "resumed": 0, "retry": 0})
        for record in commit.events:
            event = record.event
            states[name] = decider.evolve(states.get(name, decider.initial()), event)
            if isinstance(event, MailingResumed):
                row["resumed"] = commit.seq
            if isinstance(event, _RETRY):
                row["retry"] = commit.seq
            if isinstance(event, DoubtDecided):
                row["retry"] = commit.seq
                doubts.append({"mailing": name, "seq": commit.seq, "n": event.n})
            draft = states[name].draft
            if draft is not None and notice_facts.calls(record, draft):
                notices.append(notice_facts.row(record, name, draft, millis(commit.recorded_at)))
        row["seq"] = commit.seq
    for name, row in rows.items():
        row |= {"status": states[name].status, "state": states[name].model_dump_json()}
    await _upsert(conn, MAILINGS, rows.values())
    if doubts:
        await conn.execute(insert(conn, DOUBTS).on_conflict_do_nothing(), doubts)
    await _upsert(conn, NOTICES, notices)


async def _accounts(conn: AsyncConnection, commits: Sequence[Commit]) -> None:
    if not commits:
        return
    rows = await _known(conn, ACCOUNTS, {_id(commit) for commit in commits})
    states = {name: Account.model_validate_json(row["state"]) for name, row in rows.items()}
    for commit in sorted(commits, key=lambda commit: commit.seq):
        name = _id(commit)
        row = rows.setdefault(name, {"id": name, "paused": "", "retry": 0})
        state = states.get(name, Account())
        for record in commit.events:
            state = _heard(row, state, record.event, commit.seq)
        states[name] = state
        row["seq"] = commit.seq
    for name, row in rows.items():
        row["state"] = states[name].model_dump_json()
    await _upsert(conn, ACCOUNTS, rows.values())


def _heard(row: dict[str, Any], state: Account, event: DomainEvent, seq: int) -> Account:
    """Return an account after an event about it or its relay; what is beside its state is put into its row."""
    match event:
        case AccountPaused():
            row["paused"] = event.reason
            return state
        case AccountReleased():
            row |= {"paused": "", "retry": seq}
            return state
        case ProviderSlowed() | ProviderSuspended() | ProviderReleased():
            if isinstance(event, ProviderReleased) and event.what == "suspended":
                row["retry"] = seq
            return state.shaped(event)
        case AccountEdited():  # whoever waits for a slot may have one sooner
            row["retry"] = seq
        case AccountTested(working=True):  # its senders let it go when they hear of it
            row["paused"] = ""
    return AccountDecider().evolve(state, event)


def _chunk_key(commit: Commit) -> tuple[str, int]:
    parts = commit.subject.split(".")
    return parts[2], int(parts[-1])


async def _chunks(conn: AsyncConnection, commits: Sequence[Commit]) -> None:
    if not commits:
        return
    keys = {_chunk_key(commit) for commit in commits}
    found = await conn.execute(select(CHUNKS).where(tuple_(CHUNKS.c.mailing, CHUNKS.c.n).in_(keys)))
    rows = {(row["mailing"], row["n"]): dict(row) for row in found.mappings()}
    for commit in commits:
        key = _chunk_key(commit)
        row = rows.setdefault(key, {"mailing": key[0], "n": key[1], **_NEW_CHUNK})
        row |= {"last_at": millis(commit.recorded_at), "due_at": 0}
        for record in commit.events:
            row |= _chunk_changes(record.event, commit)
            for group in record.event.groups if isinstance(record.event, RecipientsSettled) else ():
                if (fate := _fate(group)) is not None:
                    row[fate] += len(ranges.unpack(group.indexes))
    await replace_rows(conn, CHUNKS, [tuple(map(row.__getitem__, _CHUNK_COLUMNS)) for row in rows.values()])


def _chunk_changes(event: DomainEvent, commit: Commit) -> dict[str, Any]:
    match event:
        case ChunkPlanned():
            planned = {"account": event.account, "lane": event.lane, "kind": event.kind}
            when = {"planned_at": millis(commit.recorded_at), "planned_seq": commit.seq}
            return {**planned, **when, "size": len(event.contacts), "copied": event.copied}
        case ChunkStarted():
            return {"started": True, "parked": "", "parked_seq": 0}
        case RecipientsSettled():
            due = min((group.until for group in event.groups if group.until is not None), default=None)
            again = any(group.outcome in ("released", "deferred") for group in event.groups)
            return ({"due_at": millis(due)} if due else {}) | ({"finished": False} if again else {})
        case ChunkPassed():
            return {"passed": True} | ({"due_at": millis(event.until)} if event.until else {})
        case ChunkParked():
            return {"parked": event.reason, "parked_seq": commit.seq} if event.index is None else {}
        case ChunkFinished():
            totals = orjson.dumps(event.totals, option=orjson.OPT_SORT_KEYS).decode()
            return {"passed": True, "finished": True, "totals": totals}
        case _:
            return {}


def _fate(group: Group) -> str | None:
    """Return which answered mails a group adds to; None where no relay gave its last word."""
    if not group.code or group.outcome not in ("accepted", "rejected"):
        return None
    if group.outcome == "accepted":
        return "accepted"
    return "bounced" if group.scope == "address" else "refused"


async def _consent(conn: AsyncConnection, commits: Sequence[Commit]) -> None:
    if not commits:
        return
    s = SUPPRESSION.c
    keys = sorted({record.event.address_key for commit in commits for record in commit.events if _is_act(record.event)})
    last: dict[tuple[str, str], dict[str, Any]] = {}
    found = await conn.execute(select(SUPPRESSION).where(among(conn, s.address_key, keys)))
    last |= {(row["address_key"], row["scope"]): dict(row) for row in found.mappings()}
    told: dict[tuple[str, str], dict[str, Any]] = {}
    for commit in commits:
        for record in commit.events:
            event = record.event
            if not _is_act(event):
                continue
            act = Held(commit.seq, moment(record.time, record.recorded_at), isinstance(event, BLOCKING))
            key = (event.address_key, event.scope)
            before = last.get(key)
            held = after(Held(before["seq"], before["at"], bool(before["blocked"])) if before else None, act)
            if held.seq == commit.seq:
                row = {
                    "address_key": key[0],
                    "scope": key[1],
                    "blocked": _blocked(event),
                    "reason": event.reason[:40] if isinstance(event, AddressSuppressed) else "",
                    "seq": held.seq,
                    "at": held.at,
                }
                last[key] = told[key] = row
    await _upsert(conn, SUPPRESSION, told.values())


def _is_act(event: DomainEvent) -> TypeGuard[Act]:
    return isinstance(event, consent.EVENTS)


def _blocked(event: DomainEvent) -> str:
    """Return why a scope is not mailed after this act, "" where it is."""
    if isinstance(event, AddressSuppressed):
        return "suppressed"
    if isinstance(event, OptInRequested):
        return "unconfirmed"
    return "opted_out" if isinstance(event, BLOCKING) else ""
