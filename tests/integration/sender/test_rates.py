"""Rates as the relay sees them, with three senders and over restarts. What counts is when MAIL FROM arrives."""

import itertools
import signal
import time

import pytest

from shared.contracts import subjects
from shared.contracts.account import AccountEdited, AccountLimits, Limits, ProviderLimits
from shared.contracts.mailing import RateChanged
from tests.harness.nats import NatsServer
from tests.harness.sending import Sending
from tests.harness.smtp import ScriptedSmtp
from tests.harness.waiting import until
from tests.harness.wire import Wire

pytestmark = pytest.mark.alone


def times(relay: ScriptedSmtp) -> list[float]:
    """Return when each accepted mail's transaction began."""
    return sorted(at for at, _sender in relay.mails)


def most_in(found: list[float], period: float) -> int:
    """Return the greatest number of mails in any window of `period` seconds."""
    return max(sum(1 for at in found if start <= at < start + period) for start in found)


async def plan_some(sending: Sending, count: int, each: int) -> list[subjects.ChunkRef]:
    """Plan `count` chunks of `each` recipients."""
    return [await sending.plan("m1", n, [f"a{n}x{i}@example.com" for i in range(each)]) for n in range(count)]


async def edit(sending: Sending, relay: ScriptedSmtp, **changes: object) -> None:
    """Edit the account as the planner would."""
    account = {"name": "relay", "host": "127.0.0.1", "port": relay.port, "tls": "none", "senders": ["news@example.com"]}
    event = AccountEdited.model_validate(account | {"connections": sending.connections} | changes)
    await sending.append(subjects.account(sending.account), event)


@pytest.mark.feature("G2", "B4")
async def test_three_senders_share_the_rate_of_an_account(sending: Sending, relay: ScriptedSmtp) -> None:
    """Ten a second: at most 11 in any second, by three senders, one of which is killed and replaced on the way.

    The hour of which it is the short form is run by `make bench ARGS=rates`.
    """
    await edit(sending, relay, limits=AccountLimits(per_second=10))
    await sending.start_mailing("m1")
    refs = await plan_some(sending, 4, 15)
    senders = [sending.start_sender() for _ in range(3)]
    await until(lambda: len(relay.accepted) >= 20, 60)
    senders[0].kill()
    sending.start_sender()
    totals = await sending.finished(*refs, timeout=90)
    assert totals["accepted"] + totals["in_doubt"] == 60
    assert most_in(times(relay), 1.0) <= 11


@pytest.mark.feature("M4", "B4")
async def test_three_senders_keep_an_interval(sending: Sending, relay: ScriptedSmtp) -> None:
    """An interval of 1 s: no gap is shorter than 0.98 s, with three senders, one of which is restarted."""
    await sending.start_mailing("m1", limits=Limits(seconds_between=1))
    refs = await plan_some(sending, 3, 4)
    senders = [sending.start_sender() for _ in range(3)]
    await until(lambda: len(relay.accepted) >= 3, 60)
    senders[0].kill(signal.SIGTERM)
    sending.start_sender()
    await sending.finished(*refs, timeout=90)
    gaps = [later - earlier for earlier, later in itertools.pairwise(times(relay))]
    assert min(gaps) >= 0.98


@pytest.mark.feature("B4")
async def test_a_provider_is_paced_among_others(sending: Sending, relay: ScriptedSmtp) -> None:
    """What goes to one provider keeps its rate, and the rest of the chunk does not wait for it."""
    await edit(sending, relay, providers={"gmail": ProviderLimits(per_minute=60)})
    await sending.start_mailing("m1")
    some = [f"a{i}@{'gmail.com' if i % 2 else 'example.com'}" for i in range(10)]
    ref = await sending.plan("m1", 0, some)
    sending.start_sender()
    await until(lambda: len(relay.accepted) >= 6, 60)
    first = [mail.recipient.rpartition("@")[2] for mail in relay.accepted[:6]]
    assert first.count("gmail.com") <= 2
    assert await sending.finished(ref, timeout=60) == {"accepted": 10}
    slow = [mail.at for mail in relay.accepted if mail.recipient.endswith("gmail.com")]
    assert most_in(slow, 1.0) <= 2
    assert max(slow) - min(slow) >= 3.5


