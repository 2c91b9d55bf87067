"""What became of each mail, as the planner keeps it: a second view of its facts, cheap to write.

In come plans, settlements, decisions on doubts, hits, opt-outs and what came back; out come one row of bytes a chunk
and one row for each hit and each sign. Nothing is judged here and nobody's contact is looked up: `outcomes` makes
rows that can be asked from this once somebody asks (decision 0028). Mails of no mailing (tests, confirmations) are left
out.
"""

from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import orjson
from sqlalchemy import BigInteger, Column, Index, Integer, LargeBinary, String, Table, Text, case, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from services.planner.schema import METADATA, execute_many, insert, portions, values_of
from shared.bulk import insert_absent, replace_rows
from shared.contracts import feedback, outcomes
from shared.contracts.consent import OptedOut
from shared.contracts.engagement import HitsRecorded
from shared.contracts.envelope import Commit, DomainEvent, EventRecord
from shared.contracts.feedback import ComplaintReceived, sign_of
from shared.contracts.mailing import DoubtDecided
from shared.contracts.ranges import unpack
from shared.contracts.sending import SINGLE, ChunkPlanned, RecipientsSettled
from shared.contracts.verdicts import crowd_of, fact_of
from shared.instants import to_millis
from shared.tokens import ANONYMOUS

