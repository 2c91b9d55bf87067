"""Services die by SIGKILL in the middle of a mailing: each, all of them, and all three senders of a large one."""

import random
from pathlib import Path

import pytest

from tests.harness.installations import running
from tests.harness.system import people, unhurried

COUNT = 800
MANY = 10_000


@pytest.mark.feature("B2")
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


@pytest.mark.drawn("system", 3)
@pytest.mark.timeout(240)
async def test_three_senders_that_die_after_a_third_of_ten_thousand_mails_lose_none(tmp_path: Path) -> None:
    """A greylist and a few that are refused beside; in doubt is at most one mail a connection."""
    senders = ["sender", "sender-2", "sender-3"]
    large = {"POSTHASTE_CHUNK_SIZE": "200"}
    async with running(tmp_path / "data", senders=len(senders), script=unhurried(0.01), extra=large) as system:
        mailing = await system.start(people(MANY, greylist=MANY // 20, reject=50))
        await system.reached(MANY * 3 // 10)
        for sender in senders:
            system.kill(sender)
        await system.ended(mailing)
        account = await system.account_for(mailing)
    assert account.totals["rejected"] == 50
    assert account.totals["accepted"] + account.totals["in_doubt"] == MANY - 50
