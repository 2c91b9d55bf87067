"""Clocks of machines differ by minutes: senders and planner go by the clock of the log, so nothing is early or late."""

import time
from datetime import timedelta

import pytest

from shared.clock import now
from tests.harness.sending import Sending
from tests.harness.smtp import ScriptedSmtp
from tests.harness.toll import strike
from tests.harness.waiting import until
from tests.harness.witness import account_for

MINUTES = 5


@pytest.mark.drawn("sender", 2)
@pytest.mark.parametrize("ahead", [-MINUTES, MINUTES])
async def test_retries_and_deadlines_are_met_by_a_sender_whose_clock_is_wrong(
    ahead: int, sending: Sending, relay: ScriptedSmtp
) -> None:
    """A greylisted mail goes out again after its wait; one whose deadline is near goes out before it, or never."""
    strike()
    await sending.start_mailing("m1")
    later = await sending.plan("m1", 0, ["greylist-1@example.com"])
    in_time = await sending.plan("m1", 1, ["ann1@example.com"], expires_at=now() + timedelta(seconds=60))
    too_late = await sending.plan("m1", 2, ["ann2@example.com"], expires_at=now() - timedelta(seconds=60))
    sending.start_sender(POSTHASTE_CLOCK_SKEW=str(60 * ahead), POSTHASTE_RETRY_FIRST="2", POSTHASTE_RETRY_LONGEST="2")
    await until(lambda: sending.passed(later), 30)
    assert await sending.finished(later, in_time, too_late, timeout=30) == {"accepted": 2, "expired": 1}
    chunks = {later: ["greylist-1@example.com"], in_time: ["ann1@example.com"], too_late: ["ann2@example.com"]}
    await account_for(sending, relay, chunks)
    first, second = [at for at, sender in relay.mails if sender][-2:]
    assert second - first > 1, "the wait was not kept"
    jobs = (await sending.nc.jetstream().stream_info("JOBS")).state
    assert jobs.last_seq < 10, "hints came round and round"
    records = [r for commit in await sending.chunk_commits(later) for r in commit.events]
    assert all(abs(record.recorded_at.timestamp() - time.time()) < 60 for record in records)
    assert all(abs(record.time.timestamp() - time.time()) < 60 for record in records), "the records are off"
