"""nats-server stops answering without ending, until everything stands still, and then goes on."""

import random
import signal
from pathlib import Path

import pytest

from tests.harness.installations import running
from tests.harness.system import people

pytestmark = pytest.mark.one_server

COUNT = 800


@pytest.mark.drawn("system", 3)
async def test_a_log_that_hangs_costs_no_mail(dice: random.Random, tmp_path: Path) -> None:
    """Claims run out meanwhile and are settled late, by their own sender or the next: nobody lost or in doubt."""
    async with running(tmp_path / "data", senders=2) as system:
        mailing = await system.start(people(COUNT, greylist=20))
        for moment in sorted(dice.sample(range(COUNT // 10, COUNT * 8 // 10), 2)):
            await system.reached(moment)
            system.kill("nats", signal.SIGSTOP)
            for _ in range(14):  # longer than a claim is valid
                await system.still()
            system.kill("nats", signal.SIGCONT)
        await system.ended(mailing)
        account = await system.account_for(mailing, doubts=0)
    assert account.totals == {"accepted": COUNT}
