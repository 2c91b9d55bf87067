"""Postfix beside us: `smtp-sink` takes the mails and counts them, `smtp-source` is the yardstick.

Both are small C programs made to find out how fast SMTP can be; the sink has room for one processor and costs the same
for whoever sends. Debian has them in the package postfix; where they are missing and we may, it is installed.
"""

import asyncio
import os
import re
import shutil
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from tests.harness.nats import free_port
from tests.harness.waiting import until

_BACKLOG = 1000
_TAIL = 200


class MissingToolError(RuntimeError):
    """A program of Postfix is not there and cannot be installed."""


def tool(name: str) -> str:
    """Return the path of a program of Postfix; installs the package where it is missing and we are root."""
    places = os.environ.get("PATH", "") + ":/usr/sbin"
    if (found := shutil.which(name, path=places)) is None and os.geteuid() == 0 and shutil.which("apt-get"):
        quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        for command in (["update"], ["install", "-y", "--no-install-recommends", "postfix"]):
            subprocess.run(["apt-get", "-qq", *command], env=quiet, check=False, stdout=subprocess.DEVNULL)
        found = shutil.which(name, path=places)
    if found is None:
        raise MissingToolError(f"{name} is missing: install the Debian package postfix")
    return found


class Sink:
    """A running `smtp-sink`; every mail it has taken is in its counter."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self._counters = folder / f"sink-{self.port}.out"
        user = ["-u", "postfix"] if os.geteuid() == 0 else []
        with self._counters.open("wb") as out:
            self._process = subprocess.Popen(
                [tool("smtp-sink"), "-c", *user, f"127.0.0.1:{self.port}", str(_BACKLOG)], stdout=out
            )

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    async def ready(self) -> "Sink":
        """Wait until it listens."""
        await until(self._listens)
        return self

    async def _listens(self) -> bool:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", self.port)
        except OSError:  # not yet
            return False
        writer.close()
        return True

    def taken(self) -> int:
        """Return how many mails it has taken since it started."""
        with self._counters.open("rb") as out:
            out.seek(max(0, self._counters.stat().st_size - _TAIL))
            counts = re.findall(rb"mesg=(\d+)[ \r]", out.read())
        return int(counts[-1]) if counts else 0

    def stop(self) -> None:
        """End it."""
        self._process.kill()
        self._process.wait()


@dataclass(frozen=True)
class Source:
    """`smtp-source` with persistent connections, the way we send too."""

    mails: int
    size: int
    connections: int

    async def rate(self, sink: Sink) -> float:
        """Send and return the mails a second."""
        before = sink.taken()
        began = time.perf_counter()
        process = await asyncio.create_subprocess_exec(
            tool("smtp-source"),
            *("-d", "-s", str(self.connections), "-l", str(self.size), "-m", str(self.mails)),
            *("-f", "news@example.com", "-t", "person@example.org", f"127.0.0.1:{sink.port}"),
        )
        if await process.wait():
            raise RuntimeError("smtp-source failed")
        seconds = time.perf_counter() - began
        await until(lambda: sink.taken() - before >= self.mails)
        return self.mails / seconds
