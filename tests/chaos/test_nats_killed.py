"""nats-server dies by SIGKILL in the middle of a mailing, and is started again by the supervisor."""

import random
from pathlib import Path

import pytest

from tests.harness.installations import running
from tests.harness.system import people

pytestmark = pytest.mark.one_server

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


@pytest.mark.drawn("system", 3)
async def test_claims_that_ran_out_while_the_log_was_away_are_settled_by_their_own(
    dice: random.Random, tmp_path: Path
) -> None:
    """Whoever is back first must not take a chunk over from a sender that lives and knows what came of its mails."""
    async with running(tmp_path / "data", senders=3) as system:
        mailing = await system.start(people(COUNT))
        for moment in sorted(dice.sample(range(COUNT // 10, COUNT * 8 // 10), 2)):
            await system.reached(moment)
            await system.local.down("nats")
            for _ in range(14):  # longer than a claim is valid
                await system.still()
            await system.local.up("nats")
        await system.ended(mailing)
        account = await system.account_for(mailing, doubts=0)
    assert account.totals == {"accepted": COUNT}
