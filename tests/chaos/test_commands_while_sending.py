"""Pause, resume and cancel by their commands while two senders are at work and some recipients are deferred."""

import random
from pathlib import Path

import pytest

from shared.contracts import commands
from tests.harness.installations import running
from tests.harness.system import people

COUNT = 800


@pytest.mark.drawn("system", 3)
async def test_a_cancel_settles_outstanding_and_deferred_recipients_at_once(
    dice: random.Random, tmp_path: Path
) -> None:
    """Greylisted for an hour or not yet planned: all stand as cancelled within seconds, and get nothing any more."""
    hour = {"POSTHASTE_RETRY_FIRST": "3600", "POSTHASTE_RETRY_LONGEST": "3600"}
    few = {"POSTHASTE_MOST_OPEN": "4"}
    async with running(tmp_path / "data", senders=2, extra=hour | few) as system:
        mailing = await system.start(people(COUNT, greylist=80))
        await system.reached(dice.randrange(COUNT // 4, COUNT // 2))
        await system.do(commands.CancelMailing(mailing=mailing))
        await system.ended(mailing, "Cancelled")
        await system.settled(mailing)
        account = await system.account_for(mailing, doubts=0)
    assert account.totals["accepted"] + account.totals["cancelled"] == COUNT
    assert account.totals["cancelled"] >= 80


@pytest.mark.drawn("system", 3)
async def test_pauses_hold_the_mailing_and_lose_nothing(dice: random.Random, tmp_path: Path) -> None:
    """Paused and resumed three times while two senders run: it stands still each time, and all mails arrive."""
    async with running(tmp_path / "data", senders=2) as system:
        mailing = await system.start(people(COUNT, greylist=20))
        for moment in sorted(dice.sample(range(COUNT // 10, COUNT * 8 // 10), 3)):
            await system.reached(moment)
            await system.do(commands.PauseMailing(mailing=mailing))
            await system.still()
            await system.do(commands.ResumeMailing(mailing=mailing))
        await system.ended(mailing)
        account = await system.account_for(mailing, doubts=0)
    assert account.totals == {"accepted": COUNT}
