"""Webhooks: signed, told until the URL says 2xx, never to what is not public."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from sqlalchemy import insert, update

from services.planner.facts import millis
from services.planner.notices.lookup import Lookup
from services.planner.notices.notice_facts import NOTICES
from services.planner.notices.webhooks import CALLS, NoticeHooks
from services.planner.schema import METADATA
from services.planner.settings import PlannerSettings
from shared import clock
from shared.contracts import commands, subjects
from shared.contracts.mailing import MailingDrafted, MailingFailed
from shared.database import create_tables
from tests.harness.databases import Database
from tests.harness.hooked import SECRET, Told, signature
from tests.harness.waiting import until
from tests.integration.planner.conftest import Desk
from tests.integration.planner.test_running import sending

NOBODY: Any = None
"""A log and contents that are not asked for anything."""


@pytest.fixture
async def told() -> AsyncIterator[Told]:
    """Yield the server."""
    told = Told()
    async with await asyncio.start_server(told.answer, "127.0.0.1", 0) as server:
        told.port = server.sockets[0].getsockname()[1]
        yield told


@pytest.fixture
def planner_settings(planner_settings: PlannerSettings) -> PlannerSettings:
    """Return settings with webhooks."""
    return PlannerSettings(**planner_settings.model_dump() | {"notify_secret": SECRET, "notify_private": True})


@pytest.mark.feature("G4")
async def test_a_url_is_told_until_it_takes_it_once(desk: Desk, told: Told) -> None:
    """500 the first time, taken the second: one id, a signature that holds, no mail, nothing in the log."""
    url = f"http://localhost:{told.port}/hook?a=1"
    mailing = await sending(desk, 10, notify_url=url)
    (chunk,) = await desk.planned(mailing, 1)
    await desk.finish(chunk)

    async def taken() -> bool:
        return len(told.came) > 1

    await until(taken, 30)
    (first, _), (headers, body) = told.came
    name, at = headers["webhook-id"], headers["webhook-timestamp"]
    assert first["webhook-id"] == name
    assert headers["host"] == f"localhost:{told.port}"
    assert headers["webhook-signature"] == signature(name, at, body)
    said = json.loads(body)
    assert said["type"] == "mailing.completed"
    assert said["data"]["totals"] == {"accepted": 10}
    assert (said["data"]["mailing"], said["data"]["name"], said["data"]["errors"]) == (mailing, "m", [])
    assert (await desk.ask(commands.Draft(mailing=mailing)))["notify_url"] == url
    drafted = next(event for event in await desk.events(subjects.mailing(mailing)) if isinstance(event, MailingDrafted))
    assert drafted.webhook
    assert "localhost" not in drafted.model_dump_json()
    assert await desk.plans(name) == []
    await desk.down()  # what was taken is not told again by the next planner
    await desk.up()
    other = await desk.drafted(account=drafted.account, notify_url=url)
    await desk.write(subjects.mailing(other), MailingFailed(reason="why"))

    async def third() -> bool:
        return len(told.came) > 2

    await until(third, 30)
    assert [json.loads(body)["type"] for _, body in told.came[2:]] == ["mailing.failed"]


async def test_of_two_planners_one_tells_a_url(database: Database, planner_settings: PlannerSettings) -> None:
    """Whoever claimed it tells it, at once where both look at the same moment; after a while it may be another."""
    engine = await database.fresh("planner")
    await create_tables(engine, METADATA)
    now = millis(clock.now())
    async with engine.begin() as conn:
        await conn.execute(insert(NOTICES).values(id="n1", mailing="m1", seq=1, at=now, mail=False, hook=True))
    both = [NoticeHooks(engine, Lookup(engine, NOBODY, NOBODY), planner_settings) for _ in range(2)]
    claimed = await asyncio.gather(*(hooks._claim() for hooks in both))
    assert sorted(len(calls) for calls in claimed) == [0, 1]
    async with engine.begin() as conn:
        await conn.execute(update(CALLS).values(next_at=now))
    assert [call.tries for call in await both[0]._claim()] == [1]
    await engine.dispose()
