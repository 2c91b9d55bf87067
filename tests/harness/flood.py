"""A flood: a process of its own that asks for the same paths over 32 connections as fast as it is answered."""

import asyncio
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import cast

CONNECTIONS = 32
_AT_ONCE = 8


class Flood:
    """What came of it, once it has ended."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.rate = 0.0


@contextmanager
def flooding(port: int, paths: Sequence[str]) -> Iterator[Flood]:
    """Flood a port of this machine; on leaving, the flood ends and tells how many answers a second it got."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.harness.flood", str(port), *paths], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    flood = Flood(process.pid)
    try:
        process.stdout.readline()  # it has begun
        yield flood
        process.send_signal(signal.SIGTERM)
        flood.rate = float(process.stdout.read())
    finally:
        process.kill()
        process.wait()


class _Asker(asyncio.Protocol):
    """One connection, on which some requests are sent at once and the next when all of them are answered."""

    answers = 0

    def __init__(self, requests: list[bytes]) -> None:
        self._requests = requests
        self._owed = 0
        self._next = 0
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._ask()

    def _ask(self) -> None:
        assert self._transport is not None
        some = [self._requests[(self._next + place) % len(self._requests)] for place in range(_AT_ONCE)]
        self._next += _AT_ONCE
        self._owed += _AT_ONCE
        self._transport.write(b"".join(some))

    def data_received(self, data: bytes) -> None:
        got = data.count(b"HTTP/1.1 ")
        _Asker.answers += got
        self._owed -= got
        if self._owed <= 0:
            self._ask()


async def _flood(port: int, paths: list[str]) -> None:
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    requests = [f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode() for path in paths]
    for place in range(CONNECTIONS):
        asker = partial(_Asker, requests[place % len(requests) :] + requests)
        await loop.create_connection(asker, "127.0.0.1", port)
    began = time.monotonic()
    sys.stdout.write("begun\n")
    sys.stdout.flush()
    await stop.wait()
    sys.stdout.write(str(_Asker.answers / (time.monotonic() - began)))


if __name__ == "__main__":
    import uvloop

    uvloop.run(_flood(int(sys.argv[1]), sys.argv[2:]))
