"""Replaying the log into an empty database with all views of reporting, beside reading the same log and nothing else.

A real installation sends one mailing first; its recipients open nothing, so the log holds plans, claims and outcomes.
Then the projector of reporting runs anew over the whole log, in a process with nothing else to do. It counts only if
every table holds the same rows as the live one, by their hash.
"""

import asyncio
import tempfile
import time
from pathlib import Path

from sqlalchemy.ext.asyncio import AsyncEngine

from services.reporting import tables
from services.reporting.views import VIEWS
from shared.contracts import subjects
from shared.database import create_tables, open_engine, reading
from shared.eventlog.projector import Projector
from shared.eventlog.rebuild import table_hash
from shared.eventlog.tail import Tail
from shared.eventlog.views import tables_of
from tests.benchmark import shop
from tests.benchmark.outcome import Outcome, Spent, Yardstick, emit
from tests.benchmark.pipeline import CONNECTIONS, send
from tests.benchmark.plant import Plant
from tests.benchmark.usage import peak_mib

RECIPIENTS = 50_000
_BATCH = 500
_PATIENCE = 120.0


async def run(recipients: int = RECIPIENTS) -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory(prefix="posthaste-bench-") as name:
        folder = Path(name)
        await asyncio.to_thread(folder.chmod, 0o755)  # the sink gives up root
        async with Plant(folder) as plant:
            await plant.contacts(shop.write_csv(folder / "contacts.csv", recipients), "contacts")
            await send(plant, await plant.account(CONNECTIONS), "contacts")
            await plant.local.down("planner")  # nothing is appended from here on
            await plant.local.down("sender")
            live = open_engine(f"sqlite:///{plant.local.folder.path / 'reporting.sqlite3'}")
            fresh = open_engine(f"sqlite:///{folder / 'fresh.sqlite3'}")
            try:
                await _measure(plant, live, fresh, recipients)
            finally:
                await live.dispose()
                await fresh.dispose()


async def _measure(plant: Plant, live: AsyncEngine, fresh: AsyncEngine, recipients: int) -> None:
    last = (await plant.log.bounds()).last_seq
    bare = await _read(plant, last)
    await create_tables(fresh, tables.metadata)
    projector = Projector(plant.log, fresh, VIEWS, durable="bench-replay", filters=[subjects.ALL_EVENTS], batch=_BATCH)
    began, cpu = time.perf_counter(), time.process_time()
    task = asyncio.create_task(projector.run())
    await projector.wait_for(last, _PATIENCE)
    seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
    task.cancel()
    await asyncio.wait([task])
    for view in VIEWS:
        if await _hash(live, view.name) != await _hash(fresh, view.name):
            raise RuntimeError(f"the rows of {view.name} are not those of the live view")
    rate = last / seconds
    emit(
        Outcome(
            "replay",
            rate,
            "commits/s",
            Yardstick("reading the same log", last / bare),
            rate / (last / bare),
            {"projector": Spent(cpu, peak_mib(_own_pid()))},
            {"mails_per_second": recipients / seconds, "commits": last, "views": len(VIEWS), "equal_to_live": True},
        )
    )


def _own_pid() -> int:
    return int(Path("/proc/self").resolve().name)


async def _read(plant: Plant, last: int) -> float:
    """Read the log from end to end the way the projector does; return the seconds."""
    tail = Tail(plant.log, [subjects.ALL_EVENTS], name="bench-read", after=0)
    began = time.perf_counter()
    while tail.position < last:
        await tail.read(_BATCH, 1.0)
    seconds = time.perf_counter() - began
    await tail.close()
    return seconds


async def _hash(engine: AsyncEngine, name: str) -> str:
    view = next(view for view in VIEWS if view.name == name)
    async with reading(engine).connect() as conn:
        return await table_hash(conn, tables_of(view))
