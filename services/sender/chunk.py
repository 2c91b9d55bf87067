"""The chunk: who of its recipients may be claimed, what became of them, when its first pass and all of it is done.

Pure. Rules:
1. Only the worker named in the last ChunkStarted appends; the expected sequence fences every other one.
2. A recipient is claimed before it is sent, and claimed only while pending, or deferred and due.
3. A claimed recipient is settled by its own worker, or by the one that takes the chunk over.
4. A final outcome stands. Only `in_doubt` can move: by a decision of the operator, or back to pending where the policy
   is `resend`, at most `MAX_RESENDS` times.
5. ChunkPassed comes once, when every recipient was tried once or is final; ChunkFinished when all are final, and again
   when a decision on a doubt changed the totals, or had recipients sent again and these are final.
6. Takeovers without progress are counted: the third narrows the window to one mail, the next one parks the recipient
   at which the workers die.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum

from shared.contracts import ranges
from shared.contracts.commands import Refusal
from shared.contracts.envelope import DomainEvent
from shared.contracts.mailing import DoubtPolicy
from shared.contracts.sending import (
    ChunkFinished,
    ChunkParked,
    ChunkPassed,
    ChunkStarted,
    Group,
    RecipientsClaimed,
    RecipientsSettled,
)

MAX_RESENDS = 3
NARROW_AFTER = 3


LOST_CLAIM = "a journal knows a claim that the log lost"
"""Cause of what is settled without a claim: the log was restored, and this had happened before."""


class Status(IntEnum):
    """Where one recipient stands."""

    PENDING = 0
    CLAIMED = 1
    DEFERRED = 2
    ACCEPTED = 3
    REJECTED = 4
    SKIPPED = 5
    EXPIRED = 6
    CANCELLED = 7
    IN_DOUBT = 8


_OUTCOMES = {
    "accepted": Status.ACCEPTED,
    "deferred": Status.DEFERRED,
    "rejected": Status.REJECTED,
    "skipped": Status.SKIPPED,
    "released": Status.PENDING,
    "in_doubt": Status.IN_DOUBT,
    "expired": Status.EXPIRED,
    "cancelled": Status.CANCELLED,
}
_ONE_MORE = bytes(min(tries + 1, 255) for tries in range(256))
OPEN = (Status.PENDING, Status.DEFERRED, Status.CLAIMED)


@dataclass(slots=True)
class Claim:
    """Recipients that a worker may be sending.

    Attributes:
        after: The chunk's last sequence before the claim; names it in the journal, which is begun before the append.
        recorded_at: When the log recorded it.
    """

    after: int
    indexes: list[int]
    recorded_at: datetime


@dataclass(slots=True)
class Chunk:
    """State of one chunk; folded in place by `evolve`."""

    size: int
    doubt: DoubtPolicy = "hold"
    seq: int = 0
    before: int = 0
    job: int = 0
    worker: str = ""
    takeovers: int = 0
    status: bytearray = field(default_factory=bytearray)
    tries: bytearray = field(default_factory=bytearray)
    doubts: dict[int, int] = field(default_factory=dict)
    dates: dict[int, int] = field(default_factory=dict)
    until: dict[int, datetime] = field(default_factory=dict)
    claims: list[Claim] = field(default_factory=list)
    causes: set[str] = field(default_factory=set)
    blamed: set[int] = field(default_factory=set)
    passed: bool = False
    finished: dict[str, int] | None = None
    parked: str = ""

    def having(self, *wanted: Status) -> list[int]:
        """Return the indexes whose status is one of `wanted`, ascending."""
        return [i for i, status in enumerate(self.status) if status in wanted]

    def totals(self) -> dict[str, int]:
        """Return how many recipients stand where, by outcome name; pending ones count as `pending`."""
        return _counted(self.status)

    @property
    def settled(self) -> bool:
        """Whether no recipient is open."""
        return not any(status in self.status for status in OPEN)

    @property
    def next_try(self) -> datetime | None:
        """Return when the first deferred recipient is due, None where none is deferred."""
        return min((self.until[i] for i in self.having(Status.DEFERRED)), default=None)

    def claimable(self, now: datetime, most: int, only: Callable[[int], bool] | None = None) -> list[int]:
        """Return up to `most` indexes to claim next: the untried first, then deferred ones that are due.

        `only` says of an index whether it may be one of them.
        """
        if only is not None:
            fresh = [i for i in self.having(Status.PENDING) if only(i)][:most]
        else:
            fresh = _first(self.status, Status.PENDING, most)
        if fresh or Status.DEFERRED not in self.status:
            return fresh
        due = (i for i in self.having(Status.DEFERRED) if self.until[i] <= now)
        return [i for i in due if only is None or only(i)][:most]


def initial(size: int, doubt: DoubtPolicy = "hold") -> Chunk:
    """Return a planned chunk of `size` recipients on which nobody worked yet."""
    return Chunk(size=size, doubt=doubt, status=bytearray(size), tries=bytearray(size))


def evolve(chunk: Chunk, event: DomainEvent, *, seq: int, recorded_at: datetime) -> Chunk:
    """Fold one event of the chunk; `seq` and `recorded_at` are those of its commit."""
    if seq != chunk.seq:
        chunk.before, chunk.seq = chunk.seq, seq
    match event:
        case ChunkStarted():
            chunk.job, chunk.worker = event.job, event.worker
            chunk.takeovers = chunk.takeovers + 1 if event.takeover else 0
        case RecipientsClaimed():
            indexes = ranges.unpack(event.indexes)
            for run in ranges.runs(event.indexes):
                _set(chunk.status, run, Status.CLAIMED)
            for index in indexes:
                chunk.dates.setdefault(index, event.date)
            chunk.claims.append(Claim(chunk.before, indexes, recorded_at))
        case RecipientsSettled():
            _settle_all(chunk, event.groups)
        case ChunkPassed():
            chunk.passed = True
        case ChunkParked():
            chunk.parked = event.reason
        case ChunkFinished():
            chunk.finished = dict(event.totals)
        case _:
            raise TypeError(f"{event.TYPE} is no event of a chunk")
    return chunk


def _settle_all(chunk: Chunk, groups: Sequence[Group]) -> None:
    for group in groups:
        _settle(chunk, group)
    chunk.claims = [claim for claim in chunk.claims if _still_open(chunk, claim)]
    if chunk.finished is not None and not chunk.settled:
        chunk.finished = None


def _settle(chunk: Chunk, group: Group) -> None:
    status = _OUTCOMES[group.outcome]
    tried = status in (Status.ACCEPTED, Status.REJECTED, Status.DEFERRED) and group.code > 0
    if group.cause:
        chunk.causes.add(group.cause)
    if tried:
        chunk.takeovers = 0
    for run in ranges.runs(group.indexes):
        _set(chunk.status, run, status)
        if tried:
            chunk.tries[run.start : run.stop] = chunk.tries[run.start : run.stop].translate(_ONE_MORE)
        if status is Status.ACCEPTED and not chunk.until:  # nearly all of them
            continue
        for index in run:
            _settle_one(chunk, group, status, index)


def _settle_one(chunk: Chunk, group: Group, status: Status, index: int) -> None:
    chunk.until.pop(index, None)
    if group.scope == "address":
        chunk.blamed.add(index)
    if status is Status.DEFERRED and group.until is not None:
        chunk.until[index] = group.until
    if status is Status.IN_DOUBT:
        chunk.doubts[index] = chunk.doubts.get(index, 0) + 1
        if chunk.doubt == "resend" and chunk.doubts[index] <= MAX_RESENDS:
            chunk.status[index] = Status.PENDING


def _set(statuses: bytearray, run: range, status: int) -> None:
    statuses[run.start : run.stop] = bytes((status,)) * len(run)


def _still_open(chunk: Chunk, claim: Claim) -> bool:
    claim.indexes = [index for index in claim.indexes if chunk.status[index] == Status.CLAIMED]
    return bool(claim.indexes)


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
            _set(after, run, _OUTCOMES[group.outcome])
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
        _set(after, run, Status.CLAIMED)
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
    return _OUTCOMES[group.outcome]


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
        finished = ChunkFinished(totals=_counted(after), address_rejected=ranges.pack(blamed))
        if chunk.finished != finished.totals:
            events.append(finished)
    return events


def _counted(statuses: bytearray) -> dict[str, int]:
    """Return how many recipients have each status that occurs, by its name."""
    counts = {status.name.lower(): statuses.count(status) for status in Status}
    return {name: count for name, count in sorted(counts.items()) if count}


def _first(statuses: bytearray, wanted: Status, most: int) -> list[int]:
    """Return the first `most` indexes with a status, ascending."""
    found: list[int] = []
    index = statuses.find(wanted)
    while index >= 0 and len(found) < most:
        found.append(index)
        index = statuses.find(wanted, index + 1)
    return found


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


def dying_at(chunk: Chunk) -> int | None:
    """Return the recipient at which workers die: the next one after the window was narrowed in vain."""
    if chunk.takeovers <= NARROW_AFTER:
        return None
    pending: Iterable[int] = chunk.having(Status.PENDING)
    return next(iter(pending), None)