RECIPIENTS = Table(
    "facts_recipients",
    METADATA,
    Column("mailing", String(24), primary_key=True),
    Column("n", Integer, primary_key=True),
    Column("contacts", Text, nullable=False),
)
OUTCOMES = Table(
    "facts_outcomes",
    METADATA,
    Column("mailing", String(24), primary_key=True),
    Column("n", Integer, primary_key=True),
    Column("states", LargeBinary, nullable=False),
    Column("at", LargeBinary, nullable=False),
)
"""One byte and eight a recipient: what became of the mail (`shared.contracts.outcomes`, `UNTIMED`), and since when."""
UNTIMED = 0b0100_0000
"""Beside the outcome: the relay may have had the mail before that (`Group.untimed`)."""
HITS = Table(
    "facts_hits",
    METADATA,
    Column("mailing", String(24), primary_key=True),
    Column("n", Integer, primary_key=True),
    Column("idx", Integer, primary_key=True),
    Column("id", String(32), primary_key=True),
    Column("link", Integer, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("method", String(8), nullable=False),
    Column("agent", String(20), nullable=False),
    Column("network", String(48), nullable=False),
    Column("crowd", String(64), nullable=False),
    Index("facts_hits_by_crowd", "mailing", "crowd"),
    sqlite_with_rowid=False,
)
SIGNS = Table(
    "facts_signs",
    METADATA,
    Column("mailing", String(24), primary_key=True),
    Column("n", Integer, primary_key=True),
    Column("idx", Integer, primary_key=True),
    Column("kind", String(16), primary_key=True),
    Column("at", BigInteger, nullable=False),
    Column("seq", BigInteger, nullable=False),
)
"""That a recipient opted out, or something came back: when first, and the last sequence that says so."""
TOUCHED = Table(
    "facts_touched",
    METADATA,
    Column("mailing", String(24), primary_key=True),
    Column("n", Integer, primary_key=True),
    Column("seq", BigInteger, nullable=False),
    Index("facts_touched_by_seq", "seq"),
)
"""The last sequence that changed anything about a chunk."""

OPTED_OUT = "opted-out"
_SAID = ("not-spam", "opt-out")

Key = tuple[str, int]


@dataclass(slots=True)
class _Chunk:
    states: bytearray
    at: "array[int]"


class OutcomeFacts:
    """The view."""

    name = "planner_outcomes"
    version = 1
    tables: ClassVar = [RECIPIENTS, OUTCOMES, HITS, SIGNS, TOUCHED]
    handles = frozenset(
        event.TYPE
        for event in (ChunkPlanned, RecipientsSettled, DoubtDecided, HitsRecorded, OptedOut, *feedback.EVENTS)
    )

    async def apply(self, conn: AsyncConnection, commits: Sequence[Commit]) -> None:
        """Change the tables as the commits demand."""
        batch = _Batch()
        records = [record for commit in commits for record in commit.events]
        planned = [record.event for record in records if isinstance(record.event, ChunkPlanned)]
        await _keep_contacts(conn, [plan for plan in planned if plan.kind not in SINGLE])
        batch.chunks = await _load(conn, {key for record in records if (key := _settles(record))})
        for record in records:
            batch.take(record)
        await batch.write(conn)


class _Batch:
    """What a batch of commits changes."""

    def __init__(self) -> None:
        self.chunks: dict[Key, _Chunk] = {}
        self._changed: set[Key] = set()
        self._hits: list[tuple[Any, ...]] = []
        self._signs: dict[tuple[str, int, int, str], tuple[int, int]] = {}
        self._touched: dict[Key, int] = {}

    def take(self, record: EventRecord) -> None:
        """Take one event in."""
        event: Any = record.event
        match event:
            case ChunkPlanned() if event.kind not in SINGLE:
                size = len(event.contacts)
                key = event.mailing, event.n
                self.chunks[key] = _Chunk(bytearray(size), array("q", bytes(8 * size)))
                self._note(key, record.seq)
                self._changed.add(key)
            case RecipientsSettled() | DoubtDecided():
                key = _settles(record) or ("", 0)
                chunk = self.chunks.get(key)
                if chunk is not None:  # a test's or a confirmation's otherwise
                    _settle(chunk, event, record)
                    self._note(key, record.seq)
                    self._changed.add(key)
            case HitsRecorded():
                for hit in event.hits:
                    if hit.index != ANONYMOUS:
                        fact = fact_of(hit)
                        self._hits.append((hit.mailing, hit.n, hit.index, hit.id, *fact, crowd_of(fact) or ""))
                        self._note((hit.mailing, hit.n), record.seq)
            case _:
                self._sign(event, record)

    def _sign(self, event: Any, record: EventRecord) -> None:  # noqa: ANN401 - an opt-out or one of four that came back
        kind = kind_of(event)
        if not kind or event.n is None or event.index is None:
            return
        key = event.mailing, event.n, event.index, kind
        first = min(self._signs.get(key, (_millis(record), 0))[0], _millis(record))
        self._signs[key] = first, record.seq
        self._note((event.mailing, event.n), record.seq)

    def _note(self, key: Key, seq: int) -> None:
        self._touched[key] = seq

    async def write(self, conn: AsyncConnection) -> None:
        """Write it."""
        changed = [(*key, bytes(self.chunks[key].states), self.chunks[key].at.tobytes()) for key in self._changed]
        await replace_rows(conn, OUTCOMES, changed)
        await insert_absent(conn, HITS, HITS.c.keys(), self._hits)
        if self._signs:
            await self._write_signs(conn)
        await replace_rows(conn, TOUCHED, [(*key, seq) for key, seq in self._touched.items()])

    async def _write_signs(self, conn: AsyncConnection) -> None:
        signs = insert(conn, SIGNS)
        earlier = case((SIGNS.c.at < signs.excluded.at, SIGNS.c.at), else_=signs.excluded.at)
        merged = {"at": earlier, "seq": signs.excluded.seq}
        signs = signs.values(values_of(SIGNS, *SIGNS.c.keys()))
        signs = signs.on_conflict_do_update(index_elements=["mailing", "n", "idx", "kind"], set_=merged)
        await execute_many(conn, signs, [(*key, *told) for key, told in self._signs.items()])


def kind_of(event: DomainEvent) -> str:
    """Return as which sign of a recipient an event is kept, "" for none."""
    if isinstance(event, OptedOut):
        return OPTED_OUT
    if isinstance(event, ComplaintReceived) and event.proven and event.feedback_type in _SAID:
        return event.feedback_type
    return sign_of(event)


def _settles(record: EventRecord) -> Key | None:
    """Return the chunk whose recipients an event settles."""
    parts = record.subject.split(".")
    if isinstance(record.event, RecipientsSettled):
        return parts[2], int(parts[3])
    return (parts[2], record.event.n) if isinstance(record.event, DoubtDecided) else None


def _settle(chunk: _Chunk, event: RecipientsSettled | DoubtDecided, record: EventRecord) -> None:
    states, at = chunk.states, chunk.at
    if isinstance(event, DoubtDecided):
        outcomes.decide(states, unpack(event.indexes), event.decision)
        return
    base = event.base or _millis(record)
    for group in event.groups:
        indexes = unpack(group.indexes)
        code, untimed = outcomes.CODES[group.outcome], UNTIMED if group.untimed else 0
        times: Iterable[int] = [base + after for after in group.at] or [base] * len(indexes)
        for index, when in zip(indexes, times, strict=True):
            before = states[index]
            states[index] = code | before & UNTIMED | untimed
            at[index] = min(at[index], when) if code == outcomes.ACCEPTED == before & outcomes.OUTCOME else when


def _millis(record: EventRecord) -> int:
    return to_millis(record.time)


async def _keep_contacts(conn: AsyncConnection, plans: Sequence[ChunkPlanned]) -> None:
    rows = [(plan.mailing, plan.n, orjson.dumps(plan.contacts).decode()) for plan in plans]
    await insert_absent(conn, RECIPIENTS, RECIPIENTS.c.keys(), rows)


async def _load(conn: AsyncConnection, keys: Iterable[Key]) -> dict[Key, _Chunk]:
    o, wanted = OUTCOMES.c, sorted(keys)
    found: dict[Key, _Chunk] = {}
    for part in portions(wanted):
        some = tuple_(o.mailing, o.n).in_(part)
        for mailing, n, states, at in await conn.execute(select(OUTCOMES).where(some)):
            found[mailing, n] = _Chunk(bytearray(states), array("q", bytes(at)))
    return found
