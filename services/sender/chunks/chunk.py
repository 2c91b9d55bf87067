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
from shared.contracts.envelope import DomainEvent
from shared.contracts.mailing_settings import DoubtPolicy
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


OUTCOMES = {
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
        return counted(self.status)

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
                set_run(chunk.status, run, Status.CLAIMED)
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
    status = OUTCOMES[group.outcome]
    tried = status in (Status.ACCEPTED, Status.REJECTED, Status.DEFERRED) and group.code > 0
    if group.cause:
        chunk.causes.add(group.cause)
    if tried:
        chunk.takeovers = 0
    for run in ranges.runs(group.indexes):
        set_run(chunk.status, run, status)
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


def set_run(statuses: bytearray, run: range, status: int) -> None:
    """Set the status of recipients side by side."""
    statuses[run.start : run.stop] = bytes((status,)) * len(run)


def _still_open(chunk: Chunk, claim: Claim) -> bool:
    claim.indexes = [index for index in claim.indexes if chunk.status[index] == Status.CLAIMED]
    return bool(claim.indexes)


def dying_at(chunk: Chunk) -> int | None:
    """Return the recipient at which workers die: the next one after the window was narrowed in vain."""
    if chunk.takeovers <= NARROW_AFTER:
        return None
    pending: Iterable[int] = chunk.having(Status.PENDING)
    return next(iter(pending), None)


def _first(statuses: bytearray, wanted: Status, most: int) -> list[int]:
    """Return the first `most` indexes with a status, ascending."""
    found: list[int] = []
    index = statuses.find(wanted)
    while index >= 0 and len(found) < most:
        found.append(index)
        index = statuses.find(wanted, index + 1)
    return found


def counted(statuses: bytearray) -> dict[str, int]:
    """Return how many recipients have each status that occurs, by its name."""
    counts = {status.name.lower(): statuses.count(status) for status in Status}
    return {name: count for name, count in sorted(counts.items()) if count}
