"""Which recipients of a chunk are in doubt, and not yet decided on.

Pure. In: what the senders recorded of the chunk and what was decided on its mailing, each with its place in the log.
"""

from collections.abc import Iterable, Iterator

from shared.contracts import ranges
from shared.contracts.envelope import Commit, DomainEvent
from shared.contracts.mailing import DoubtDecided
from shared.contracts.sending import RecipientsClaimed, RecipientsSettled


def open_doubts(n: int, chunk: Iterable[Commit], mailing: Iterable[Commit]) -> tuple[frozenset[int], int]:
    """Return the open doubts of chunk `n`, and how many decisions on it they take into account."""
    since: dict[int, int] = {}
    for commit in chunk:
        for record in commit.events:
            for index, doubted in _touched(record.event):
                since.pop(index, None)
                if doubted:
                    since[index] = commit.seq
    decisions = 0
    for commit in mailing:
        for decided in (record.event for record in commit.events):
            if isinstance(decided, DoubtDecided) and decided.n == n:
                decisions += 1
                settled = frozenset(ranges.unpack(decided.indexes))
                since = {i: seq for i, seq in since.items() if i not in settled or seq > commit.seq}
    return frozenset(since), decisions


def _touched(event: DomainEvent) -> Iterator[tuple[int, bool]]:
    match event:
        case RecipientsClaimed():
            yield from ((index, False) for index in ranges.unpack(event.indexes))
        case RecipientsSettled():
            for group in event.groups:
                yield from ((index, group.outcome == "in_doubt") for index in ranges.unpack(group.indexes))
