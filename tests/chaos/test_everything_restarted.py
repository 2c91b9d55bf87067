"""Everything is stopped in the middle of a mailing, or dies at once, and is started again from the same folder."""

import random
from pathlib import Path

import pytest

from tests.harness.installations import CONNECTIONS, PACE, Installation, operated
from tests.harness.smtp import ScriptedSmtp
from tests.harness.system import people, unhurried

COUNT = 800


@pytest.mark.drawn("system", 3)
@pytest.mark.parametrize("how", ["stopped", "killed"])
async def test_a_mailing_goes_on_where_it_was(how: str, dice: random.Random, tmp_path: Path) -> None:
    """Stopped in good order nobody is in doubt; after the death of all processes at most one a connection."""
    folder = tmp_path / "data"
    async with ScriptedSmtp(unhurried(PACE * 2 * CONNECTIONS)) as relay:
        async with operated(Installation(folder, senders=2), relay) as system:
            await system.add_account()
            mailing = await system.start(people(COUNT, greylist=20))
            await system.reached(dice.randrange(COUNT // 4, COUNT * 3 // 4))
            if how == "killed":
                for name in system.local.programs:
                    system.kill(name)
        deaths = system.killed_senders
        async with operated(Installation(folder, senders=2), relay) as system:
            system.killed_senders = deaths
            await system.ended(mailing)
            account = await system.account_for(mailing)
    assert account.totals["accepted"] + account.totals["in_doubt"] == COUNT
