"""What a projector does when something is wrong: with a commit, the log, the database, the server."""

import asyncio
import contextlib
import shutil
import sqlite3
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from nats.aio.client import Client
from sqlalchemy.ext.asyncio import AsyncEngine

from shared.contracts.account import Limits
from shared.contracts.envelope import Commit
from shared.contracts.mailing import MailingPaused, MailingResumed, RateChanged
from shared.database import open_engine, reading
from shared.eventlog import checkpoints
from shared.eventlog.checkpoints import Checkpoint
from shared.eventlog.errors import EventLogError, HistoryGapError, LogBehindViewError, ViewOutdatedError
from shared.eventlog.projector import Projector
from shared.eventlog.store import EventLog
from tests.harness.databases import KIND
from tests.harness.nats import NatsServer
from tests.harness.postgres import shared_server
from tests.harness.waiting import until
from tests.integration.eventlog.toys import PAUSES, RATES, Pauses, Rates, append, content, projector, write


@contextlib.asynccontextmanager
async def running(one: Projector) -> AsyncIterator[Projector]:
    """Run it in the background."""
    task = asyncio.create_task(one.run())
    try:
        yield one
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def checkpoint(engine: AsyncEngine, name: str) -> Checkpoint:
    """Return the checkpoint of a view."""
    async with reading(engine).connect() as conn:
        found = await checkpoints.read(conn, name)
    assert found
    return found


async def made_at_once(log: EventLog, folder: Path, last: int) -> str:
    """Return the hash of the tables that a projector makes without any trouble."""
    engine = open_engine(f"sqlite:///{folder / 'reference.sqlite3'}")
    async with running(projector(log, engine)) as one:
        await one.wait_for(last, 20)
    digest = await content(engine)
    await engine.dispose()
    return digest


def spoil_from(seq: int) -> Callable[[Commit], None]:
    """Return a bug that shows at one commit."""

    def spoil(commit: Commit) -> None:
        if commit.seq == seq:
            raise ZeroDivisionError("a bug")

    return spoil


async def test_a_poison_commit_pauses_only_its_view(log: EventLog, engine: AsyncEngine, tmp_path: Path) -> None:
    """The view that raises stands before the commit and says why, the other goes on; after the fix all is well."""
    last = await write(log, 40)
    poison = await append(log, [MailingPaused(reason="x"), RateChanged(limits=Limits())])
    await write(log, 40, seed=2)
    last = await append(log, [MailingResumed(), RateChanged(limits=Limits())])
    view = Pauses(spoil_from(poison))
    async with running(projector(log, engine, view, Rates(), batch=15)) as one:
        await one.wait_for(last, 10)
        assert "a bug" in one.paused["pauses"]
        paused = await checkpoint(engine, "pauses")
        assert (paused.seq, paused.state, paused.failed_seq) == (poison - 1, "paused", poison)
        assert f"seq {poison} on evt.mailing.m0" in paused.reason
        assert (await checkpoint(engine, "rates")).seq == last
        view.spoil = lambda _commit: None
        await one.resume("pauses")
        await until(lambda: not one.paused)
        await one.wait_for(last, 10)
    assert (await checkpoint(engine, "pauses")).state == "live"
    assert await content(engine) == await made_at_once(log, tmp_path, last)


async def test_a_paused_view_is_tried_again_at_the_next_start(
    log: EventLog, engine: AsyncEngine, tmp_path: Path
) -> None:
    """A program that can apply the commit takes the view up where it stood."""
    last = await write(log, 60)
    async with running(projector(log, engine, Pauses(spoil_from(20)), Rates())) as one:
        await until(lambda: one.paused)
    async with running(projector(log, engine)) as one:
        await one.wait_for(last, 10)
    assert await content(engine) == await made_at_once(log, tmp_path, last)


