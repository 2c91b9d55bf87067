"""Statuses are set round by round: what changes all the time keeps nobody from their turn."""

import asyncio

import pytest
from nats.aio.client import Client
from sqlalchemy import insert, select, update
from sqlalchemy.ext.asyncio import AsyncEngine

from services.planner.audience.outcome_facts import TOUCHED
from services.planner.schema import METADATA
from services.planner.statuses.setting import MARKS, StatusSetter
from services.planner.statuses.status_facts import MAPPINGS, OF_CAMPAIGN
from shared.database import create_tables
from shared.eventlog.store import EventLog
from tests.harness.databases import Database
from tests.harness.nats import NatsServer

BEGAN = 7


async def _busy(engine: AsyncEngine) -> None:
    """Have two campaigns that map something; of one a chunk was touched."""
    await create_tables(engine, METADATA)
    async with engine.begin() as conn:
        for campaign in ("busy", "quiet"):
            await conn.execute(insert(MAPPINGS).values(campaign=campaign, statuses='{"sent":"Written to"}'))
            await conn.execute(insert(OF_CAMPAIGN).values(mailing=f"m-{campaign}", campaign=campaign))
        await conn.execute(insert(TOUCHED).values(mailing="m-busy", n=0, seq=BEGAN))


@pytest.mark.feature("M3")
async def test_a_round_ends_though_mails_go_out_all_the_time(
    log_streams: NatsServer, nc: Client, database: Database
) -> None:
    """Whenever it looks its chunk changed again: that is for the next round, and the other campaign has its turn."""
    assert log_streams
    engine = await database.fresh("planner")
    await _busy(engine)

    async def facts_at(_seq: int, _seconds: float) -> None:
        async with engine.begin() as conn:
            await conn.execute(update(TOUCHED).values(seq=TOUCHED.c.seq + 1))

    setter = StatusSetter(engine, EventLog(nc), facts_at)
    async with asyncio.timeout(30):
        await setter.settle()
    async with engine.connect() as conn:
        marks = {row.campaign: row.seq for row in await conn.execute(select(MARKS))}
        now = await conn.scalar(select(TOUCHED.c.seq))
    assert marks["quiet"] == BEGAN
    assert now is not None
    assert BEGAN <= marks["busy"] < now
    await engine.dispose()
