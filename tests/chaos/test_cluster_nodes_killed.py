"""Nodes of a cluster of three die by SIGKILL, or give up their lead, while a mailing runs and retries wait."""

import asyncio
import random
from pathlib import Path

import pytest

from shared.contracts import subjects
from tests.harness.installations import Installation, operated
from tests.harness.nats import NatsCluster
from tests.harness.smtp import ScriptedSmtp
from tests.harness.system import people, unhurried
from tests.harness.toll import strike
from tests.harness.waiting import until

COUNT = 1000
KILLS = 5


@pytest.mark.cluster
@pytest.mark.drawn("system", 3)
@pytest.mark.timeout(480)
async def test_five_dead_nodes_cost_neither_a_job_nor_a_retry(
    cluster: NatsCluster, dice: random.Random, tmp_path: Path
) -> None:
    """Every planned chunk and every due retry becomes a job: nobody lost or doubled, with no hint of the planner's."""
    # An election takes seconds, so claims are valid for longer than in the other scenarios.
    settings = {"POSTHASTE_QUIET_SECONDS": "3600", "POSTHASTE_ACK_WAIT": "5"}
    async with ScriptedSmtp(unhurried(0.2)) as relay:
        local = Installation(tmp_path / "data", senders=2, extra=settings, cluster=cluster.url)
        async with operated(local, relay) as system:
            await system.add_account()
            mailing = await system.start(people(COUNT, greylist=100))
            for moment in sorted(dice.sample(range(COUNT * 8 // 10), KILLS)):
                await system.reached(moment)
                node = dice.choice(cluster.nodes)
                await asyncio.to_thread(node.restart, kill=True)
                await until(lambda: asyncio.to_thread(cluster.healthy), 60)
            await system.ended(mailing)
            account = await system.account_for(mailing, doubts=0)
    assert account.totals == {"accepted": COUNT}


@pytest.mark.cluster
@pytest.mark.drawn("system", 3)
async def test_leaders_that_step_down_cost_neither_a_job_nor_a_retry(
    cluster: NatsCluster, dice: random.Random, tmp_path: Path
) -> None:
    """Three senders go on wherever the log, the jobs and the timers are led from: nobody lost, doubled or in doubt."""
    async with ScriptedSmtp(unhurried(0.06)) as relay:
        local = Installation(tmp_path / "data", senders=3, cluster=cluster.url)
        async with operated(local, relay) as system:
            await system.add_account()
            mailing = await system.start(people(COUNT, greylist=100))
            for moment in sorted(dice.sample(range(COUNT * 8 // 10), KILLS)):
                await system.reached(moment)
                strike()
                for stream in (subjects.EVENTS, subjects.JOBS, subjects.TIMERS):
                    await system.nc.request(f"$JS.API.STREAM.LEADER.STEPDOWN.{stream}", timeout=5)
            await system.ended(mailing)
            account = await system.account_for(mailing, doubts=0)
    assert account.totals == {"accepted": COUNT}
