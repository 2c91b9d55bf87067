"""Rates as the relay sees them, with two senders and over restarts. What counts is when MAIL FROM arrives."""

import itertools

import pytest

from shared.contracts import subjects
from shared.contracts.account import Limits
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


async def test_two_senders_share_an_hourly_rate(sending: Sending, relay: ScriptedSmtp) -> None:
    """36,000 an hour: at most 11 in any second, by two senders, one of which is replaced on the way."""
    await sending.start_mailing("m1", limits=Limits(per_hour=36_000))
    refs = await plan_some(sending, 4, 15)
    first = sending.start_sender()
    sending.start_sender()
    await until(lambda: len(relay.accepted) >= 20, 30)
    first.kill()
    sending.start_sender()
    totals = await sending.finished(*refs, timeout=40)
    assert totals["accepted"] + totals["in_doubt"] == 60
    assert most_in(times(relay), 1.0) <= 11


async def test_seconds_between_mails_are_kept(sending: Sending, relay: ScriptedSmtp) -> None:
    """An interval of 0.4 s: no gap is shorter than 0.38 s, with two senders."""
    await sending.start_mailing("m1", limits=Limits(seconds_between=0.4))
    refs = await plan_some(sending, 3, 6)
    sending.start_sender()
    sending.start_sender()
    await sending.finished(*refs, timeout=40)
    gaps = [later - earlier for earlier, later in itertools.pairwise(times(relay))]
    assert min(gaps) >= 0.38
    assert sum(gaps) / len(gaps) < 0.6


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
