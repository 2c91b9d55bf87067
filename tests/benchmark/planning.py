"""Contacts a second through import, freezing and planning, with a server that syncs every append.

Rows a second of an import into an empty base and of the same file once more, recipients a second of freezing and of
planning (payload stored, ChunkPlanned appended), and the CPU of the process in us for each; the process holds the
planner and who asks it.
"""

import resource
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from deploy.apply import apply
from services.planner.settings import PlannerSettings
from shared.contracts import commands, subjects
from shared.contracts.sending import ChunkPlanned
from shared.eventlog.connection import connect
from shared.eventlog.documents import Documents
from shared.eventlog.store import EventLog
from shared.messaging.client import Client
from tests.benchmark.outcome import Outcome, Spent, emit
from tests.harness.nats import NatsServer
from tests.harness.waiting import until
from tests.integration.planner.conftest import Desk

_PART = 512_000
_ROWS = 5_000
_PATIENCE = 600.0
CONTACTS = 50_000


async def uploaded(desk: Desk, count: int, upload: str) -> int:
    """Put a file of so many contacts into INBOX without holding it; return the number of its parts."""
    inbox, held, parts = Documents(desk.nc, subjects.INBOX), b"email,name,city,age\n", 0
    for start in range(0, count, _ROWS):
        rows = range(start, min(start + _ROWS, count))
        held += "".join(f"user{at}@d{at % 97}.example,Jane Doe {at},Town {at % 50},{at % 90}\n" for at in rows).encode()
        while len(held) > _PART or (held and rows[-1] == count - 1):
            await inbox.put_once(subjects.upload_part(upload, parts), held[:_PART])
            held, parts = held[_PART:], parts + 1
    return parts


async def imported(desk: Desk, count: int, upload: str) -> None:
    """Import and wait for the end."""
    parts = await uploaded(desk, count, upload)
    await desk.do(commands.ImportContacts(upload=upload, parts=parts, list="readers"))

    async def ended() -> bool:
        return bool((await desk.ask(commands.ImportStatus(upload=upload)))["state"] != "running")

    await until(ended, _PATIENCE, every=0.05)


class Phases:
    """Rates and CPU by phase."""

    def __init__(self, count: int) -> None:
        self.found: dict[str, float] = {"contacts": count}
        self._count = count

    @asynccontextmanager
    async def phase(self, name: str) -> AsyncIterator[None]:
        """Measure what happens within."""
        begun, cpu = time.perf_counter(), time.process_time()
        yield
        self.found[f"{name}_s"] = self._count / (time.perf_counter() - begun)
        self.found[f"{name}_cpu_us"] = (time.process_time() - cpu) / self._count * 1e6


async def all_planned(desk: Desk, mailing: str, chunks: int) -> None:
    """Wait until all chunks are planned; where they are more than may be open, finish them as they come."""
    settled, after, many = 0, 0, chunks > desk.settings.most_open

    async def planned_all() -> bool:
        nonlocal settled, after
        async for commits in desk.log.scan([subjects.plans_of(mailing)], start=after + 1):
            for commit in commits:
                after, settled = commit.seq, settled + 1
                planned = commit.events[0].event
                if many and isinstance(planned, ChunkPlanned):
                    await desk.finish(planned)
        return settled >= chunks

    await until(planned_all, _PATIENCE, every=0.02)


async def measure(count: int, folder: Path) -> dict[str, float]:
    """Measure all of it."""
    server = NatsServer(folder / "nats").start()
    nc = await connect(server.url, name="benchmark")
    await apply(nc)
    settings = PlannerSettings(
        nats_url=server.url, data_dir=folder, secret_keys="s" * 32, address_pepper="p" * 32, most_open=1000
    )
    desk = Desk(nc, EventLog(nc), settings, Client(nc, "operator", seconds=600))
    await desk.answer_probes()
    await desk.up()
    phases = Phases(count)
    async with phases.phase("import"):
        await imported(desk, count, "u1")
    async with phases.phase("import_again"):
        await imported(desk, count, "u2")
    mailing = await desk.drafted()
    async with phases.phase("freeze"):
        chunks = (await desk.do(commands.FreezeAudience(mailing=mailing)))["chunks"]
    async with phases.phase("plan"):
        await desk.do(commands.ScheduleMailing(mailing=mailing))
        await all_planned(desk, mailing, chunks)
    phases.found["peak_mib"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    await desk.down()
    await nc.close()
    server.kill()
    return {name: round(value, 1) for name, value in phases.found.items()}


async def run(count: int = CONTACTS) -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as folder:
        found = await measure(count, Path(folder))
    cpu = sum(us for name, us in found.items() if name.endswith("_us")) * count / 1e6
    spent = {"planner and asker": Spent(cpu, found.pop("peak_mib"))}
    emit(Outcome("planning", found["plan_s"], "recipients/s", processes=spent, more=dict(found)))