async def test_an_event_from_the_future_pauses_the_views_that_handle_its_type(
    log: EventLog, engine: AsyncEngine, nc: Client
) -> None:
    """A newer version pauses, never skips; a type that no view handles is passed over; garbage pauses all."""
    event = '[{"id": "x.0", "type": "%s", "source": "s", "time": "2026-01-01T00:00:00Z", "data": {}}]'
    await nc.jetstream().publish("evt.mailing.m0", (event % "mailing.invented/1").encode())
    async with running(projector(log, engine)) as one:
        await one.wait_for(1, 5)
        assert one.paused == {}
        await nc.jetstream().publish("evt.mailing.m0", (event % "mailing.rate_changed/2").encode())
        last = await append(log, [MailingResumed()])
        await until(lambda: one.paused)
        await one.wait_for(last, 5)
        assert list(one.paused) == ["rates"]
        assert "mailing.rate_changed/2" in (await checkpoint(engine, "rates")).reason
        await nc.jetstream().publish("evt.mailing.m0", b"garbage")
        await until(lambda: len(one.paused) == 2)
        assert (await checkpoint(engine, "pauses")).seq == last


async def test_what_another_instance_got_past_is_no_obstacle(log: EventLog, engine: AsyncEngine) -> None:
    """During an upgrade the newer program goes on with a view that the older one paused, and the older follows."""
    await write(log, 30)
    async with running(projector(log, engine, Pauses(spoil_from(10)), Rates())) as older:
        await until(lambda: older.paused)
        async with running(projector(log, engine)) as newer:
            await newer.wait_for(30, 5)
            await until(lambda: not older.paused)
            assert (await checkpoint(engine, "pauses")).state == "live"


async def test_removed_history_refuses_the_start(log: EventLog, engine: AsyncEngine, nc: Client) -> None:
    """A view that would miss commits is not continued."""
    await write(log, 10)
    async with running(projector(log, engine)) as one:
        await one.wait_for(10, 5)
    await write(log, 10, seed=2)
    await nc.jetstream().purge_stream("EVENTS", keep=5)
    with pytest.raises(HistoryGapError, match="begins at seq 16, the reader is at 10"):
        await projector(log, engine).run()


async def test_a_log_behind_the_view_refuses_the_start(log: EventLog, engine: AsyncEngine, nc: Client) -> None:
    """A log that is shorter than the view, or holds another event at its checkpoint, is another log."""
    await write(log, 10)
    async with running(projector(log, engine)) as one:
        await one.wait_for(10, 5)
    for commits, complaint in ((4, "ends at seq 4"), (12, "seq 10 of the log holds")):
        await nc.jetstream().delete_stream("EVENTS")
        await nc.jetstream().add_stream(name="EVENTS", subjects=["evt.>"], allow_direct=True)
        await write(log, commits, seed=3)
        one = projector(log, engine)
        with pytest.raises(LogBehindViewError, match=complaint):
            await one.run()
        with pytest.raises(EventLogError, match="stopped"):
            await one.wait_for(1, 5)


async def test_another_version_of_a_view_refuses_the_start(log: EventLog, engine: AsyncEngine) -> None:
    """Tables of an older definition are never continued by a newer one."""

    class Newer(Pauses):
        version = 2

    await write(log, 3)
    async with running(projector(log, engine)) as one:
        await one.wait_for(3, 5)
    with pytest.raises(ViewOutdatedError, match="version 1"):
        await projector(log, engine, Newer(), Rates()).run()


