"""Which mailings and campaigns changed, and up to where in the log: what the live streams go by.

The projector tells each batch that is in the tables. Memory is bounded: when too many changed, the oldest changes are
forgotten and `floor` says up to where; whoever asks from before that gets everything.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Iterator, Sequence

from shared.contracts.consent import OptedOut
from shared.contracts.engagement import HitsRecorded
from shared.contracts.envelope import Commit
from shared.contracts.mailing import MailingDrafted, TestSent

MOST = 20_000

Changed = tuple[str, str]
"""`mailing` or `campaign`, and its id."""


class Changes:
    """What changed lately.

    Attributes:
        position: Up to where in the log changes are known.
        floor: Changes at or before it are not known.
    """

    def __init__(self, most: int = MOST) -> None:
        self.position = 0
        self.floor = 0
        self._most = most
        self._at: OrderedDict[Changed, int] = OrderedDict()  # the last change of each, oldest first
        self._waiting: list[asyncio.Future[None]] = []

    def begin(self, position: int) -> None:
        """Know nothing of what happened up to `position`, where the tables stand."""
        self.position = self.floor = max(self.position, position)

    async def note(self, position: int, commits: Sequence[Commit]) -> None:
        """Take a batch that is in the tables, and wake who waits."""
        if not self.position:
            self.begin(min((commit.seq for commit in commits), default=position) - 1)
        for commit in commits:
            for changed in set(_changed(commit)):
                if commit.seq > self._at.get(changed, 0):  # a batch may be told again
                    self._at[changed] = commit.seq
                    self._at.move_to_end(changed)
        while len(self._at) > self._most:
            self.floor = max(self.floor, self._at.popitem(last=False)[1])
        self.position = max(self.position, position)
        waiting, self._waiting = self._waiting, []
        for future in waiting:
            if not future.done():
                future.set_result(None)

    def since(self, position: int) -> list[Changed] | None:
        """Return what changed after `position`; None where that is not known any more."""
        if position < self.floor:
            return None
        found: list[Changed] = []
        for changed, at in reversed(self._at.items()):
            if at <= position:
                break
            found.append(changed)
        return found

    async def beyond(self, position: int, seconds: float) -> bool:
        """Wait until changes beyond `position` are known, at most `seconds`; return whether they are."""
        if self.position <= position:
            future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.append(future)
            await asyncio.wait([future], timeout=seconds)
            if not future.done():
                self._waiting.remove(future)
        return self.position > position


def _changed(commit: Commit) -> Iterator[Changed]:
    """Yield what a commit changes the numbers of."""
    kind, entity = commit.subject.split(".")[1:3]
    if kind in ("mailing", "plan", "chunk"):
        yield "mailing", entity
    elif kind == "campaign":
        yield "campaign", entity
    for record in commit.events:
        event = record.event
        if isinstance(event, HitsRecorded):
            yield from (("mailing", hit.mailing) for hit in event.hits)
        elif isinstance(event, OptedOut) and event.mailing:
            yield "mailing", event.mailing
        elif isinstance(event, MailingDrafted):
            yield "campaign", event.campaign
        elif isinstance(event, TestSent):
            yield "mailing", event.test
