"""Which recipients of a chunk are in doubt, and not yet decided on.

Pure. In: what the senders recorded of the chunk and what was decided on its mailing, each with its place in the log.
"""

from collections.abc import Iterable

from shared.contracts import ranges
from shared.contracts.envelope import Commit
from shared.contracts.mailing import DoubtDecided
from shared.contracts.sending import RecipientsClaimed, RecipientsSettled


def open_doubts(n: int, chunk: Iterable[Commit], mailing: Iterable[Commit]) -> tuple[frozenset[int], int]:
    """Return the open doubts of chunk `n`, and how many decisions on it they take into account."""
    since: dict[int, int] = {}
    for commit in chunk:
        for record in commit.events:
            match record.event:
                case RecipientsClaimed():
                    for index in ranges.unpack(record.event.indexes):
                        since.pop(index, None)
                case RecipientsSettled():
                    for group in record.event.groups:
                        for index in ranges.unpack(group.indexes):
                            since.pop(index, None)
                            if group.outcome == "in_doubt":
                                since[index] = commit.seq
    decisions = 0
    for commit in mailing:
        for record in commit.events:
            if isinstance(record.event, DoubtDecided) and record.event.n == n:
                decisions += 1
                for index in ranges.unpack(record.event.indexes):
                    if since.get(index, commit.seq) < commit.seq:
                        del since[index]
    return frozenset(since), decisions
