"""Rates shared by all senders: one pacer per process and scope reserves slot times in the PACING bucket.

A scope is a mailing, an account or a provider with limits. Its key holds the server time of its last slot; a
reservation moves it by compare-and-set, so the slots of all processes are spaced as if there were one sender, also over
restarts (G8). No limit, no key. A slot that is not used in time is void (`Spacing.lateness`, decision 0008): in any
window of a limit's period at most L + 1 mails go out. Dense slots are spaced a trifle wider, so that some lateness is
allowed. Slots are reserved shortly before their time, mailing by mailing of an account, so a change of limits holds
within a second and no mailing starves another, nor do the lanes of one (decision 0022).
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Protocol

import orjson

from services.sender.limits.spacing import Slot, Spacing, spacing
from services.sender.limits.turns import Turns
from shared.contracts.account import Limits

BLOCK = 0.25
"""Seconds of the rate that a process reserves at once."""
AHEAD = 0.5
"""Seconds before its time that a slot is reserved."""
HORIZON = 5.0
"""Seconds a worker waits for its slot; beyond it the chunk is released with a timer."""
ALIGNED = 0.005
"""Seconds that a slot may lie before that of another scope and yet count as the same."""
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
class Later:
    """No slot within the horizon: come back at `at` (server time)."""

    at: float


class Scope:
    """The key of one scope as this process knows it: when the last slot is, at which revision."""

    def __init__(self, bucket: Bucket, key: str) -> None:
        """Take the PACING bucket and the scope's key."""
        self._bucket, self.key = bucket, key
        self._known: tuple[float, int] | None = None

    async def free(self, interval: float, *, fresh: bool = False) -> float:
        """Return the server time of the next free slot, as last known or read anew."""
        if self._known is None or fresh:
            entry = await self._bucket.get(self.key)
            self._known = (0.0, 0) if entry is None else (float(orjson.loads(entry[0])["last"]), entry[1])
        return self._known[0] + interval

    async def take(self, last: float) -> bool:
        """Make `last` the last slot; False when another process was faster.

        To be called right after `free`: it goes by what is known now, which others in this process move, too.
        """
        revision = self._known[1] if self._known else 0
        swapped = await self._bucket.swap(self.key, orjson.dumps({"last": last}), revision)
        self._known = None if swapped is None else (last, swapped)
        return swapped is not None


Held = list[tuple[Scope, Spacing]]
"""Scopes of a reservation, in the order in which they are taken: what most others want, too, comes first."""


