"""The work on a chunk as spans: the attempt as a whole, and of some chunks each half-window with its phases.

The span of an attempt says how long it claimed, confirmed and spoke SMTP altogether, and what became of how many. A
million recipients are 40,000 half-windows: the first chunks of a mailing and every fiftieth show theirs. While tracing
is off this is a handful of comparisons a half-window.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from shared import tracing
from shared.contracts import ranges
from shared.contracts.sending import Group
from shared.contracts.subjects import ChunkRef
from shared.tracing import Place

FIRST = 10
EVERY = 50

_NOWHERE = Place(0, 0)


@dataclass(slots=True)
class Phases:
    """When a half-window began its claim and the confirmation, was ready, and went out; all 0 while tracing is off."""

    claim: int = field(default_factory=tracing.begin)
    confirm: int = 0
    ready: int = 0
    wire: int = 0


@dataclass(slots=True)
class Attempt:
    """One attempt at a chunk by one worker; `began` is 0 while tracing is off."""

    ref: ChunkRef
    began: int = field(default_factory=tracing.begin)
    place: Place = _NOWHERE
    claiming: int = 0
    confirming: int = 0
    sending: int = 0
    windows: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        """Find the place of the attempt in the trace of its mailing."""
        if self.began:
            self.place = tracing.some(tracing.whole(self.ref.mailing))

    def settled(self, groups: Iterable[Group]) -> None:
        """Count what became of recipients."""
        if self.began:
            for group in groups:
                self.outcomes[group.outcome] += ranges.size(group.indexes)

    def flown(self, phases: Phases, mails: int) -> None:
        """A half-window is done."""
        if not self.began:
            return
        done = tracing.begin()
        self.windows += 1
        self.claiming += phases.confirm - phases.claim
        self.confirming += phases.ready - phases.confirm
        self.sending += done - phases.wire
        if self.ref.n >= FIRST and self.ref.n % EVERY:
            return
        window = tracing.some(self.place)
        tracing.record("half-window", phases.claim, window, parent=self.place, ended=done, what={"mails": mails})
        for name, began, ended in (
            ("claim", phases.claim, phases.confirm),
            ("confirm", phases.confirm, phases.ready),
            ("smtp", phases.wire, done),
        ):
            tracing.record(name, began, tracing.some(window), parent=window, ended=ended)

    def ended(self, *, failed: bool, takeovers: int) -> None:
        """The worker lets go of the chunk."""
        if not self.began:
            return
        tracing.record(
            *("work chunk", self.began, self.place),
            kind="consumer",
            parent=tracing.piece(self.ref.mailing, "chunk", self.ref.n),
            failed=failed,
            what={
                "account": self.ref.account,
                "lane": self.ref.lane,
                "n": self.ref.n,
                "takeovers": takeovers,
                "half_windows": self.windows,
                "claim_seconds": self.claiming / 1e9,
                "confirm_seconds": self.confirming / 1e9,
                "smtp_seconds": self.sending / 1e9,
                **self.outcomes,
            },
        )
