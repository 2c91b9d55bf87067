"""Whom to claim next: how many at once, a slow provider after all others, each in the slots that every limit leaves."""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial

from services.sender.chunks.case import Case
from services.sender.chunks.chunk import NARROW_AFTER
from services.sender.limits.domains import DomainLimit, Domains
from services.sender.limits.pacing import AHEAD, HORIZON, Later
from services.sender.limits.rules import account_scope, limited, mailing_scope, provider_scope
from services.sender.limits.spacing import Slot, window
from services.sender.mails.compose import ChunkComposer
from services.sender.smtp.line import Line
from services.sender.work.flight import Watch
from services.sender.work.means import Means
from services.sender.work.preparing import Prepared
from services.sender.work.slowing import Turn, Turns, shaped_turns, turns_of
from services.sender.work.stride import stride
from shared.addresses import domain
from shared.clock import boot_seconds, now
from shared.contracts.account import Limits, ProviderLimits, limits_on
from shared.contracts.subjects import REST

BYTES_AHEAD = 2_000_000
"""A half-window has at most so many bytes of mails, unless one mail alone has more."""


@dataclass(slots=True)
class Choice:
    """Chooses for the work on one chunk.

    Attributes:
        cap: Most recipients at once; claims that ran out lower it.
        ahead: The next are claimed while the last are on the wire.
        wired: So many are.
        limits_domains: Some mails of this chunk go to domains that have limits by themselves.
    """

    case: Case
    watch: Watch
    line: Line
    composer: ChunkComposer
    means: Means
    cap: int = field(init=False)
    ahead: bool = True
    wired: int = 0
    limits_domains: bool = False
    _paced: dict[str, ProviderLimits] = field(default_factory=dict)
    _looked: float = -1.0
    _names: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Begin with the whole window."""
        self.cap = self.means.window

    def turns(self) -> Turns:
        """Return who may be claimed next: a slow provider after all others; no turns where nobody may."""
        chunk, limit = self.case.chunk, self._of_domain()
        size = self._size()
        paced = self._providers()
        fits = None if limit is None else self._fitting(limit)
        if not self.watch.shaped and (not paced or self.case.ref.lane in paced):
            found = Turns(turns_of(chunk.claimable(now(), size, fits)))
        else:
            found = shaped_turns(chunk, self.watch.account, self.watch.provider, now(), size, paced.keys(), fits)
        if limit is not None and not found.turns:
            waiting = {self._names[index] for index in chunk.claimable(now(), chunk.size)} - {""}
            found.due = self.domains.due(waiting, limit) if waiting else None
        return found

    @property
    def domains(self) -> Domains:
        """What is known of the domains to which this account's mail goes."""
        return self.means.domains(self.watch.account)

    def _of_domain(self) -> DomainLimit | None:
        """Return what holds for single domains here; whose domain has no limit by itself stands as "" in `_names`."""
        limit = self.means.rules.paced(self.watch.account.settings).domain if self.case.ref.lane == REST else None
        if limit is not None and not self._names:
            rows, everybody = self.case.rows, range(self.case.chunk.size)
            self._names = [domain(rows[i].address) if self.watch.provider(i) == REST else "" for i in everybody]
            rows.drop(everybody)
            self.limits_domains = any(self._names)
        return limit

    def _fitting(self, limit: DomainLimit) -> Callable[[int], bool]:
        domains, before = self.domains, Counter[str]()

        def fits(index: int) -> bool:
            name = self._names[index]
            if not name:
                return True
            room = domains.open(name, limit, id(self), before[name])
            before[name] += room
            return room

        return fits

    def admit(self, prepared: Prepared) -> Prepared:
        """Return what may be claimed of what was rendered: others may have been faster where a domain is limited."""
        if (limit := self._of_domain()) is None:
            return prepared
        names, domains = self._names, self.domains
        mails = {
            index: mail
            for index, mail in prepared.mails.items()
            if not (name := names[index]) or domains.claim(name, limit, id(self))
        }
        return replace(prepared, mails=mails)

    def departs(self, index: int) -> bool:
        """Tell whether the envelope of a mail may go out now, by the limits of its domain."""
        name = self._names[index]
        limit = self._of_domain() if name else None
        return limit is None or self.domains.depart(name, limit, id(self))

    def landed(self, indexes: Iterable[int], departed: Collection[int] = ()) -> None:
        """Note that these are no longer under way; `departed`: whose envelope went out."""
        for index in indexes if self._names else ():
            if name := self._names[index]:
                self.domains.landed(name, id(self), departed=index in departed)

    def left(self) -> None:
        """Note that nothing is under way any more."""
        if self._names:
            self.domains.left(set(self._names), id(self))

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
            found = rules.paced(account).providers
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
