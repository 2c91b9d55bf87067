"""JOBS and TIMERS are deleted in the middle of a mailing and made anew, empty: they held hints, nothing else."""

import random
from pathlib import Path

import pytest

from shared.contracts import subjects
from tests.harness.installations import running
from tests.harness.system import System, people

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
    deploy = await system.local.connect("deploy")
    for stream in streams:
        await deploy.jetstream().delete_stream(stream)
    await deploy.close()
