"""Opens and clicks a second that are durable before they are answered, beside a bare answer of granian.

A real nats-server with fsync on every append, the tracker as its own process, load by `wrk` where it is installed, else
by raw sockets of a process of its own. Every recipient is another one; at the end the facts in the log are compared
with the answers. `p99_ms` is at the full load, where each of the connections asks again at once; `p99_ms_at_half` at
half of `WANTED`, where each of them rests for a random time: with equal rests they would all ask in the same moment.
"""

import asyncio
import json
import random
import re
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import cast

import uvloop

from deploy.apply import apply
from shared.contracts import subjects
from shared.contracts.engagement import HitsRecorded
from shared.eventlog.connection import connect
from shared.eventlog.store import EventLog
from tests.benchmark.outcome import Outcome, Spent, Yardstick, emit
from tests.benchmark.usage import peak_mib
from tests.harness.nats import NatsServer, free_port
from tests.harness.tracker import TrackerProcess, click, pixel
from tests.harness.waiting import until

CONNECTIONS = 256
SECONDS = 4.0
PATHS = 60_000
WANTED = 8_500
"""What a tracker is to take in a second."""

_BARE = """
import asyncio, sys
from granian.constants import HTTPModes, Interfaces
from granian.server.embed import Server
from services.tracker.opens import GIF
START = {"type": "http.response.start", "status": 200,
         "headers": [(b"content-type", b"image/gif"), (b"content-length", b"43"), (b"cache-control", b"no-store")]}
async def app(scope, receive, send):
    await send(START)
    await send({"type": "http.response.body", "body": GIF})
import uvloop
uvloop.run(Server(app, port=int(sys.argv[1]), interface=Interfaces.ASGINL, http=HTTPModes.http1, websockets=False,
                  backlog=2048, backpressure=2048, log_enabled=False).serve())
"""


@dataclass(frozen=True)
class Load:
    """What a load client saw."""

    answers: int
    seconds: float
    p99_ms: float

    @property
    def rate(self) -> float:
        """Answers a second."""
        return self.answers / self.seconds


def offer(port: int, paths: list[str], seconds: float, rate: float = 0) -> Load:
    """Ask for the paths in turn over many connections, as fast as can be or at about so many a second."""
    with tempfile.TemporaryDirectory() as folder:
        listed = Path(folder) / "paths"
        listed.write_text("\n".join(paths))
        if wrk := shutil.which("wrk"):
            return _by_wrk(wrk, port, listed, seconds, rate)
        arguments = [str(port), str(listed), str(seconds), str(_rest(rate))]
        command = [sys.executable, "-m", "tests.benchmark.hits", "--load", *arguments]
        seen = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)
        return Load(**seen)


def _rest(rate: float) -> float:
    """Return how long a connection rests on average, a tenth of its time being for the answer; 0: not at all."""
    return 0.9 * CONNECTIONS / rate if rate else 0.0


def _by_wrk(wrk: str, port: int, listed: Path, seconds: float, rate: float) -> Load:
    script = listed.with_suffix(".lua")
    pause = f"delay = function() return math.random(0, {round(2000 * _rest(rate))}) end\n" if rate else ""
    script.write_text(
        pause + f'local paths = {{}} for line in io.lines("{listed}") do paths[#paths + 1] = line end local i = 0\n'
        "request = function() i = i % #paths + 1 return wrk.format('GET', paths[i]) end\n"
    )
    duration = f"{max(1, int(seconds))}s"
    command = [wrk, "-t1", f"-c{CONNECTIONS}", f"-d{duration}", "--latency", "-s", str(script)]
    out = subprocess.run([*command, f"http://127.0.0.1:{port}"], check=True, capture_output=True, text=True).stdout
    answered = re.search(r"(\d+) requests in ([\d.]+)s", out)
    late = re.search(r"99%\s+([\d.]+)(us|ms|s)", out)
    assert answered is not None
    assert late is not None
    return Load(int(answered[1]), float(answered[2]), float(late[1]) * {"us": 0.001, "ms": 1.0, "s": 1000.0}[late[2]])


