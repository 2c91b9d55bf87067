"""The relay takes longer for some mails than a claim is valid; a sender dies while it waits for one of them."""

import random
from pathlib import Path

import pytest

from tests.harness.installations import running
from tests.harness.system import people

COUNT = 300
SLOW = 8


@pytest.mark.drawn("system", 3)
@pytest.mark.parametrize("dies", [False, True], ids=["lives", "dies"])
async def test_mails_that_outlive_their_claim_are_not_sent_again(
    dies: bool,  # noqa: FBT001 - a case of the test
    dice: random.Random,
    tmp_path: Path,
) -> None:
    """While its sender lives nobody takes its chunk; where it dies, only what had its dot is in doubt."""
    async with running(tmp_path / "data", senders=2, script=lambda _session, _phase: None) as system:
        system.relay.slow = 3.5
        mailing = await system.start(people(COUNT, slow=SLOW))
        if dies:
            await system.reached(dice.randrange(COUNT // 3, COUNT // 2))
            await system.fell("sender")
        await system.ended(mailing)
        account = await system.account_for(mailing)
    assert account.totals["accepted"] + account.totals["in_doubt"] == COUNT