@pytest.mark.feature("B4")
async def test_a_domain_in_rest_keeps_its_limits_and_the_others_go_on(sending: Sending, relay: ScriptedSmtp) -> None:
    """Two a second and one connection for each domain: one with many mails keeps that, others do not wait for it."""
    relay.slow = 0.05
    await edit(sending, relay, providers={"domain": ProviderLimits(per_second=2, connections=1)})
    await sending.start_mailing("m1")
    chunks = [[f"slow-{n}x{i}@{'busy.example' if i < 3 else f'd{n}x{i}.example'}" for i in range(23)] for n in range(4)]
    refs = [await sending.plan("m1", n, some) for n, some in enumerate(chunks)]
    began = time.time()
    sending.start_sender()
    assert await sending.finished(*refs, timeout=100) == {"accepted": 92}
    last = max(mail.at for mail in relay.accepted if mail.recipient.endswith("@busy.example"))
    assert last - began >= 5  # twelve mails, of which the first two may go at once
    assert max(mail.at for mail in relay.accepted if not mail.recipient.endswith("@busy.example")) < last
    assert len({mail.recipient for mail in relay.accepted}) == 92


async def test_connections_are_shared_by_all_lanes_and_senders(sending: Sending, relay: ScriptedSmtp) -> None:
    """Three lanes, two senders: never more than three at a time, and one over which 4 mails went is closed."""
    await edit(sending, relay, connections=3, limits=AccountLimits(messages=4))
    await sending.start_mailing("m1")
    lanes = ("gmail", "rest", "yahoo")
    refs = [
        await sending.plan("m1", n, [f"slow-{n}x{i}@example.com" for i in range(12)], lane=lanes[n % 3])
        for n in range(6)
    ]
    most, relay.slow = 0, 0.05
    for _ in range(2):
        sending.start_sender()

    async def done() -> bool:
        nonlocal most
        most = max(most, len(relay.sessions))
        return len(relay.accepted) >= 72

    await until(done, 90)
    assert (await sending.finished(*refs))["accepted"] == 72
    assert most <= 3
    assert relay.connections >= 18


@pytest.mark.feature("B4")
async def test_a_rate_can_be_changed_while_it_runs(sending: Sending, relay: ScriptedSmtp) -> None:
    """From one mail in two seconds to a hundred a second, without a restart."""
    await sending.start_mailing("m1", limits=Limits(seconds_between=2))
    (ref,) = await plan_some(sending, 1, 60)
    sending.start_sender()
    await until(lambda: len(relay.accepted) == 2, 20)
    await sending.append(subjects.mailing("m1"), RateChanged(limits=Limits(per_hour=360_000)))
    await sending.timers.fire(ref.due_retry)
    await sending.finished(ref, timeout=15)


async def test_a_slow_rate_gives_its_job_back(sending: Sending, relay: ScriptedSmtp) -> None:
    """A slot more than five seconds away: the chunk is released with a timer and goes on by itself."""
    await sending.start_mailing("m1", limits=Limits(seconds_between=6))
    (ref,) = await plan_some(sending, 1, 3)
    sending.start_sender()
    assert await sending.finished(ref, timeout=40) == {"accepted": 3}
    gaps = [later - earlier for earlier, later in itertools.pairwise(times(relay))]
    assert min(gaps) >= 5.98
    assert max(gaps) <= 6.5


async def test_a_slow_log_does_not_void_every_slot(
    sending: Sending, log_streams: NatsServer, relay: ScriptedSmtp
) -> None:
    """The way to the log is longer than from slot to slot: slots are reserved so far ahead that claims come in time."""
    await sending.start_mailing("m1", limits=Limits(seconds_between=0.05))
    (ref,) = await plan_some(sending, 1, 20)
    async with Wire(log_streams.port) as wire:
        wire.delay = 0.04
        sending.start_sender(POSTHASTE_NATS_URL=f"nats://127.0.0.1:{wire.port}")
        assert await sending.finished(ref, timeout=30) == {"accepted": 20}
    gaps = [later - earlier for earlier, later in itertools.pairwise(times(relay))]
    assert min(gaps) >= 0.03
