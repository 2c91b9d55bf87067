"""One chunk in a worker's hands: its plan, its state, its payload, and the only way to append to it.

Every append carries the sequence the state was folded to; if another worker appended meanwhile, this one is fenced
(`WrongVersionError`) and must let go without a further word (G2).
"""

from base64 import b64decode
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, NamedTuple

import orjson

from services.sender import chunk as chunks
from services.sender import metrics
from services.sender.chunk import Chunk, Command
from shared.clock import now
from shared.contracts import subjects
from shared.contracts.commands import Refusal
from shared.contracts.envelope import DomainEvent, Origin
from shared.contracts.sending import PAYLOAD_DIGEST_BYTES, ChunkPlanned
from shared.contracts.subjects import ChunkRef
from shared.eventlog.documents import Documents
from shared.eventlog.server_clock import ServerClock
from shared.eventlog.store import EventLog

_DIFFERS = "payload differs from its digest"


class ChunkRuleError(RuntimeError):
    """The worker asked for what the rules of a chunk forbid: a fault of this program; the job goes back."""


class Row(NamedTuple):
    """One recipient of the payload: what the composer needs, and why it must not be sent ("" where it may)."""

    data: Mapping[str, Any]
    fault: str = ""

    @property
    def address(self) -> str:
        """Where it goes."""
        return str(self.data.get("address", ""))

    @property
    def address_key(self) -> str:
        """The keyed hash under which consent is kept."""
        return str(self.data.get("address_key", ""))

    @property
    def lists(self) -> Sequence[str]:
        """The lists it was planned for."""
        return list(self.data.get("lists", ()))


class Rows:
    """The recipients of a payload by index, each read and held against its digest when it is first asked for.

    Only those at work are held as objects: what a chunk takes in memory is the bytes of its payload.
    """

    def __init__(self, body: bytes = b"", digests: bytes = b"") -> None:
        self._lines = body.split(b"\n")
        self._digests = digests
        self._read: dict[int, Row] = {}

    def __len__(self) -> int:
        return len(self._lines)

    def __getitem__(self, index: int) -> Row:
        row = self._read.get(index)
        if row is None:
            start = index * PAYLOAD_DIGEST_BYTES
            row = _row(self._lines[index], self._digests[start : start + PAYLOAD_DIGEST_BYTES])
            self._read[index] = row
        return row

    def drop(self, indexes: Iterable[int]) -> None:
        """Hold these no longer; they can be read again."""
        for index in indexes:
            self._read.pop(index, None)


@dataclass(slots=True)
class Case:
    """See the module."""

    log: EventLog
    clock: ServerClock
    worker: str
    ref: ChunkRef
    plan: ChunkPlanned
    plan_id: str
    chunk: Chunk
    rows: Rows = field(default_factory=Rows)

    async def append(self, *commands: Command) -> Sequence[DomainEvent]:
        """Decide `commands` one after the other and append what they cause as one commit.

        Raises:
            WrongVersionError: Fenced.
            ChunkRuleError: A rule of the chunk forbids it.
        """
        events: list[DomainEvent] = []
        for command in commands:
            decided = chunks.decide(self.chunk, command)
            if isinstance(decided, Refusal):
                raise ChunkRuleError(f"{self.ref.mailing}.{self.ref.n}: {decided.message}")
            events += decided
        if not events:
            return ()
        origin = Origin(
            command_id=f"{self.ref.mailing}.{self.ref.n}.{self.chunk.seq}.{self.worker}",
            source="sender",
            time=now(),
            correlation_id=self.ref.mailing,
            causation_id=self.plan_id,
        )
        subject = subjects.chunk(self.ref.mailing, self.ref.n)
        seq = await self.log.append(subject, events, expected=self.chunk.seq, origin=origin)
        metrics.settled(events)
        recorded_at = datetime.fromtimestamp(self.clock.now(), UTC)
        for event in events:
            chunks.evolve(self.chunk, event, seq=seq, recorded_at=recorded_at)
        return events


async def open_case(log: EventLog, clock: ServerClock, worker: str, ref: ChunkRef) -> Case | None:
    """Load plan and state of the chunk a job names; None where there is no such plan."""
    planned = await log.load(subjects.plan(ref.mailing, ref.account, ref.lane, ref.n))
    if not planned:
        return None
    record = planned[0].events[0]
    plan = record.event
    if not isinstance(plan, ChunkPlanned):
        raise ChunkRuleError(f"{record.id} on {record.subject} is no plan")
    chunk = chunks.initial(len(plan.contacts), plan.doubt)
    for commit in await log.load(subjects.chunk(ref.mailing, ref.n)):
        for event in commit.events:
            chunks.evolve(chunk, event.event, seq=commit.seq, recorded_at=commit.recorded_at)
    return Case(log, clock, worker, ref, plan, record.id, chunk)


async def fetch_rows(payloads: Documents, plan: ChunkPlanned) -> Rows:
    """Return the recipients of the payload, each to be checked against the digest that the plan pins.

    Raises:
        MissingError: There is no payload.
        ValueError: It has not as many rows as the plan.
    """
    rows = Rows(await payloads.get(subjects.payload(plan.mailing, plan.n)), b64decode(plan.digests))
    if len(rows) != len(plan.contacts):
        raise ValueError(f"payload has {len(rows)} rows, the plan {len(plan.contacts)}")
    return rows


def _row(line: bytes, digest: bytes) -> Row:
    try:
        row = orjson.loads(line)
        contact = row["contact"]
    except (ValueError, TypeError, KeyError):  # no row: this recipient is skipped, and the reason says why
        return Row({}, _DIFFERS)
    if not contact:
        return Row(row, "erased")
    return Row(row, "" if sha256(line).digest()[: len(digest)] == digest else _DIFFERS)
