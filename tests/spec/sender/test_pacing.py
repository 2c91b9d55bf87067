"""Slots are spaced as if there were one sender, whoever asks."""

import asyncio
import itertools
from dataclasses import dataclass, field

from services.sender.pacing import HORIZON, Later, Pacing, Slot, spacing, window
from shared.contracts.account import Limits


@dataclass
class Time:
    """A clock that tests move."""

    at: float = 1000.0

    def now(self) -> float:
        """Return the time."""
        return self.at


@dataclass
class Memory:
    """Compare-and-set in memory: the contract of the real bucket is tested with the event log."""

    entries: dict[str, tuple[bytes, int]] = field(default_factory=dict)

    async def get(self, key: str) -> tuple[bytes, int] | None:
        """Return value and revision."""
        await asyncio.sleep(0)
        return self.entries.get(key)

    async def swap(self, key: str, value: bytes, revision: int) -> int | None:
        """Write if nobody else did."""
        await asyncio.sleep(0)
        if self.entries.get(key, (b"", 0))[1] != revision:
            return None
        self.entries[key] = (value, revision + 1)
        return revision + 1


async def slots(pacing: Pacing, scopes: dict[str, Limits], count: int, clock: Time) -> list[Slot]:
    """Reserve `count` slots, letting time pass as a sender would."""
    found: list[Slot] = []
    while len(found) < count:
        answer = await pacing.reserve(scopes, count - len(found))
        assert answer is not None
        if isinstance(answer, Later):
            clock.at = answer.at - HORIZON / 2
            continue
        found += answer
        clock.at = max(clock.at, answer[-1].at)
    return found


def most_in(times: list[float], period: float) -> int:
    """Return the greatest number of `times` in any half-open window of `period`."""
    times = sorted(times)
    return max(sum(1 for t in times if start <= t < start + period) for start in times)


async def test_without_limits_nothing_is_reserved() -> None:
    """No limit, no key."""
    memory = Memory()
    assert await Pacing(memory, Time()).reserve({"mailing.m": Limits()}, 10) is None
    assert memory.entries == {}


async def test_two_processes_share_one_rate() -> None:
    """The slots of two pacers together are spaced by the interval."""
    memory, clock = Memory(), Time()
    scopes = {"mailing.m": Limits(per_hour=36_000)}
    ours, theirs = Pacing(memory, clock), Pacing(memory, clock)
    found = await asyncio.gather(*(slots(p, scopes, 20, clock) for p in (ours, theirs)))
    times = sorted(slot.at for each in found for slot in each)
    gaps = [b - a for a, b in itertools.pairwise(times)]
    assert min(gaps) >= 0.1 - 1e-6
    assert most_in(times, 1.0) <= 11


async def test_a_dense_rate_holds_even_when_slots_are_used_as_late_as_allowed() -> None:
    """In any hour at most L + 1, also with slots used at their very end among slots used in time."""
    limits = Limits(per_hour=360_000)
    clock = Time()
    found = await slots(Pacing(Memory(), clock), {"m": limits}, 600, clock)
    worst = [slot.void_after if k % 200 < 100 else slot.at for k, slot in enumerate(found)]
    assert most_in(worst, 1.0) <= 106
    space = spacing(limits)
    assert space is not None
    assert (3600 + space.lateness) / space.interval <= 360_001


async def test_a_slot_beyond_the_horizon_is_not_reserved() -> None:
    """The worker is told when to come back, and the slot stays free for then."""
    memory, clock = Memory(), Time()
    pacing = Pacing(memory, clock)
    scopes = {"mailing.m": Limits(seconds_between=60)}
    assert isinstance(await pacing.reserve(scopes, 5), list)
    later = await pacing.reserve(scopes, 5)
    assert later == Later(1060.0)
    clock.at = 1057.0
    answer = await pacing.reserve(scopes, 5)
    assert isinstance(answer, list)
    assert answer[0].at == 1060.0


async def test_the_rate_is_kept_over_a_restart() -> None:
    """A new process goes on where the last one stopped."""
    memory, clock = Memory(), Time()
    scopes = {"mailing.m": Limits(seconds_between=3)}
    first = await Pacing(memory, clock).reserve(scopes, 1)
    second = await Pacing(memory, clock).reserve(scopes, 1)
    assert isinstance(first, list)
    assert isinstance(second, list)
    assert second[0].at - first[0].at == 3


async def test_two_scopes_hold_together() -> None:
    """A mail of a mailing waits for the account too; two mailings share the account."""
    memory, clock = Memory(), Time()
    account = Limits(per_hour=3600)
    ours = {"account.a": account, "mailing.m": Limits(per_hour=7200)}
    theirs = {"account.a": account, "mailing.n": Limits(per_hour=7200)}
    found = await asyncio.gather(
        slots(Pacing(memory, clock), ours, 10, clock), slots(Pacing(memory, clock), theirs, 10, clock)
    )
    times = sorted(slot.at for each in found for slot in each)
    assert min(b - a for a, b in itertools.pairwise(times)) >= 1.0 - 1e-6


class Uneven(Memory):
    """Some keys are slower than others."""

    async def swap(self, key: str, value: bytes, revision: int) -> int | None:
        """Write if nobody else did, in as many steps as the key's last digit says."""
        for _ in range(int(key[-1])):
            await asyncio.sleep(0)
        return await super().swap(key, value, revision)


async def test_mailings_of_one_process_share_the_slots_of_their_account() -> None:
    """One that waits for its own scope does not use the account's slot that another took meanwhile."""
    clock = Time()
    pacing = Pacing(Uneven(), clock)
    several = [{"account.0": Limits(per_hour=3600), f"mailing.{m}": Limits(per_hour=1800)} for m in range(4)]
    found = await asyncio.gather(*(slots(pacing, scopes, 10, clock) for scopes in several))
    times = sorted(slot.at for each in found for slot in each)
    assert min(b - a for a, b in itertools.pairwise(times)) >= 1.0 - 1e-6


async def test_a_faster_rate_is_taken_up_at_once() -> None:
    """Whoever had to wait for an hour goes on with the interval of now."""
    memory, clock = Memory(), Time()
    pacing = Pacing(memory, clock)
    await pacing.reserve({"mailing.m": Limits(per_hour=1)}, 1)
    answer = await pacing.reserve({"mailing.m": Limits(per_hour=36_000)}, 5)
    assert isinstance(answer, list)
    assert answer[0].at <= clock.at + 1.0
    assert answer[1].at - answer[0].at < 0.11


def test_the_window_is_two_seconds_of_the_slowest_rate() -> None:
    """W follows the rate: at least one, at most what the process allows."""
    assert window({}, 50) == 50
    assert window({"m": Limits(per_hour=500)}) == 1
    assert window({"m": Limits(per_hour=36_000), "a": Limits(seconds_between=1)}) == 2
