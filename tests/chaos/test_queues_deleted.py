"""JOBS and TIMERS are deleted in the middle of a mailing and made anew, empty: they held hints, nothing else."""

import random
from pathlib import Path

import pytest
from nats.aio.client import Client

from deploy.apply import apply
from shared.contracts import subjects
from shared.contracts.mailing import MailingCancelled
from tests.harness.installations import running
from tests.harness.sending import Sending
from tests.harness.smtp import ScriptedSmtp
from tests.harness.system import System, people
from tests.harness.toll import strike
from tests.harness.waiting import until

COUNT = 800


@pytest.mark.drawn("system", 3)
@pytest.mark.parametrize("streams", [[subjects.JOBS], [subjects.TIMERS], [subjects.JOBS, subjects.TIMERS]])
async def test_every_mailing_completes_without_the_hints_it_had(
    streams: list[str], dice: random.Random, tmp_path: Path
) -> None:
    """First passes and greylisted retries alike find their way back: nobody lost, doubled or in doubt."""
    # More chunks than lines, so that some jobs wait; a longer wait, so that some retries do.
    extra = {"POSTHASTE_MOST_OPEN": "14", "POSTHASTE_RETRY_FIRST": "1"}
    async with running(tmp_path / "data", senders=2, extra=extra) as system:
        mailing = await system.start(people(COUNT, greylist=80))
        await system.reached(dice.randrange(COUNT // 4, COUNT * 3 // 4))
        await delete(system, streams)
        await system.local.apply_streams()
        await system.ended(mailing)
        account = await system.account_for(mailing, doubts=0)
    assert account.totals == {"accepted": COUNT}


async def delete(system: System, streams: list[str]) -> None:
    """Delete streams as the deploying user."""
    strike()
    deploy = await system.local.connect("deploy")
    for stream in streams:
        await deploy.jetstream().delete_stream(stream)
    await deploy.close()


@pytest.mark.one_server
async def test_the_number_of_a_job_of_the_old_queue_holds_nobody_up(
    sending: Sending, relay: ScriptedSmtp, nc: Client
) -> None:
    """The new queue counts from 1 again: its first job is another chunk's, not the one by which a chunk is taken."""
    await sending.start_mailing("m1")
    one = await sending.plan("m1", 0, ["greylist-1@example.com"])
    other = await sending.plan("m1", 1, ["greylist-2@example.com"])
    sending.start_sender(POSTHASTE_RETRY_FIRST="3600", POSTHASTE_RETRY_LONGEST="3600")
    await until(lambda: sending.passed(one, other), 30)
    before = {(await sending.chunk(ref)).job: ref for ref in (one, other)}
    await nc.jetstream().delete_stream(subjects.JOBS)
    await apply(nc)
    await sending.append(subjects.mailing("m1"), MailingCancelled())
    for number in sorted(before, reverse=True):  # now each chunk's number is that of the other's job
        await sending.timers.fire(before[number].due_retry)
    assert await sending.finished(one, other, timeout=30) == {"cancelled": 2}
    assert not relay.accepted