class Pacing:
    """The pacers of this process.

    Attributes:
        lead: Seconds ahead of now that slots are reserved: what it took lately to make use of one. Else every slot
            would be void where the way to the log is longer than from slot to slot.
    """

    def __init__(
        self, bucket: Bucket, clock: Clock, sleep: Callable[[float], Awaitable[object]] = asyncio.sleep
    ) -> None:
        """Take the PACING bucket, the server clock and how to wait."""
        self._bucket, self._clock, self._sleep = bucket, clock, sleep
        self.lead = 0.0
        self._swapping = 0.0
        self._scopes: dict[str, Scope] = {}
        self._turns: dict[str, Turns] = {}

    async def reserve(
        self,
        limits: Callable[[], Mapping[str, Limits]],
        most: int,
        mailing: str = "",
        patience: float = HORIZON,
    ) -> list[Slot] | Later | None:
        """Return up to `most` slots that hold in every scope, shortly before the first of them.

        Args:
            limits: Scope -> its limits as they are now, what is shared with most others first; asked again while the
                slot is waited for.
            most: How many mails could go out.
            mailing: Whose turn it is to be.
            patience: Seconds to wait at most.

        Returns:
            The slots, `Later` where the next one is further away, None where nothing limits.
        """
        patience += self._clock.now()
        while True:
            if not (held := await self._held(limits())):
                return None
            free = await self._free(held)
            if free > patience and (free := await self._free(held, fresh=True)) > patience:
                return Later(free)
            if wait := await self._own_wait(held):
                await self._nap(wait)
                continue
            first = held[0][0]
            turns = self._turns.setdefault(first.key, Turns())
            whose = mailing, "".join(scope.key for scope, _ in held[1:])
            try:
                async with asyncio.timeout(max(0.0, patience - self._clock.now())):
                    async with turns.turn(whose):
                        if slots := await self._in_turn(first, limits, most, partial(turns.due, whose)):
                            turns.served(whose)
                            return slots
            except TimeoutError:  # others have all the slots: come back when the next one may be free
                return Later(max(free, self._clock.now()) + max(space.interval for _, space in held))

    async def _in_turn(
        self, first: Scope, limits: Callable[[], Mapping[str, Limits]], most: int, due: Callable[[], bool]
    ) -> list[Slot]:
        """Wait until what is shared is nearly free, then reserve.

        None where another scope is not free, or it is not the turn of this one any more.
        """
        while held := await self._held(limits()):
            if held[0][0] is not first or await self._own_wait(held) or not due():
                break
            if (wait := await self._free(held) - self._ahead()) > 0:
                await self._nap(wait)
            elif slots := await self._block(held, most):
                return slots
        return []

    async def _own_wait(self, held: Held) -> float:
        """Return the seconds until all scopes but the first let the mailing take part, 0 where they do.

        It takes no slot of the first that is later than need be, for those before it were lost to everybody.
        """
        first, own = await self._free(held[:1]), await self._free(held[1:])
        if own <= first + ALIGNED:
            return 0.0
        soonest = self._clock.now() + self.lead
        if first > soonest + AHEAD / 2:  # others take it all the time: it comes to what is free here
            return min(own - first, own - soonest)
        return max(0.0, own - soonest)

    def _ahead(self) -> float:
        """Return the server time up to which slots may be reserved now."""
        return self._clock.now() + max(AHEAD, self.lead)

    async def _nap(self, seconds: float) -> None:
        """Wait so long, or a moment: limits may change meanwhile."""
        await self._sleep(min(max(seconds, 0.001), AHEAD))

    async def _held(self, scopes: Mapping[str, Limits]) -> Held:
        """Return the scopes that limit, that one first of which no slot may be lost.

        That is the account or, where it has no limit, the mailing while its slots are in demand: mail to a slow
        provider takes one as it comes. It would never find one free as late as `lead` before its time, for the
        others take them `AHEAD`.
        """
        spaced = [(key, space) for key, limits in scopes.items() if (space := spacing(limits)) is not None]
        held = [(self._scopes.setdefault(key, Scope(self._bucket, key)), space) for key, space in spaced]
        shared = next(iter(scopes), "")
        if len(held) > 1 and held[0][0].key != shared and await self._free(held[-1:]) > self._clock.now() + self.lead:
            return [held[-1], *held[:-1]]
        return held

    async def _free(self, held: Held, *, fresh: bool = False) -> float:
        """Return the first time that is free in all scopes."""
        return max([await scope.free(space.interval, fresh=fresh) for scope, space in held], default=0.0)

    async def _block(self, held: Held, most: int) -> list[Slot]:
        """Reserve slots as far apart as the slowest scope demands; none where another process was much faster.

        In a faster scope the same mails take slots closer to each other, so that others find room behind them; the
        mails use these slots a little late.
        """
        began, slowest = self._clock.now(), max(space.interval for _, space in held)
        count = max(1, min(most, round(BLOCK / slowest)))
        for _, space in held:
            if (drift := slowest - space.interval) > 0:
                count = min(count, 1 + int(space.lateness / 2 / drift))
        first = start = max(began + self.lead, await self._free(held[:1]))
        slack = min(space.lateness for _, space in held) / 2
        if await self._free(held[1:], fresh=True) > start + ALIGNED:
            return []
        bases: list[float] = []
        for scope, space in held:
            # A scope that moved on meanwhile moves the slot; it stays within the lateness of those already taken, or
            # all is done anew: a void slot is lost, never used twice.
            while True:
                moved = max(first, await scope.free(space.interval))
                if moved > start + slack:
                    return []
                first = moved
                if await scope.take(first + (count - 1) * space.interval):
                    break
            bases.append(first)
        self._swapping = self._clock.now() - began
        return [
            Slot(
                first + k * slowest,
                min(base + k * space.interval + space.lateness for base, (_, space) in zip(bases, held, strict=True)),
            )
            for k in range(count)
        ]

    def took(self, seconds: float) -> None:
        """Note how long it took to make use of a slot, waiting for it left out."""
        self.lead = min(max(MARGIN * (seconds + self._swapping), FADING * self.lead), HORIZON / 2)
