"""How fast the event log is on this machine, with fsync on every append, beside the bare disk.

Checked commits of 2 KB by the number of concurrent writers, the writer's CPU for each, and how long loads, leader reads
and scans take. The yardstick appends as many bytes to one file with fdatasync after each, one at a time: the server
makes one sync serve several writers.
"""

import asyncio
import json
import os
import tempfile
import time
from pathlib import Path

from nats.aio.client import Client

from deploy.streams import STREAMS
from shared.clock import now
from shared.contracts.envelope import DomainEvent, Origin
from shared.contracts.sending import Group, RecipientsClaimed, RecipientsSettled
from shared.eventlog.connection import connect
from shared.eventlog.store import EventLog
from shared.ids import new_id
from tests.benchmark.outcome import Outcome, Yardstick, emit
from tests.harness.nats import NatsCluster, NatsServer

WRITERS = (1, 20, 50, 200)
COMMITS = 5000
SYNCS = 1000


def _events() -> list[DomainEvent]:
    """Return a half-window of 25 settled and claimed recipients, filled up to about 2 KB."""
    group = Group(
        outcome="accepted",
        indexes="0-24",
        code=250,
        enhanced="2.0.0",
        text="Ok: queued as *",
        queue_ids=[new_id(11) for _ in range(25)],
        at=list(range(100, 125)),
    )
    return [
        RecipientsSettled(groups=[group], base=1_790_000_000_000),
        RecipientsClaimed(indexes="25-49", digests="A" * 1000, date=1_790_000_000),
    ]


async def _write(log: EventLog, subject: str, events: list[DomainEvent], count: int) -> None:
    last = 0
    for _ in range(count):
        origin = Origin(new_id(), "sender", now(), correlation_id="m" * 12)
        last = await log.append(subject, events, expected=last, origin=origin)


async def _create(nc: Client, replicas: int) -> None:
    config = next(stream.config for stream in STREAMS if stream.name == "EVENTS")
    body = json.dumps({**config, "name": "EVENTS", "num_replicas": replicas}).encode()
    answer = json.loads((await nc.request("$JS.API.STREAM.CREATE.EVENTS", body, timeout=10)).data)
    assert "error" not in answer, answer


def _bare(folder: Path) -> float:
    """Return the durable appends a second that one file takes."""
    file = os.open(folder / "bare", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    begin = time.perf_counter()
    for _ in range(SYNCS):
        os.write(file, b"x" * 2048)
        os.fdatasync(file)
    seconds = time.perf_counter() - begin
    os.close(file)
    return SYNCS / seconds


async def _appends(log: EventLog, bare: float) -> str:
    """Measure appends; return the beginning of the subjects of the last ones."""
    events, subject = _events(), ""
    for writers in WRITERS:
        each, subject = max(1, COMMITS // max(writers, 5)), f"evt.chunk.{new_id()}."
        cpu, begin = time.process_time(), time.perf_counter()
        await asyncio.gather(*(_write(log, f"{subject}{n}", events, each) for n in range(writers)))
        total, wall = each * writers, time.perf_counter() - begin
        cpu = (time.process_time() - cpu) / total * 1e6
        yardstick = Yardstick("fdatasync of 2 KB", bare)
        more: dict[str, object] = {"writers": writers, "writer_cpu_us": cpu}
        emit(Outcome("eventlog_append", total / wall, "appends/s", yardstick, total / wall / bare, more=more))
    return subject


async def _reads(log: EventLog, subject: str) -> None:
    begin = time.perf_counter()
    for n in range(100):
        await log.load(f"{subject}{n}")
    loading = (time.perf_counter() - begin) * 10
    emit(Outcome("eventlog_load", loading, "ms", more={"commits": COMMITS // WRITERS[-1]}))
    begin = time.perf_counter()
    for _ in range(300):
        await log.last_seq("evt.chunk.*.*")
    emit(Outcome("eventlog_leader_read", (time.perf_counter() - begin) / 0.3, "ms"))
    begin, count = time.perf_counter(), 0
    async for commits in log.scan(["evt.>"]):
        count += len(commits)
    emit(Outcome("eventlog_scan", count / (time.perf_counter() - begin), "commits/s"))


async def run(servers: int = 1) -> None:
    """Measure and print, on one server or three."""
    with tempfile.TemporaryDirectory(prefix="eventlog-") as name:
        folder = Path(name)
        bare = _bare(folder)
        running = (NatsCluster(folder) if servers == 3 else NatsServer(folder)).start()
        nc = await connect(running.url, name="benchmark")
        try:
            await _create(nc, servers)
            log = EventLog(nc)
            await _reads(log, await _appends(log, bare))
        finally:
            await nc.close()
            running.stop()
