"""The planner dies at a step of freezing or fan-out while all others are at work; the same command is asked again."""

from pathlib import Path

import pytest

from tests.harness.installations import Installation, operated
from tests.harness.smtp import ScriptedSmtp
from tests.harness.system import people, unhurried

COUNT = 400
STEPS = {
    "freeze.positioned": 1,
    "freeze.written": 1,
    "freeze.stored": 1,
    "freeze.cached": 1,
    "freeze.appended": 1,
    "process.ticked": 1,
    "plan.read": 4,
    "plan.payload": 4,
    "plan.appended": 4,
}
"""Where it dies, and the how manieth time it comes there."""


@pytest.mark.drawn("system", 3)
@pytest.mark.parametrize("step", STEPS)
async def test_a_command_cut_off_at_any_step_is_done_once(step: str, tmp_path: Path) -> None:
    """One audience, one start, each chunk once: nobody lost, doubled or in doubt."""
    async with ScriptedSmtp(unhurried(0.02)) as relay:
        local = Installation(tmp_path / "data").dies("planner", f"{step}:{STEPS[step]}")
        async with operated(local, relay) as system:
            await system.add_account()
            mailing = await system.start(people(COUNT, greylist=20))
            await system.ended(mailing)
            account = await system.account_for(mailing, doubts=0)
            assert local.programs["planner"].starts == 2, f"it never came to {step}"
    assert account.totals == {"accepted": COUNT}
