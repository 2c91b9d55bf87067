"""One chunk in a worker's hands: its plan, its state, its payload, and the only way to append to it.

Every append carries the sequence the state was folded to; if another worker appended meanwhile, this one is fenced
(`WrongVersionError`) and must let go without a further word (G2).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from services.sender import metrics
from services.sender.chunks.chunk import Chunk, evolve, initial
from services.sender.chunks.decisions import Command, decide
from services.sender.chunks.rows import Rows
from shared.clock import now
from shared.contracts import subjects
from shared.contracts.commands import Refusal
from shared.contracts.envelope import DomainEvent, Origin
from shared.contracts.sending import ChunkPlanned
from shared.contracts.subjects import ChunkRef
from shared.eventlog.server_clock import ServerClock
from shared.eventlog.store import EventLog


class ChunkRuleError(RuntimeError):
    """The worker asked for what the rules of a chunk forbid: a fault of this program; the job goes back."""


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
            decided = decide(self.chunk, command)
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
            evolve(self.chunk, event, seq=seq, recorded_at=recorded_at)
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
    chunk = initial(len(plan.contacts), plan.doubt)
    for commit in await log.load(subjects.chunk(ref.mailing, ref.n)):
        for event in commit.events:
            evolve(chunk, event.event, seq=commit.seq, recorded_at=commit.recorded_at)
    return Case(log, clock, worker, ref, plan, record.id, chunk)
