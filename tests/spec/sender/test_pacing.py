"""Slots are spaced as if there were one sender, whoever asks. Time is virtual: a day passes in a moment."""

import asyncio
import itertools
import random
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.sender.limits.pacing import AHEAD, BLOCK, HORIZON, Later, Pacing
from services.sender.limits.spacing import spacing, window
from shared.contracts.account import PERIODS, AccountLimits, Limits
from tests.harness.virtual import run

SKEW = 1e-6
Scopes = dict[str, Limits]


class Time:
    """Server time on the loop's clock."""

    def now(self) -> float:
        """Return the time."""
        return 1000.0 + asyncio.get_running_loop().time()


@dataclass
class Memory:
    """Compare-and-set in memory, each step taking a while: the real bucket's contract is tested with the event log."""

    delay: float = 0.001
    entries: dict[str, tuple[bytes, int]] = field(default_factory=dict)

    async def get(self, key: str) -> tuple[bytes, int] | None:
        """Return value and revision."""
        await asyncio.sleep(self.delay)
        return self.entries.get(key)

    async def swap(self, key: str, value: bytes, revision: int) -> int | None:
        """Write if nobody else did."""
        await asyncio.sleep(self.delay)
        if self.entries.get(key, (b"", 0))[1] != revision:
            return None
        self.entries[key] = (value, revision + 1)
        return revision + 1


@dataclass
class Sent:
    """What went out: (when, mailing); and by how much each mail is late, the same in every run."""

    mails: list[tuple[float, str]] = field(default_factory=list)
    chance: random.Random = field(default_factory=lambda: random.Random(1))

    def times(self, mailing: str | None = None) -> list[float]:
        """Return when mails went out."""
        return sorted(at for at, whose in self.mails if mailing in (None, whose))


