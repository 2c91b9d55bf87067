"""Rates shared by all senders: one pacer per process and scope reserves slot times in the PACING bucket.

A scope is a mailing or an account with limits. Its key holds the server time of the next free slot; a reservation moves
it by compare-and-set, so the slots of all processes are spaced as if there were one sender, also over restarts (G8).
No limit, no key. A slot that is not used in time is void (`Spacing.lateness`, decision 0008): in any window of the
limit's period at most L + 1 mails go out. Dense slots are spaced a trifle wider, so that some lateness is allowed.
"""

import asyncio
from dataclasses import dataclass
from typing import Protocol

import orjson

from shared.contracts.account import Limits

HOUR = 3600.0
LATENESS_DENSE = 0.05
LATENESS_BETWEEN = 0.015
BLOCK = 0.25
"""Seconds of the rate that a process reserves at once."""
HORIZON = 5.0
"""Seconds a worker waits for its slot; beyond it the chunk is released with a timer."""
MARGIN = 1.5
FADING = 0.7


class Clock(Protocol):
    """Server time."""

    def now(self) -> float:
        """Return seconds since 1970 as the server counts them."""
        ...


class Bucket(Protocol):
    """The part of shared.eventlog.keys.Bucket that a pacer needs."""

    async def get(self, key: str) -> tuple[bytes, int] | None:
        """Return value and revision."""
        ...

    async def swap(self, key: str, value: bytes, revision: int) -> int | None:
        """Write if the revision still holds; None when it does not."""
        ...


@dataclass(frozen=True, slots=True)
class Spacing:
    """Seconds from slot to slot, and how late a slot may be used."""

    interval: float
    lateness: float

    @property
    def rate(self) -> float:
        """Mails a second."""
        return 1 / self.interval


def spacing(limits: Limits) -> Spacing | None:
    """Return the spacing that keeps all of `limits`, None where there are none."""
    found: list[Spacing] = []
    if limits.per_hour:
        plain = HOUR / limits.per_hour
        if plain >= LATENESS_DENSE:
            found.append(Spacing(plain, plain))
        else:
            found.append(Spacing(plain * (HOUR + LATENESS_DENSE) / HOUR, LATENESS_DENSE))
    if limits.seconds_between:
        found.append(Spacing(limits.seconds_between, LATENESS_BETWEEN))
    if not found:
        return None
    return Spacing(max(s.interval for s in found), min(s.lateness for s in found))


@dataclass(frozen=True, slots=True)
class Slot:
    """A server time at which one mail may go out, and until when that holds."""

    at: float
    void_after: float


@dataclass(frozen=True, slots=True)
class Later:
    """No slot within the horizon: come back at `at` (server time)."""

    at: float


class Scope:
    """The key of one scope as this process knows it: when the last slot is, at which revision."""

    def __init__(self, bucket: Bucket, key: str) -> None:
        """Take the PACING bucket and the scope's key."""
        self._bucket, self._key = bucket, key
        self._known: tuple[float, int] | None = None

    async def free(self, interval: float, *, fresh: bool = False) -> float:
        """Return the server time of the next free slot, as last known or read anew."""
        if self._known is None or fresh:
            entry = await self._bucket.get(self._key)
            self._known = (0.0, 0) if entry is None else (float(orjson.loads(entry[0])["last"]), entry[1])
        return self._known[0] + interval

    async def take(self, last: float) -> bool:
        """Make `last` the last slot; False when another process was faster.

        To be called right after `free`: it goes by what is known now, which others in this process move, too.
        """
        revision = self._known[1] if self._known else 0
        swapped = await self._bucket.swap(self._key, orjson.dumps({"last": last}), revision)
        self._known = None if swapped is None else (last, swapped)
        return swapped is not None


class Pacer:
    """Reserves slots that hold in one set of scopes, for this process."""

    def __init__(self, scopes: list[tuple[Scope, Spacing]], clock: Clock) -> None:
        """Take the scopes with their spacing, and the server clock."""
        self._scopes, self._clock = scopes, clock
        self._lock = asyncio.Lock()
        self._slots: list[Slot] = []
        self._lateness = min(space.lateness for _, space in scopes)

    async def reserve(self, most: int, lead: float = 0.0) -> list[Slot] | Later:
        """Return up to `most` slots in order, none before `lead`; `Later` when the next one is beyond the horizon."""
        async with self._lock:
            soon = self._clock.now() + lead
            self._slots = [slot for slot in self._slots if slot.void_after > soon]
            if not self._slots:
                block = await self._block(most, lead)
                if isinstance(block, Later):
                    return block
                self._slots = block
            taken, self._slots = self._slots[:most], self._slots[most:]
            return taken

    async def _block(self, most: int, lead: float) -> list[Slot] | Later:
        interval = self._scopes[0][1].interval
        count = max(1, min(most, round(BLOCK / interval))) if len(self._scopes) == 1 else 1
        first = await self._first(lead)
        if first > self._clock.now() + HORIZON:
            first = await self._first(lead, fresh=True)
            if first > self._clock.now() + HORIZON:
                return Later(first)
        for scope, space in self._scopes:
            # A scope that moved on meanwhile moves the slot; it stays within the lateness of those already taken, or
            # they are taken anew: a void slot is lost, never used twice.
            while True:
                moved = max(first, await scope.free(space.interval))
                if moved > first + self._lateness:
                    return await self._block(most, lead)
                first = moved
                if await scope.take(first + (count - 1) * interval):
                    break
        return [Slot(at, at + self._lateness) for at in (first + k * interval for k in range(count))]

    async def _first(self, lead: float, *, fresh: bool = False) -> float:
        """Return the first time that is free in all scopes, from `lead` seconds on."""
        free = [await scope.free(space.interval, fresh=fresh) for scope, space in self._scopes]
        return max(self._clock.now() + lead, *free)


class Pacing:
    """All pacers of this process.

    Attributes:
        lead: Seconds ahead of now that slots are reserved: what it took lately to make use of one. Else every slot
            would be void where the way to the log is longer than from slot to slot.
    """

    def __init__(self, bucket: Bucket, clock: Clock) -> None:
        """Take the PACING bucket and the server clock."""
        self._bucket, self._clock = bucket, clock
        self.lead = 0.0
        self._scopes: dict[str, Scope] = {}
        self._pacers: dict[tuple[tuple[str, Spacing], ...], Pacer] = {}

    async def reserve(self, scopes: dict[str, Limits], most: int) -> list[Slot] | Later | None:
        """Return slots that hold in every scope, `Later`, or None where nothing limits."""
        spaced = [(key, space) for key, limits in scopes.items() if (space := spacing(limits)) is not None]
        if not spaced:
            return None
        which = tuple(sorted(spaced, key=lambda item: item[1].interval, reverse=True))
        if (pacer := self._pacers.get(which)) is None:
            held = [(self._scopes.setdefault(key, Scope(self._bucket, key)), space) for key, space in which]
            pacer = self._pacers[which] = Pacer(held, self._clock)
        return await pacer.reserve(most, self.lead)

    def took(self, seconds: float) -> None:
        """Note how long it took to make use of a slot, waiting for it left out."""
        self.lead = min(max(MARGIN * seconds, FADING * self.lead), HORIZON / 2)


def window(scopes: dict[str, Limits], most: int = 50) -> int:
    """Return W: two seconds of the slowest rate, at least 1, at most `most`."""
    rates = [space.rate for limits in scopes.values() if (space := spacing(limits)) is not None]
    return max(1, min(most, int(min(rates) * 2))) if rates else most
