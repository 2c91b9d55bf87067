"""Whom to claim next: how many at once, a slow provider after all others, each in the slots that every limit leaves."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial

from services.sender.chunks.case import Case
from services.sender.chunks.chunk import NARROW_AFTER
from services.sender.limits.pacing import AHEAD, HORIZON, Later
from services.sender.limits.rules import account_scope, limited, mailing_scope, provider_scope
from services.sender.limits.spacing import Slot, window
from services.sender.mails.compose import ChunkComposer
from services.sender.smtp.line import Line
from services.sender.work.flight import Watch
from services.sender.work.means import Means
from services.sender.work.slowing import Turn, Turns, shaped_turns, turns_of
from services.sender.work.stride import stride
from shared.clock import boot_seconds, now
from shared.contracts.account import Limits, ProviderLimits, limits_on

BYTES_AHEAD = 2_000_000
"""A half-window has at most so many bytes of mails, unless one mail alone has more."""


@dataclass(slots=True)
class Choice:
    """Chooses for the work on one chunk.

    Attributes:
        cap: Most recipients at once; claims that ran out lower it.
        ahead: The next are claimed while the last are on the wire.
        wired: So many are.
    """

    case: Case
    watch: Watch
    line: Line
    composer: ChunkComposer
    means: Means
    cap: int = field(init=False)
    ahead: bool = True
    wired: int = 0
    _paced: dict[str, ProviderLimits] = field(default_factory=dict)
    _looked: float = -1.0

    def __post_init__(self) -> None:
        """Begin with the whole window."""
        self.cap = self.means.window

    def turns(self) -> Turns:
        """Return who may be claimed next: a slow provider after all others; no turns where nobody may."""
        chunk = self.case.chunk
        size = self._size()
        paced = self._providers()
        if not self.watch.shaped and (not paced or self.case.ref.lane in paced):
            return Turns(turns_of(chunk.claimable(now(), size)))
        return shaped_turns(chunk, self.watch.account, self.watch.provider, now(), size, paced.keys())

    async def reserve(self, turns: Sequence[Turn]) -> tuple[Sequence[int], list[Slot] | Later | None]:
        """Reserve slots for the first turn that has some soon; where none has, say when the first will."""
        soonest: Later | None = None
        for turn in turns:
            slots = await self.means.pacing.reserve(
                partial(self._scopes, turn.provider),
                len(turn.indexes),
                self.case.ref.mailing,
                HORIZON if len(turns) == 1 else AHEAD,  # nobody waits for long while others may go
            )
            if not isinstance(slots, Later):
                return turn.indexes, slots
            soonest = slots if soonest is None or slots.at < soonest.at else soonest
        return (), soonest

    def _size(self) -> int:
        """Return how many to claim at once, one where workers die; `ahead` tells when the next are claimed."""
        if self.case.chunk.takeovers >= NARROW_AFTER:
            self.ahead = False
            return 1
        most, means = max(1, BYTES_AHEAD // self.composer.size), self.means
        scopes = self._scopes()
        size = window(scopes, self.cap)
        narrow = size < means.window or most < size or any(map(limited, scopes.values()))
        each, wired = self.line.each, self.wired
        found = stride(size, limited=narrow, crowd=means.crowd, each=each, validity=means.validity, wired=wired)
        self.ahead = found.ahead and most > 1
        return min(most, found.most)

    def _providers(self) -> dict[str, ProviderLimits]:
        """Return the providers of this chunk whose rate is limited, as of the last half second."""
        time = boot_seconds()
        if time >= self._looked + 0.5:
            rules, account = self.means.rules, self.watch.account.settings
            found = rules.paced(account)
            if found:
                present = {self.watch.provider(index) for index in range(self.case.chunk.size)}
                found = {name: limits for name, limits in found.items() if name in present}
            self._paced, self._looked = found, time
        return self._paced

    def _scopes(self, provider: str = "") -> dict[str, Limits]:
        """Return what is to be kept now, by scope, what most others share first; `provider` is one that is slow."""
        account, provider = self.watch.account, provider or self.case.ref.lane
        today = datetime.fromtimestamp(self.watch.server_now(), UTC).date()
        scopes: dict[str, Limits] = {account_scope(account.account): limits_on(account.settings, today)}
        if (limits := self._providers().get(provider)) is not None:
            scopes[provider_scope(account.account, provider)] = limits
        slow = account.slow(provider, now()) if account.slowed else None
        if slow is not None:
            scopes[f"slow.{account.account}.{provider}"] = slow
        if self.watch.mailing is not None:
            scopes[mailing_scope(self.case.ref.mailing)] = self.watch.mailing.limits
        return scopes
