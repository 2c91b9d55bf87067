"""The relay has a bad time: it puts everybody off for a while, or takes mails in and never says so."""

import random
import time
from pathlib import Path

import pytest

from tests.harness.installations import CONNECTIONS, PACE, running
from tests.harness.smtp import Act, Phase, Session
from tests.harness.system import people, unhurried
from tests.harness.toll import strike

COUNT = 800
SILENT = 12
BAD_TIME = 3.0


@pytest.mark.drawn("system", 3)
async def test_a_relay_that_puts_everybody_off_costs_no_mail(dice: random.Random, tmp_path: Path) -> None:
    """451 to each and every recipient for some seconds: all are tried again and accepted, once."""
    pace = unhurried(PACE * 2 * CONNECTIONS)
    began = dice.randrange(COUNT // 4, COUNT // 2)
    until = 0.0

    def script(session: Session, phase: Phase) -> Act | bytes | None:
        nonlocal until
        if not until and len(session.server.accepted) >= began:
            until = time.monotonic() + BAD_TIME
            strike()
        if phase == "rcpt" and time.monotonic() < until:
            return b"451 4.3.2 Try again later\r\n"
        return pace(session, phase)

    async with running(tmp_path / "data", senders=2, script=script) as system:
        mailing = await system.start(people(COUNT))
        await system.ended(mailing)
        account = await system.account_for(mailing, doubts=0)
    assert until, "its bad time never came"
    assert account.totals == {"accepted": COUNT}


@pytest.mark.drawn("system", 3)
async def test_mails_that_are_taken_in_without_a_word_are_in_doubt_and_no_other(tmp_path: Path) -> None:
    """The dot is never answered for some: each is named as in doubt after the time for it, and never sent again."""
    pace = unhurried(PACE * 2 * CONNECTIONS)

    def script(session: Session, phase: Phase) -> Act | bytes | None:
        if phase == "dot" and session.recipient.startswith("silent"):
            return Act(then="hang", accept=True)
        return pace(session, phase)

    short = {"POSTHASTE_RELAY_PATIENCE": "0.005"}  # three seconds for the reply to the dot
    async with running(tmp_path / "data", senders=2, script=script, extra=short) as system:
        mailing = await system.start(people(COUNT, silent=SILENT))
        await system.ended(mailing)
        account = await system.account_for(mailing, doubts=SILENT)
    assert account.totals == {"accepted": COUNT - SILENT, "in_doubt": SILENT}
