"""The relay goes away in the middle of a mailing, all its connections with it, and comes back after a while."""

import random
from pathlib import Path

import pytest

from tests.harness.installations import CONNECTIONS, running
from tests.harness.system import people
from tests.harness.toll import strike
from tests.harness.waiting import until

COUNT = 800
OUTAGES = 2


@pytest.mark.drawn("system", 3)
async def test_a_relay_that_goes_away_costs_at_most_one_doubt_a_connection(dice: random.Random, tmp_path: Path) -> None:
    """Lanes rest and go on by themselves; in doubt is only what had its dot when the connection broke."""
    async with running(tmp_path / "data", senders=2) as system:
        mailing = await system.start(people(COUNT, greylist=20))
        for moment in sorted(dice.sample(range(COUNT // 10, COUNT * 8 // 10), OUTAGES)):
            await system.reached(moment)
            await system.relay.stop()
            strike()
            await until(lambda: not system.relay.sessions, 30)
            await system.still()
            await system.relay.start(system.relay.port)
        await system.ended(mailing)
        account = await system.account_for(mailing, doubts=OUTAGES * 2 * CONNECTIONS)
    assert account.totals["accepted"] + account.totals["in_doubt"] == COUNT
