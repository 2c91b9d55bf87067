"""Each of the services dies by SIGKILL in the middle of a mailing, at moments that the dice choose."""

import random
from pathlib import Path

import pytest

from tests.harness.installations import running
from tests.harness.system import people

COUNT = 800


@pytest.mark.drawn("system", 3)
@pytest.mark.parametrize("service", ["planner", "sender", "reporting", "tracker"])
async def test_a_service_that_dies_twice_costs_no_mail(service: str, dice: random.Random, tmp_path: Path) -> None:
    """Whoever dies, whenever: the mailing completes, and log, ledger, report and relay agree on every recipient."""
    async with running(tmp_path / "data") as system:
        mailing = await system.start(people(COUNT, greylist=20, reject=8))
        for moment in sorted(dice.sample(range(COUNT * 8 // 10), 2)):
            await system.reached(moment)
            await system.fell(service)
        await system.ended(mailing)
        account = await system.account_for(mailing)
    assert account.totals["rejected"] == 8
    assert account.totals["accepted"] + account.totals["in_doubt"] == COUNT - 8


@pytest.mark.drawn("system", 3)
async def test_all_services_die_in_one_mailing(dice: random.Random, tmp_path: Path) -> None:
    """One after the other, in the order of the dice, at their moments: nothing lost, nothing doubled."""
    services = ["planner", "sender", "reporting", "tracker", "sender-2"]
    dice.shuffle(services)
    async with running(tmp_path / "data", senders=2) as system:
        mailing = await system.start(people(COUNT, greylist=20))
        for moment, service in zip(sorted(dice.sample(range(COUNT * 8 // 10), 5)), services, strict=True):
            await system.reached(moment)
            await system.fell(service)
        await system.ended(mailing)
        account = await system.account_for(mailing)
    assert account.totals["accepted"] + account.totals["in_doubt"] == COUNT
