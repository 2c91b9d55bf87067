"""The laws of projection: whatever the batches, crashes and rivals, the same log gives the same tables."""

import asyncio
import contextlib
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.ext.asyncio import AsyncEngine

from shared.eventlog.connection import connect
from shared.eventlog.projector import Projector
from shared.eventlog.store import EventLog
from shared.eventlog.tail import Tail
from shared.eventlog.views import View, names_of, select
from shared.eventlog.writer import Writer
from tests.harness.databases import KINDS, database_of
from tests.harness.nats import NatsServer
from tests.integration.eventlog.toys import Crash, Pauses, Rates, content, projector, write

COMMITS = 150


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """Yield the URL of a server with a history, and the hash of the tables made from it in one go."""
    server = NatsServer(tmp_path_factory.mktemp("laws")).start()

    async def prepare() -> str:
        nc = await connect(server.url, name="laws")
        await nc.jetstream().add_stream(name="EVENTS", subjects=["evt.>"], allow_direct=True)
        log = EventLog(nc)
        last = await write(log, COMMITS)
        async with emptied("sqlite") as engine:
            task = asyncio.create_task((one := projector(log, engine)).run())
            await one.wait_for(last, 10)
            task.cancel()
            digest = await content(engine)
        await nc.close()
        return digest

    yield server.url, asyncio.run(prepare())
    server.kill()


@contextlib.asynccontextmanager
async def emptied(kind: str) -> AsyncIterator[AsyncEngine]:
    """Yield an engine for a fresh database."""
    with tempfile.TemporaryDirectory() as folder, database_of(kind, Path(folder)) as database:
        engine = await database.fresh()
        yield engine
        await engine.dispose()


class CrashingRates(Rates):
    """Comes last in the transaction: at the chosen call the process ends with everything applied, nothing committed."""

    def __init__(self, calls: int) -> None:
        self.calls = calls

    async def apply(self, conn: object, commits: object) -> None:
        """Apply, then perhaps end."""
        await super().apply(conn, commits)  # type: ignore[arg-type]
        self.calls -= 1
        if self.calls == 0:
            raise Crash


def crashing(log: EventLog, engine: AsyncEngine, batch: int, where: str, call: int) -> Projector:
    """Return a projector whose process ends at the `call`-th commit of a batch, before or after it."""
    left = call

    async def told(_seq: int, _commits: object) -> None:
        nonlocal left
        left -= 1
        if left == 0 and where == "after":
            raise Crash

    rates = CrashingRates(call) if where == "before" else Rates()
    return projector(log, engine, Pauses(), rates, batch=batch, on_applied=told)


async def until_done(one: Projector, last: int) -> bool:
    """Run it until it is at the end (True) or crashed (False)."""
    run = asyncio.create_task(one.run())
    wait = asyncio.create_task(one.wait_for(last, 20))
    await asyncio.wait([run, wait], return_when=asyncio.FIRST_COMPLETED)
    crashed = run.done()
    for task in (run, wait):
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError, Crash):
            await task
    return not crashed


crashes = st.lists(
    st.tuples(st.integers(1, 60), st.sampled_from(["before", "after"]), st.integers(1, 4)), min_size=1, max_size=6
)


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(plan=crashes, last_batch=st.integers(1, 200))
def test_any_batching_and_any_crash_give_the_same_tables(
    kind: str, history: tuple[str, str], plan: list[tuple[int, str, int]], last_batch: int
) -> None:
    """Runs with any batch sizes that end before or just after a commit add up to the tables made in one go."""
    url, expected = history

    async def example() -> str:
        nc = await connect(url, name="laws")
        log = EventLog(nc)
        async with emptied(kind) as engine:
            for batch, where, call in plan:
                with contextlib.suppress(Crash):
                    await until_done(crashing(log, engine, batch, where, call), COMMITS)
            assert await until_done(projector(log, engine, batch=last_batch), COMMITS)
            digest = await content(engine)
        await nc.close()
        return digest

    assert asyncio.run(example()) == expected


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=6, deadline=None, suppress_health_check=list(HealthCheck))
@given(batches=st.lists(st.integers(1, 40), min_size=2, max_size=3))
def test_several_instances_at_once_are_as_good_as_one(kind: str, history: tuple[str, str], batches: list[int]) -> None:
    """Instances that race for every batch on one database leave the tables one of them would have made."""
    url, expected = history

    async def example() -> str:
        nc = await connect(url, name="laws")
        log = EventLog(nc)
        async with emptied(kind) as engine:
            rivals = [projector(log, engine, batch=batch) for batch in batches]
            assert all(await asyncio.gather(*(until_done(rival, COMMITS) for rival in rivals)))
            digest = await content(engine)
        await nc.close()
        return digest

    assert asyncio.run(example()) == expected


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_delivered_again_changes_nothing(kind: str, history: tuple[str, str]) -> None:
    """All commits given once more to tables that have them already leave every row as it was."""
    url, expected = history

    async def example() -> str:
        nc = await connect(url, name="laws")
        log = EventLog(nc)
        async with emptied(kind) as engine:
            views: list[View] = [Pauses(), Rates()]
            assert await until_done(projector(log, engine, *views, batch=50), COMMITS)
            writer = Writer(engine, views)
            await writer.prepare()
            tail = Tail(log, ["evt.>"], name="again", after=0)
            while tail.position < COMMITS:
                await writer.take([select(message, names_of(views)) for message in await tail.read(37, 5)])
            await tail.close()
            digest = await content(engine)
        await nc.close()
        return digest

    assert asyncio.run(example()) == expected