async def test_the_checkpoint_is_the_truth_after_a_restore(log: EventLog, tmp_path: Path) -> None:
    """A database that was put back to an older copy is brought up to date from its own checkpoint."""
    path = tmp_path / "views.sqlite3"
    for count in (1, 2):
        engine = open_engine(f"sqlite:///{path}")
        last = await write(log, 30, seed=count)
        async with running(projector(log, engine)) as one:
            await one.wait_for(last, 5)
        await engine.dispose()
        if count == 1:
            await asyncio.to_thread(shutil.copy, path, tmp_path / "backup")
    await asyncio.to_thread(shutil.copy, tmp_path / "backup", path)
    engine = open_engine(f"sqlite:///{path}")
    async with running(projector(log, engine)) as one:
        await one.wait_for(last, 5)
    assert await content(engine) == await made_at_once(log, tmp_path, last)
    await engine.dispose()


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
async def test_a_locked_database_is_waited_for(log: EventLog, engine: AsyncEngine, tmp_path: Path) -> None:
    """While somebody else holds the database the batch is repeated, and no view is paused for it."""
    async with running(projector(log, engine)) as one:
        await one.wait_for(await write(log, 5), 5)
        async with engine.connect() as conn:
            await conn.exec_driver_sql("PRAGMA busy_timeout = 50")
        locker = sqlite3.connect(tmp_path / "views.sqlite3", isolation_level=None)
        locker.execute("BEGIN IMMEDIATE")
        last = await write(log, 20, seed=2)
        with pytest.raises(TimeoutError):
            await one.wait_for(last, 0.5)
        assert one.paused == {}
        locker.execute("COMMIT")
        locker.close()
        await one.wait_for(last, 10)
    assert await content(engine) == await made_at_once(log, tmp_path, last)


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
async def test_a_database_that_goes_away_is_waited_for(log: EventLog, engine: AsyncEngine, tmp_path: Path) -> None:
    """While PostgreSQL ends connections and takes none the batch is repeated, and no view is paused for it."""
    name = engine.url.database
    async with running(projector(log, engine)) as one:
        await one.wait_for(await write(log, 5), 5)
        away = f"ALTER DATABASE {name} ALLOW_CONNECTIONS false;"
        away += f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}';"  # noqa: S608
        await asyncio.to_thread(shared_server().sql, away)
        last = await write(log, 20, seed=2)
        with pytest.raises(TimeoutError):
            await one.wait_for(last, 0.5)
        assert one.paused == {}
        await asyncio.to_thread(shared_server().sql, f"ALTER DATABASE {name} ALLOW_CONNECTIONS true;")
        await one.wait_for(last, 10)
    assert await content(engine) == await made_at_once(log, tmp_path, last)


@pytest.mark.parametrize("database", [KIND], indirect=True)
async def test_a_killed_server_costs_nothing(
    nats_server: NatsServer, log: EventLog, engine: AsyncEngine, tmp_path: Path
) -> None:
    """Projection goes on by itself after the server died in the middle of it."""
    async with running(projector(log, engine, batch=7)) as one:
        for seed in (1, 2):
            writing = asyncio.create_task(write(log, 200, seed=seed))
            await until(lambda already=one.position: one.position > already + 40)  # type: ignore[misc]
            await asyncio.to_thread(nats_server.restart, kill=True)
            last = await writing
        await one.wait_for(last, 20)
    assert await content(engine) == await made_at_once(log, tmp_path, last)


async def test_waiting_for_a_commit_of_another_kind_ends_at_once(log: EventLog, engine: AsyncEngine) -> None:
    """A query that names a commit the views do not read gets all that came before it."""
    before = await write(log, 5)
    other = await append(log, [MailingResumed()], "evt.chunk.m0.1")
    async with running(projector(log, engine)) as one:
        await one.wait_for(other, 5)
        assert one.position == before


async def test_each_batch_is_told_once_it_is_in_the_tables(log: EventLog, engine: AsyncEngine) -> None:
    """Who listens hears of every commit in order, and finds it in the tables."""
    told: list[int] = []

    async def listen(seq: int, commits: object) -> None:
        assert (await checkpoint(engine, "rates")).seq >= seq
        told.extend(commit.seq for commit in commits)  # type: ignore[attr-defined]

    last = await write(log, 50)
    async with running(projector(log, engine, batch=8, on_applied=listen)) as one:
        await one.wait_for(last, 5)
        await until(lambda: len(told) == last)
    assert told == list(range(1, last + 1))


async def test_the_hash_of_tables_knows_rows_and_not_their_order(log: EventLog, engine: AsyncEngine) -> None:
    """The same rows in another order are the same content; one changed value is not."""
    last = await write(log, 20)
    async with running(projector(log, engine)) as one:
        await one.wait_for(last, 5)
    before = await content(engine, PAUSES)
    async with engine.begin() as conn:
        rows = [dict(row._mapping) for row in await conn.execute(PAUSES.select())]
        await conn.execute(PAUSES.delete())
        await conn.execute(PAUSES.insert(), rows[::-1])
    assert await content(engine, PAUSES) == before
    assert await content(engine, RATES) != before
    async with engine.begin() as conn:
        await conn.execute(PAUSES.update().where(PAUSES.c.mailing == "m1").values(events=PAUSES.c.events + 1))
    assert await content(engine, PAUSES) != before
