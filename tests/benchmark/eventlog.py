"""How fast the event log is on this machine, with fsync on every append: `python -m tests.benchmark.eventlog [three]`.

Prints appends a second of checked commits of 2 KB by the number of concurrent writers, the writer's CPU for each, and
how long loads, leader reads and scans take.
"""

import asyncio
import json
import sys
import tempfile
import time
from pathlib import Path

import uvloop
from nats.aio.client import Client

from deploy.streams import STREAMS
from shared.clock import now
from shared.contracts.envelope import DomainEvent, Origin
from shared.contracts.sending import Group, RecipientsClaimed, RecipientsSettled
from shared.eventlog.connection import connect
from shared.eventlog.store import EventLog
from shared.ids import new_id
from tests.harness.nats import NatsCluster, NatsServer

WRITERS = (1, 20, 50, 200)
COMMITS = 5000


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


def _report(line: str) -> None:
    sys.stdout.write(line + "\n")


async def _measure(log: EventLog) -> None:
    events, subject = _events(), ""
    for writers in WRITERS:
        each, subject = max(1, COMMITS // max(writers, 5)), f"evt.chunk.{new_id()}."
        cpu, begin = time.process_time(), time.perf_counter()
        await asyncio.gather(*(_write(log, f"{subject}{n}", events, each) for n in range(writers)))
        total, wall = each * writers, time.perf_counter() - begin
        cpu = (time.process_time() - cpu) / total * 1e6
        _report(f"{writers:4} writers: {total / wall:7.0f} appends/s, {cpu:4.0f} us CPU of the writer each")
    begin = time.perf_counter()
    for n in range(100):
        await log.load(f"{subject}{n}")
    _report(f"load of {COMMITS // WRITERS[-1]} commits: {(time.perf_counter() - begin) * 10:.1f} ms")
    begin = time.perf_counter()
    for _ in range(300):
        await log.last_seq("evt.chunk.*.*")
    _report(f"leader read: {(time.perf_counter() - begin) / 0.3:.2f} ms")
    begin, count = time.perf_counter(), 0
    async for commits in log.scan(["evt.>"]):
        count += len(commits)
    _report(f"scan: {count / (time.perf_counter() - begin):.0f} commits/s")


async def _main() -> None:
    with tempfile.TemporaryDirectory(prefix="eventlog-") as folder:
        three = "three" in sys.argv[1:]
        servers = (NatsCluster(Path(folder)) if three else NatsServer(Path(folder))).start()
        nc = await connect(servers.url, name="benchmark")
        try:
            await _create(nc, 3 if three else 1)
            await _measure(EventLog(nc))
        finally:
            await nc.close()
            servers.stop()


if __name__ == "__main__":
    uvloop.run(_main())
