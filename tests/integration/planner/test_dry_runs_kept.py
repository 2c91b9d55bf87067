"""What dry runs keep of the recipients' data: it stays while a plan stands on it, and goes when none does."""

from collections.abc import AsyncIterator
from copy import copy

import pytest
from sqlalchemy import delete
from sqlalchemy.ext.asyncio import AsyncEngine

from services.planner.facts import MAILINGS
from services.planner.mailings.dry_run_keeping import Keeping
from services.planner.planning.chunks import Planning
from shared.contracts import commands, subjects
from shared.contracts.mailing import RecipientRemoved
from shared.database import create_engine
from shared.eventlog.documents import Documents
from shared.eventlog.errors import MissingError
from shared.eventlog.objects import Objects
from shared.keys import KeyRing
from shared.messaging.client import Client
from tests.harness.waiting import until
from tests.integration.planner.conftest import Desk
from tests.integration.planner.test_dry_runs import LETTER, PEOPLE, Rehearsing, ended, planner_settings, sender

__all__ = ("planner_settings", "sender")


@pytest.fixture
async def engine(desk: Desk) -> AsyncIterator[AsyncEngine]:
    """Yield the tables of the planner."""
    engine = create_engine(desk.settings, "planner")
    yield engine
    await engine.dispose()


def _keeping(desk: Desk, engine: AsyncEngine) -> Keeping:
    keys = KeyRing.of(desk.settings.secret_keys, desk.settings.address_pepper)
    payloads, contents = Documents(desk.nc, subjects.PAYLOADS), Objects(desk.nc, subjects.CONTENT)
    return Keeping(engine, desk.log, Planning(engine, desk.log, payloads, contents, keys))


async def _kept(desk: Desk, run: str, n: int = 0) -> bytes:
    try:
        return await Documents(desk.nc, subjects.PAYLOADS).get(subjects.payload(run, n))
    except MissingError:
        return b""


def _maker(desk: Desk) -> Desk:
    """Return the desk of somebody who makes mailings and may not approve of them."""
    maker = copy(desk)
    maker.client = Client(desk.nc, "producer")
    return maker


async def _looked_at(desk: Desk) -> tuple[str, str, str]:
    """Return a mailing of somebody else that needs an approval, its campaign, and the dry run of it."""
    await desk.imported(PEOPLE)
    account, maker = await desk.account(), _maker(desk)
    mailing = await maker.drafted(account=account, **LETTER)
    campaign = (await desk.events(subjects.mailing(mailing)))[0].model_dump()["campaign"]
    await desk.do(commands.EditCampaign(campaign=campaign, name="c", lists=["readers"], approval=True))
    await maker.do(commands.FreezeAudience(mailing=mailing))
    run = (await desk.do(commands.StartDryRun(mailing=mailing)))["run"]
    assert (await ended(desk, mailing))["state"] == "done"
    return mailing, campaign, run


async def _begun(desk: Desk, sender: Rehearsing, mailing: str) -> str:
    """Begin a further run that no sender answers, and return it."""
    sender.silent_from = 0
    sender.asked.clear()
    run: str = (await desk.do(commands.StartDryRun(mailing=mailing)))["run"]
    await until(sender.was_asked(0), 15)
    return run


@pytest.mark.feature("B13")
async def test_a_further_run_that_does_not_end_leaves_what_is_approved(
    desk: Desk, sender: Rehearsing, engine: AsyncEngine
) -> None:
    """One is cancelled and tidied away, one goes on while the first is approved: what it kept is what is sent."""
    mailing, _, run = await _looked_at(desk)
    await _maker(desk).do(commands.ScheduleMailing(mailing=mailing))
    await desk.happened(mailing, "MailingPaused")
    seen = [await _kept(desk, run, n) for n in range(3)]
    assert all(seen)
    further = await _begun(desk, sender, mailing)
    await desk.do(commands.CancelDryRun(mailing=mailing))
    assert await _kept(desk, further)
    assert await _keeping(desk, engine).tidy() == 1
    assert not await _kept(desk, further)
    await _begun(desk, sender, mailing)
    plan = (await desk.ask(commands.Forecast(mailing=mailing)))["plan"]
    await desk.do(commands.ApproveMailing(mailing=mailing, plan=plan))
    await desk.planned(mailing, 3)
    assert [await _kept(desk, mailing, n) for n in range(3)] == seen
    sender.silent_from = 99
    shown = await ended(desk, mailing)
    assert shown["state"] == "failed"
    assert "MailingFailed" not in await desk.types(mailing)


@pytest.mark.feature("B13")
async def test_the_log_says_what_is_needed_and_not_the_last_run(
    desk: Desk, sender: Rehearsing, engine: AsyncEngine
) -> None:
    """While the facts are empty nothing goes that the log stands on; the rest goes, whatever the last run keeps."""
    mailing, campaign, run = await _looked_at(desk)
    await desk.do(commands.EditCampaign(campaign=campaign, name="c", lists=["readers"], approval=False))
    await _begun(desk, sender, mailing)
    await desk.do(commands.CancelDryRun(mailing=mailing))
    await desk.down()
    async with engine.begin() as conn:
        await conn.execute(delete(MAILINGS))
    keeping = _keeping(desk, engine)
    assert await keeping.tidy() == 0
    assert await _kept(desk, run)
    await desk.write(subjects.mailing(mailing), RecipientRemoved(contacts=["c"]))
    assert await keeping.tidy() == 1
    assert not await _kept(desk, run)
    assert await keeping.tidy() == 0
    await desk.up()
