"""Two senders, one of which dies again and again by SIGKILL; the other goes on, and takes over what it left."""

import random
from pathlib import Path

import pytest

from tests.harness.installations import running
from tests.harness.system import people

COUNT = 1200
DEATHS = 4


@pytest.mark.drawn("system", 3)
async def test_a_sender_that_keeps_dying_holds_nobody_up(dice: random.Random, tmp_path: Path) -> None:
    """The mailing completes; in doubt is at most one mail a connection and death, nobody is lost or doubled."""
    async with running(tmp_path / "data", senders=2) as system:
        mailing = await system.start(people(COUNT, greylist=20))
        for moment in sorted(dice.sample(range(COUNT * 8 // 10), DEATHS)):
            await system.reached(moment)
            await system.fell("sender-2")
        await system.ended(mailing)
        account = await system.account_for(mailing)
    assert account.totals["accepted"] + account.totals["in_doubt"] == COUNT
