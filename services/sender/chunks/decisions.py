"""What may be decided about a chunk: it is taken up, gets on by claims and outcomes, or is set aside.

Pure; the rules stand at its state (chunk.py). A command comes in, the events it causes go out, or a refusal.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from services.sender.chunks.chunk import LOST_CLAIM, MAX_RESENDS, OPEN, OUTCOMES, Chunk, Status, counted, set_run
from shared.contracts import ranges
from shared.contracts.commands import Refusal
from shared.contracts.envelope import DomainEvent
from shared.contracts.sending import (
    ChunkFinished,
    ChunkParked,
    ChunkPassed,
    ChunkStarted,
    Group,
    RecipientsClaimed,
    RecipientsSettled,
)


@dataclass(frozen=True, slots=True)
class Take:
    """A worker takes the chunk up: for a first time, or over from a worker that died.

    Attributes:
        job: Sequence of the job in JOBS.
        redelivered: The job was handed out before, and that worker never acked it.
        found: What is known of the claims it left open: settles every claimed recipient.
    """

    job: int
    worker: str
    redelivered: bool = False
    found: tuple[Group, ...] = ()
    host: str = ""


@dataclass(frozen=True, slots=True)
class Advance:
    """Settle what came back and claim the next ones, in one commit.

    Attributes:
        groups: Outcomes of claimed recipients, and of open ones that are skipped, expired, cancelled or decided.
        claim: Indexes to claim, ascending; `digests` and `date` belong to them.
    """

    groups: tuple[Group, ...] = ()
    claim: tuple[int, ...] = ()
    digests: str = ""
    date: int = 0
    host: str = ""
    base: int = 0


@dataclass(frozen=True, slots=True)
class Park:
    """Set the chunk, or the one recipient at which workers die, aside for an operator.

    `again`: its mailing was resumed, so say it once more for the same reason.
    """

    reason: str
    index: int | None = None
    again: bool = False


Command = Take | Advance | Park


def decide(chunk: Chunk, command: Command) -> list[DomainEvent] | Refusal:
    """Return the events of `command`, or why it must not be."""
    match command:
        case Take():
            return _take(chunk, command)
        case Advance():
            return _advance(chunk, command)
        case Park():
            return _park(chunk, command)


def _take(chunk: Chunk, command: Take) -> list[DomainEvent] | Refusal:
    settled = {index for group in command.found for index in ranges.unpack(group.indexes)}
    claimed = set(chunk.having(Status.CLAIMED))
    if settled != claimed:
        return Refusal(code="claims_open", message=f"{sorted(claimed ^ settled)} are claimed and not accounted for")
    if chunk.job == command.job and chunk.worker == command.worker and not claimed:
        return []
    takeover = command.redelivered and chunk.job == command.job
    events: list[DomainEvent] = [ChunkStarted(job=command.job, worker=command.worker, takeover=takeover)]
    if not command.found:
        return events
    events.append(RecipientsSettled(groups=list(command.found), host=command.host))
    after = bytearray(chunk.status)
    for group in command.found:
        for index in ranges.unpack(group.indexes):
            after[index] = _after(chunk, group, index)
    return events + _milestones(chunk, command.found, after)


def _advance(chunk: Chunk, command: Advance) -> list[DomainEvent] | Refusal:
    after = bytearray(chunk.status)
    claimed = ranges.pack(command.claim)
    for group in command.groups:
        if (refused := _settle_in(after, chunk, group)) is not None:
            return refused
    if (refused := _claim_in(after, claimed)) is not None:
        return refused
    events: list[DomainEvent] = []
    if command.groups:
        events.append(RecipientsSettled(groups=list(command.groups), host=command.host, base=command.base))
    if claimed:
        events.append(RecipientsClaimed(indexes=claimed, digests=command.digests, date=command.date))
    return events + _milestones(chunk, command.groups, after)


def _settle_in(after: bytearray, chunk: Chunk, group: Group) -> Refusal | None:
    """Settle a group in `after`; nearly always its recipients are claimed and side by side."""
    for run in ranges.runs(group.indexes):
        if group.outcome != "in_doubt" and chunk.status.count(Status.CLAIMED, run.start, run.stop) == len(run):
            set_run(after, run, OUTCOMES[group.outcome])
            continue
        for index in run:
            if not _may_settle(chunk, group, index):
                name = Status(chunk.status[index]).name.lower()
                return Refusal(
                    code="not_open", message=f"recipient {index} is {name}, it cannot become {group.outcome}"
                )
            after[index] = _after(chunk, group, index)
    return None


def _claim_in(after: bytearray, claimed: str) -> Refusal | None:
    for run in ranges.runs(claimed):
        for index in run if after.count(Status.PENDING, run.start, run.stop) != len(run) else ():
            if after[index] not in (Status.PENDING, Status.DEFERRED):
                name = Status(after[index]).name.lower()
                return Refusal(code="not_claimable", message=f"recipient {index} is {name}, it cannot be claimed")
        set_run(after, run, Status.CLAIMED)
    return None


def _may_settle(chunk: Chunk, group: Group, index: int) -> bool:
    status = chunk.status[index]
    if status == Status.CLAIMED:
        return True
    if status == Status.IN_DOUBT:
        return bool(group.cause) and group.cause not in chunk.causes
    known = ("skipped", "expired", "cancelled", *(("accepted", "in_doubt") if group.cause == LOST_CLAIM else ()))
    return status in (Status.PENDING, Status.DEFERRED) and group.outcome in known


def _after(chunk: Chunk, group: Group, index: int) -> int:
    if group.outcome == "in_doubt" and chunk.doubt == "resend" and chunk.doubts.get(index, 0) < MAX_RESENDS:
        return Status.PENDING
    return OUTCOMES[group.outcome]


def _milestones(chunk: Chunk, groups: Sequence[Group], after: bytearray) -> list[DomainEvent]:
    events: list[DomainEvent] = []
    if not chunk.passed and not any(status in after for status in (Status.PENDING, Status.CLAIMED)):
        until = {i: chunk.until.get(i) for i, s in enumerate(after) if s == Status.DEFERRED}
        for group in groups:
            if group.outcome == "deferred":
                until |= dict.fromkeys(ranges.unpack(group.indexes), group.until)
        due = min((instant for instant in until.values() if instant), default=None)
        events.append(ChunkPassed(deferred=len(until), until=due))
    if not any(status in after for status in OPEN):
        blamed = chunk.blamed.union(*(ranges.unpack(g.indexes) for g in groups if g.scope == "address"))
        finished = ChunkFinished(totals=counted(after), address_rejected=ranges.pack(blamed))
        if chunk.finished != finished.totals:
            events.append(finished)
    return events


def _park(chunk: Chunk, command: Park) -> list[DomainEvent] | Refusal:
    if command.index is None:
        known = chunk.parked == command.reason and not command.again
        return [] if known else [ChunkParked(reason=command.reason)]
    if chunk.status[command.index] != Status.PENDING:
        return []
    skipped = Group(outcome="skipped", indexes=str(command.index), cause=f"parked: {command.reason}")
    advanced = _advance(chunk, Advance(groups=(skipped,)))
    if isinstance(advanced, Refusal):
        return advanced
    return [ChunkParked(reason=command.reason, index=command.index), *advanced]
