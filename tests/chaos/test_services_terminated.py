"""Each of the services is told to end in the middle of a mailing, as by an upgrade, and started again."""

import random
import signal
from pathlib import Path

import pytest

from tests.harness.installations import running
from tests.harness.system import people

COUNT = 800


@pytest.mark.drawn("system", 3)
async def test_services_that_are_told_to_end_leave_no_doubt(dice: random.Random, tmp_path: Path) -> None:
    """Everybody once, in the order of the dice: all mails arrive, nobody is in doubt."""
    services = ["planner", "sender", "reporting", "tracker", "sender-2"]
    dice.shuffle(services)
    async with running(tmp_path / "data", senders=2) as system:
        mailing = await system.start(people(COUNT, greylist=20))
        for moment, service in zip(sorted(dice.sample(range(COUNT * 8 // 10), 5)), services, strict=True):
            await system.reached(moment)
            await system.fell(service, signal.SIGTERM)
        await system.ended(mailing)
        account = await system.account_for(mailing, doubts=0)
    assert account.totals == {"accepted": COUNT}