async def worker(
    pacing: Pacing, scopes: Callable[[], Mapping[str, Limits]], sent: Sent, mailing: str = "m", *, late: float = 0.5
) -> None:
    """Send as a sender would, each mail up to `late` of the lateness its slot leaves."""
    clock, most = Time(), max(1, window(scopes()) // 2)
    while True:
        answer = await pacing.reserve(scopes, most, mailing)
        if answer is None:
            return
        if isinstance(answer, Later):
            await asyncio.sleep(max(0.0, answer.at - HORIZON / 2 - clock.now()))
            continue
        pacing.took(0.0)
        for slot in answer:
            use = slot.at + late * sent.chance.random() * (slot.void_after - slot.at)
            await asyncio.sleep(max(0.0, use - clock.now()))
            if clock.now() <= slot.void_after:
                sent.mails.append((clock.now(), mailing))


async def for_a_while(seconds: float, *workers: asyncio.Task[None]) -> None:
    """Let workers work for so long."""
    await asyncio.wait(workers, timeout=seconds)
    for each in workers:
        each.cancel()
    await asyncio.gather(*workers, return_exceptions=True)


def most_in(times: list[float], period: float) -> int:
    """Return the greatest number of `times` in any half-open window of `period`."""
    first, most = 0, 0
    for count, at in enumerate(times):
        while at - times[first] >= period - SKEW:
            first += 1
        most = max(most, count - first + 1)
    return most


def gaps(times: list[float]) -> list[float]:
    """Return the seconds from one to the next."""
    return [later - earlier for earlier, later in itertools.pairwise(times)]


def kept(limits: Limits, times: list[float]) -> None:
    """Fail where one of `limits` was not kept."""
    for most, period in limits.windows():
        assert most_in(times, period) <= most + 1, (most, period)
    if limits.seconds_between and len(times) > 1:
        assert min(gaps(times)) >= limits.seconds_between - 0.02


def together(
    mailings: Mapping[str, tuple[Scopes, int]],
    seconds: float,
    *,
    processes: int = 1,
    late: float = 1.0,
    delay: float = 0.001,
) -> Sent:
    """Return what `processes` send, each with so many workers a mailing."""
    sent, memory = Sent(), Memory(delay)

    async def main() -> None:
        tasks = []
        for _ in range(processes):
            pacing = Pacing(memory, Time())
            for name, (scopes, count) in mailings.items():
                tasks += [
                    asyncio.create_task(worker(pacing, lambda scopes=scopes: scopes, sent, name, late=late))
                    for _ in range(count)
                ]
        await for_a_while(seconds, *tasks)

    run(main())
    return sent


FAST = {"per_second": 40, "per_minute": 600, "per_hour": 2000, "per_day": 3000}


@st.composite
def account_limits(draw: st.DrawFn) -> AccountLimits:
    """Draw limits of which one or two are set."""
    names = draw(st.lists(st.sampled_from([*FAST, "seconds_between"]), min_size=1, max_size=2, unique=True))
    return AccountLimits.model_validate(
        {name: draw(st.integers(1, FAST[name])) if name in FAST else draw(st.floats(0.03, 5)) for name in names}
    )


@settings(deadline=None, max_examples=40)
@given(
    account=account_limits(),
    mailing=st.sampled_from([Limits(), Limits(per_hour=1800), Limits(seconds_between=0.3)]),
    provider=st.sampled_from([AccountLimits(), AccountLimits(per_second=5), AccountLimits(per_minute=90)]),
    processes=st.integers(1, 3),
    late=st.sampled_from([0.0, 1.0]),
    delay=st.sampled_from([0.0, 0.001, 0.03]),
)
def test_every_limit_of_every_scope_is_kept(  # noqa: PLR0917 - drawn
    account: AccountLimits, mailing: Limits, provider: AccountLimits, processes: int, late: float, delay: float
) -> None:
    """At most L + 1 in any window of each period, whatever is set, however many send and however late."""
    scopes = {"account.a": account, "provider.a.g": provider}
    mailings: dict[str, tuple[Scopes, int]] = {"m": (scopes | {"mailing.m": mailing}, 2), "n": (dict(scopes), 1)}
    slowest = max(space.interval for each in (account, provider) if (space := spacing(each)))
    sent = together(mailings, 20 + 30 * slowest, processes=processes, late=late, delay=delay)
    kept(account, sent.times())
    kept(provider, sent.times())
    kept(mailing, sent.times("m"))
    assert len(sent.mails) >= 10


@pytest.mark.parametrize("name", PERIODS)
def test_a_limit_is_used_up(name: str) -> None:
    """A limit alone lets nearly L mails out in its period, with three senders."""
    most = min(FAST[name], 1000)
    limits = AccountLimits.model_validate({name: most})
    periods = max(1.0, 60 / PERIODS[name])
    sent = together({"m": ({"account.a": limits}, 2)}, periods * PERIODS[name], processes=3)
    kept(limits, sent.times())
    assert len(sent.mails) >= 0.85 * periods * most


def test_without_limits_nothing_is_reserved() -> None:
    """No limit, no key."""
    memory = Memory()
    assert run(Pacing(memory, Time()).reserve(lambda: {"mailing.m": Limits()}, 10)) is None
    assert memory.entries == {}


def test_a_slot_beyond_the_horizon_is_not_reserved() -> None:
    """The worker is told when to come back, and the slot stays free for then."""

    async def main() -> None:
        memory, clock = Memory(0), Time()
        pacing = Pacing(memory, clock)
        scopes = {"mailing.m": Limits(seconds_between=60)}
        first = await pacing.reserve(lambda: scopes, 5)
        assert isinstance(first, list)
        assert await pacing.reserve(lambda: scopes, 5) == Later(first[0].at + 60.1)
        await asyncio.sleep(57)
        second = await pacing.reserve(lambda: scopes, 5)
        assert isinstance(second, list)
        assert second[0].at == first[0].at + 60.1

    run(main())


def test_the_rate_is_kept_over_a_restart() -> None:
    """A new process goes on where the last one stopped."""

    async def main() -> None:
        memory, clock = Memory(0), Time()
        scopes = {"mailing.m": Limits(seconds_between=3)}
        first = await Pacing(memory, clock).reserve(lambda: scopes, 1)
        second = await Pacing(memory, clock).reserve(lambda: scopes, 1)
        assert isinstance(first, list)
        assert isinstance(second, list)
        assert second[0].at - first[0].at == pytest.approx(3.06)

    run(main())


def test_the_mailings_of_an_account_share_it_evenly() -> None:
    """Who has four times the workers gets no more; one has a limit of its own."""
    account: Scopes = {"account.a": AccountLimits(per_second=10)}
    slow = account | {"mailing.s": Limits(per_hour=3600)}
    sent = together({"many": (account, 8), "few": (account, 2), "s": (slow, 1)}, 60, processes=3)
    share = Counter(mailing for _, mailing in sent.mails)
    assert 30 <= share["s"] <= 61
    assert 0.8 <= share["few"] / share["many"] <= 1.25
    assert len(sent.mails) >= 540


def test_a_slow_mailing_does_not_hold_up_its_account() -> None:
    """While one mailing waits for its own limit another one has the account for itself."""
    account: Scopes = {"account.a": AccountLimits(per_second=10)}
    slow = account | {"mailing.s": Limits(seconds_between=4)}
    sent = together({"s": (slow, 3), "m": (account, 1)}, 40)
    assert len(sent.times("m")) >= 350
    assert 9 <= len(sent.times("s")) <= 11


@pytest.mark.parametrize("processes", [1, 3])
@pytest.mark.parametrize(
    ("account", "least"),
    [(AccountLimits(), 72), (AccountLimits(per_second=10), 72), (AccountLimits(per_second=100), 40)],
)
def test_a_slow_provider_and_the_others_share_what_their_mailing_may_have(
    account: AccountLimits, least: int, processes: int
) -> None:
    """The others get what the provider leaves of ten a second; the provider, with fewer workers, most of its two."""
    others: Scopes = {"account.a": account, "mailing.m": Limits(per_hour=36_000)}
    provider: Scopes = {"account.a": account, "provider.a.g": AccountLimits(per_second=2), **others}
    sent = together({"others": (others, 3), "provider": (provider, 1)}, 60, processes=processes, late=0.5)
    kept(others["mailing.m"], sent.times())
    assert len(sent.mails) >= 0.95 * 600
    assert len(sent.times("provider")) >= least


def test_a_fast_provider_leaves_half_of_its_mailing_to_the_others() -> None:
    """Neither lane of a mailing gets all of its slots, even where its provider could take more of them."""
    others: Scopes = {"account.a": AccountLimits(), "mailing.m": Limits(per_hour=36_000)}
    provider: Scopes = {"account.a": AccountLimits(), "provider.a.g": AccountLimits(per_second=20), **others}
    sent = together({"others": (others, 3), "provider": (provider, 1)}, 60)
    assert len(sent.mails) >= 0.95 * 600
    assert min(len(sent.times("others")), len(sent.times("provider"))) >= 60


def test_a_slow_mailing_does_not_hold_up_others_where_the_account_has_no_limit() -> None:
    """A mailing waits for its own limit by itself."""
    slow: Scopes = {"account.a": AccountLimits(), "mailing.s": Limits(seconds_between=4)}
    fast: Scopes = {"account.a": AccountLimits(), "mailing.m": Limits(per_hour=36_000)}
    sent = together({"s": (slow, 1), "m": (fast, 1)}, 40)
    assert len(sent.times("m")) >= 0.95 * 400
    assert 9 <= len(sent.times("s")) <= 11


def test_a_slower_scope_leaves_room_in_a_faster_one() -> None:
    """Three mailings of 20 a second each fill an account of 60 a second."""
    account: Scopes = {"account.a": AccountLimits(per_second=60)}
    mailings = {name: (account | {f"mailing.{name}": Limits(per_hour=72_000)}, 1) for name in "xyz"}
    sent = together(mailings, 30, processes=1, late=0.2)
    kept(AccountLimits(per_second=60), sent.times())
    assert len(sent.mails) >= 0.85 * 30 * 57


@pytest.mark.parametrize("workers", [1, 4])
def test_changed_limits_hold_within_a_second(workers: int) -> None:
    """Faster or slower, also for who waits for a slot already."""
    now: list[Scopes] = [{"account.a": AccountLimits(per_minute=15)}]
    sent = Sent()

    async def main() -> None:
        pacing = Pacing(Memory(), Time())
        tasks = [asyncio.create_task(worker(pacing, lambda: now[0], sent)) for _ in range(workers)]
        await asyncio.wait(tasks, timeout=30)
        now[0] = {"account.a": AccountLimits(per_second=20)}
        await asyncio.wait(tasks, timeout=10)
        now[0] = {"account.a": AccountLimits(per_second=1)}
        await for_a_while(10, *tasks)

    run(main())
    times = [at - 1000 for at in sent.times()]
    assert 7 <= sum(at < 30 for at in times) <= 9
    faster = [at for at in times if 30 <= at < 40]
    assert faster[0] < 31
    assert len(faster) > 150
    assert sum(40 + AHEAD + BLOCK + 0.1 <= at < 50 for at in times) <= 10


def test_the_window_is_two_seconds_of_the_slowest_rate() -> None:
    """W follows the rate: at least one, at most what the process allows."""
    assert window({}, 50) == 50
    assert window({"m": Limits(per_hour=500)}) == 1
    assert window({"m": Limits(per_hour=36_000), "a": Limits(seconds_between=0.5)}) == 3
