"""nats-server dies by SIGKILL in the middle of a mailing, and is started again by the supervisor."""

import random
from pathlib import Path

import pytest

from tests.harness.installations import running
from tests.harness.system import people

COUNT = 800


@pytest.mark.drawn("system", 3)
async def test_a_log_that_goes_away_twice_costs_no_mail(dice: random.Random, tmp_path: Path) -> None:
    """Senders keep what they could not record and record it later: nobody lost, doubled or in doubt."""
    async with running(tmp_path / "data", senders=2) as system:
        mailing = await system.start(people(COUNT, greylist=20))
        for moment in sorted(dice.sample(range(COUNT * 8 // 10), 2)):
            await system.reached(moment)
            await system.fell("nats")
        await system.ended(mailing)
        account = await system.account_for(mailing, doubts=0)
    assert account.totals == {"accepted": COUNT}