class _Asker(asyncio.Protocol):
    """One connection with one request under way; its cost is small against the server's."""

    def __init__(self, requests: list[bytes], first: int, took: list[float], pause: float) -> None:
        self._requests = requests
        self._pause = pause
        self._next = first
        self._took = took
        self._transport: asyncio.Transport | None = None
        self._sent = 0.0
        self.going = True

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._ask()

    def _ask(self) -> None:
        assert self._transport is not None
        self._next = (self._next + CONNECTIONS) % len(self._requests)
        self._sent = time.perf_counter()
        self._transport.write(self._requests[self._next])

    def data_received(self, data: bytes) -> None:
        if not data.startswith(b"HTTP/1.1 "):  # the rest of an answer that came in two parts
            return
        assert data[9:12] in (b"200", b"302"), data
        self._took.append(time.perf_counter() - self._sent)
        if self.going and self._pause:
            asyncio.get_running_loop().call_later(random.uniform(0, 2 * self._pause), self._ask)
        elif self.going:
            self._ask()


async def _load(port: int, listed: str, seconds: float, pause: float) -> None:
    paths = Path(listed).read_text().splitlines()  # noqa: ASYNC240 - nothing else runs yet
    requests = [
        f"GET {path} HTTP/1.1\r\nHost: x\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64) Firefox/150.0\r\n\r\n".encode()
        for path in paths
    ]
    took: list[float] = []
    loop = asyncio.get_running_loop()
    started = time.perf_counter()
    askers = [
        (await loop.create_connection(partial(_Asker, requests, first, took, pause), "127.0.0.1", port))[1]
        for first in range(CONNECTIONS)
    ]
    await asyncio.sleep(seconds)
    for asker in askers:
        asker.going = False
    answers, elapsed = len(took), time.perf_counter() - started
    late = sorted(took)[int(len(took) * 0.99)] * 1000
    sys.stdout.write(json.dumps({"answers": answers, "seconds": elapsed, "p99_ms": late}))


async def _listens(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:  # not yet
        return False
    writer.close()
    return True


async def _bare(seconds: float) -> Load:
    port = free_port()
    process = subprocess.Popen(  # noqa: ASYNC220 - forks in a millisecond
        [sys.executable, "-c", _BARE, str(port)]
    )
    try:
        await until(lambda: _listens(port), 30)
        return await asyncio.to_thread(offer, port, [f"/o/{number}.gif" for number in range(PATHS)], seconds)
    finally:
        process.kill()
        process.wait()


async def _facts(log: EventLog) -> int:
    found: set[str] = set()
    async for commits in log.scan([subjects.ALL_ENGAGEMENT]):
        for commit in commits:
            for record in commit.events:
                assert isinstance(record.event, HitsRecorded)
                found.update(hit.id for hit in record.event.hits)
    return len(found)


async def run(seconds: float = SECONDS) -> None:
    """Measure bare answers, opens and clicks, one after the other."""
    with tempfile.TemporaryDirectory() as folder:
        server = NatsServer(Path(folder) / "nats").start()
        tracker = TrackerProcess(server.url, Path(folder) / "tracker")
        try:
            nc = await connect(server.url, name="bench")
            await apply(nc)
            log = EventLog(nc)
            await tracker.start()
            yardstick = await _bare(seconds)
            kinds = {
                "hits_opens": [pixel(n=number // 500, index=number % 500) for number in range(PATHS)],
                "hits_clicks": [
                    click("https://shop.example.com/offer", n=number // 500, index=number % 500)
                    for number in range(PATHS)
                ],
            }
            for name, paths in kinds.items():
                before, commits = await _facts(log), (await log.bounds()).last_seq
                cpu = tracker.cpu_seconds()
                load = await asyncio.to_thread(offer, tracker.port, paths, seconds)
                cpu = tracker.cpu_seconds() - cpu
                commits = (await log.bounds()).last_seq - commits
                facts = await _facts(log) - before
                half = await asyncio.to_thread(offer, tracker.port, paths, seconds, WANTED / 2)
                more: dict[str, object] = {
                    "p99_ms": load.p99_ms,
                    "p99_ms_at_half": half.p99_ms,
                    "half": half.rate,
                    "connections": CONNECTIONS,
                    "answers": load.answers,
                    "cpu_us_a_hit": cpu / load.answers * 1e6,
                    "facts": facts,
                    "hits_a_commit": load.answers / max(commits, 1),
                    "spool_unused": await tracker.spool_is_empty(),
                }
                bare = Yardstick("bare answer of granian", yardstick.rate)
                spent = {"tracker": Spent(cpu, peak_mib(tracker.pid))}
                emit(Outcome(name, load.rate, "hits/s", bare, load.rate / yardstick.rate, spent, more))
            await nc.close()
        finally:
            tracker.kill()
            server.kill()


if __name__ == "__main__":
    uvloop.run(
        _load(int(sys.argv[2]), sys.argv[3], float(sys.argv[4]), float(sys.argv[5]))
    )  # the load client, a process of its own
