"""Rebuilding a view beside the live one: equal where nothing is wrong, in its place where something is."""

import asyncio
from pathlib import Path
from typing import ClassVar

import pytest
from sqlalchemy import Column, Integer, MetaData, String, Table, select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from shared.contracts.envelope import Commit
from shared.contracts.mailing import MailingPaused, MailingResumed
from shared.database import reading
from shared.eventlog.errors import EventLogError
from shared.eventlog.rebuild import rebuild
from shared.eventlog.store import EventLog
from shared.eventlog.views import View
from tests.harness.waiting import until
from tests.integration.eventlog.test_projector import checkpoint, made_at_once, running, spoil_from
from tests.integration.eventlog.toys import PAUSES, Pauses, Rates, append, content, projector, write

FILTERS = ["evt.mailing.*"]


def left_over(folder: Path) -> list[str]:
    """Return the names of files that a rebuild left behind."""
    return [path.name for path in folder.iterdir() if "rebuild" in path.name]


@pytest.mark.feature("B15")
async def test_a_rebuilt_view_equals_the_live_one(log: EventLog, engine: AsyncEngine, tmp_path: Path) -> None:
    """The live rows and the rebuilt ones have the same hash, nothing is switched, no file is left."""
    last = await write(log, 200)
    async with running(projector(log, engine, batch=13)) as one:
        await one.wait_for(last, 10)
        for view, tables in ((Pauses(), [PAUSES]), (Rates(), Rates.tables)):
            live = await content(engine, *tables)
            rebuilt = await rebuild(log, engine, view, filters=FILTERS, folder=tmp_path)
            assert (rebuilt.digest, rebuilt.live_digest, rebuilt.switched) == (live, live, False)
            assert rebuilt.seq == last
            assert rebuilt.rows == 7
    assert left_over(tmp_path) == []


async def test_damaged_rows_are_replaced(log: EventLog, engine: AsyncEngine, tmp_path: Path) -> None:
    """Rows that differ from what the log says are found and mended, and projection goes on behind them."""
    last = await write(log, 60)
    async with running(projector(log, engine)) as one:
        await one.wait_for(last, 10)
    async with engine.begin() as conn:
        await conn.execute(PAUSES.delete().where(PAUSES.c.mailing == "m3"))
    assert (await rebuild(log, engine, Pauses(), filters=FILTERS, folder=tmp_path)).switched
    last = await write(log, 60, seed=2)
    async with running(projector(log, engine)) as one:
        await one.wait_for(last, 10)
    assert await content(engine) == await made_at_once(log, tmp_path, last)


async def test_a_switch_does_not_disturb_the_running_projector(
    log: EventLog, engine: AsyncEngine, tmp_path: Path
) -> None:
    """While commits keep coming, rebuilt rows take their place and the projector goes on without gap or repetition."""
    await write(log, 300)
    async with running(projector(log, engine, batch=20)) as one:
        await one.wait_for(300, 10)
        async with engine.begin() as conn:
            await conn.execute(PAUSES.update().values(events=0))
        rebuilding = asyncio.create_task(rebuild(log, engine, Pauses(), filters=FILTERS, folder=tmp_path))
        while not rebuilding.done():
            last = await append(log, [MailingPaused(reason="meanwhile"), MailingResumed()], "evt.mailing.m1")
            await one.wait_for(last, 10)
        rebuilt = await rebuilding
        assert rebuilt.switched
        assert 300 < rebuilt.seq <= last
        await one.wait_for(last, 10)
        assert one.paused == {}
    assert await content(engine) == await made_at_once(log, tmp_path, last)


async def test_a_view_that_was_paused_by_a_bug_is_rebuilt_without_it(
    log: EventLog, engine: AsyncEngine, tmp_path: Path
) -> None:
    """The mended program rebuilds the view; a projector that still runs takes it up again behind the rebuilt rows."""
    last = await write(log, 80)
    view = Pauses(spoil_from(30))
    async with running(projector(log, engine, view, Rates())) as one:
        await until(lambda: one.paused)
        rebuilt = await rebuild(log, engine, Pauses(), filters=FILTERS, folder=tmp_path)
        assert rebuilt.switched
        assert rebuilt.live_digest == ""
        await until(lambda: not one.paused)
        last = await write(log, 20, seed=2)
        await one.wait_for(last, 10)
    assert await content(engine) == await made_at_once(log, tmp_path, last)


async def test_a_view_that_cannot_be_computed_leaves_the_live_one_alone(
    log: EventLog, engine: AsyncEngine, tmp_path: Path
) -> None:
    """A rebuild that meets a commit it cannot apply says so and changes nothing."""
    last = await write(log, 50)
    async with running(projector(log, engine)) as one:
        await one.wait_for(last, 10)
    before = await content(engine)
    with pytest.raises(EventLogError, match="a bug"):
        await rebuild(log, engine, Pauses(spoil_from(20)), filters=FILTERS, folder=tmp_path)
    assert await content(engine) == before
    assert (await checkpoint(engine, "pauses")).state == "live"


async def test_an_interrupted_rebuild_goes_on_where_it_was(log: EventLog, engine: AsyncEngine, tmp_path: Path) -> None:
    """What was computed before the interruption is not computed again."""
    last = await write(log, 100)
    async with running(projector(log, engine)) as one:
        await one.wait_for(last, 10)
    with pytest.raises(EventLogError):
        await rebuild(log, engine, Pauses(spoil_from(70)), filters=FILTERS, folder=tmp_path)
    seen: list[int] = []
    noting = Pauses(lambda commit: seen.append(commit.seq))
    rebuilt = await rebuild(log, engine, noting, filters=FILTERS, folder=tmp_path)
    assert min(seen) >= 70
    assert not rebuilt.switched


async def test_a_new_version_brings_new_tables(log: EventLog, engine: AsyncEngine, tmp_path: Path) -> None:
    """Rebuilding under a new definition replaces the table itself, and the new program starts from there."""

    class Newer(Pauses):
        version = 2
        tables: ClassVar = [
            Table("pauses", MetaData(), Column("mailing", String, primary_key=True), Column("seen", Integer))
        ]

        async def apply(self, conn: AsyncConnection, commits: list[Commit]) -> None:  # type: ignore[override]
            table = self.tables[0]
            for commit in commits:
                await conn.execute(table.delete().where(table.c.mailing == commit.subject))
                await conn.execute(table.insert().values(mailing=commit.subject, seen=commit.seq))

    last = await write(log, 50)
    async with running(projector(log, engine)) as one:
        await one.wait_for(last, 10)
    newer: View = Newer()  # type: ignore[assignment]
    assert (await rebuild(log, engine, newer, filters=FILTERS, folder=tmp_path)).switched
    last = await write(log, 5, seed=2)
    async with running(projector(log, engine, newer, Rates())) as one:
        await one.wait_for(last, 10)
        assert one.paused == {}
    async with reading(engine).connect() as conn:
        assert len((await conn.execute(select(Newer.tables[0]))).all()) == 7
