"""Who must not be mailed any more: the consent journal since the oldest plan at work, in memory.

A chunk says up to which position the planner checked its recipients; this view covers everything after it. Commits of
the follower come in; for a chunk that was checked earlier than the view begins, the gap is read from the log once.
Memory is bounded by the consent acts since the oldest chunk at work.
"""

from collections.abc import AsyncIterator, Callable, Iterable

from shared.contracts import subjects
from shared.contracts.consent import BLOCKING, EVERYTHING, Held, after, moment
from shared.contracts.envelope import Commit

Scan = Callable[[list[str], int, int], AsyncIterator[list[Commit]]]


class Suppression:
    """The consent act that holds by (address key, scope), with the event id that a skip will name."""

    def __init__(self, begins: int, scan: Scan) -> None:
        """Start empty at position `begins`; `scan(filters, start, stop)` reads the log."""
        self.version = 0
        self._begins = begins
        self._scan = scan
        self._acts: dict[tuple[str, str], tuple[int, str]] = {}
        self._told: dict[tuple[str, str], dict[int, tuple[Held, str]]] = {}

    def __bool__(self) -> bool:
        """Whether any act is known."""
        return bool(self._acts)

    def apply(self, commit: Commit) -> None:
        """Take one commit of the consent journal in; what holds is the same in whatever order they come."""
        for record in commit.events:
            event = record.event
            key = (getattr(event, "address_key", ""), getattr(event, "scope", ""))
            act = Held(commit.seq, moment(record.time, record.recorded_at), isinstance(event, BLOCKING))
            told = self._told.setdefault(key, {})
            told[commit.seq] = (act, record.id if act.blocks else "")
            held: Held | None = None
            for seq in sorted(told):
                held = after(held, told[seq][0])
            if held is not None:
                self._acts[key] = (held.seq, told[held.seq][1])
        self.version += 1

    async def cover(self, position: int) -> None:
        """Make sure that every act after `position` is known."""
        if position >= self._begins:
            return
        begins = self._begins
        async for commits in self._scan([subjects.ALL_CONSENT], position + 1, begins):
            for commit in commits:
                self.apply(commit)
        self._begins = min(self._begins, position)

    def blocks(self, address_key: str, lists: Iterable[str], checked: int) -> str:
        """Return the id of the event that forbids this mail, "" when none does.

        Everything up to `checked` was taken into account when the chunk was planned. A recipient is blocked when out of
        everything, or out of all lists it was planned for.
        """
        everything = self._acts.get((address_key, EVERYTHING))
        if everything is not None and everything[0] > checked and everything[1]:
            return everything[1]
        cause = ""
        for scope in lists:
            act = self._acts.get((address_key, scope))
            if act is None or act[0] <= checked or not act[1]:
                return ""
            cause = act[1]
        return cause
