"""A tracker as a process of its own, and the tokens of a made-up mailing for it."""

import asyncio
import os
import signal
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

from shared.clock import now
from shared.keys import KeyRing
from shared.tokens import Signer, today
from tests.harness.forks import Forked, spawn
from tests.harness.nats import free_port
from tests.harness.waiting import until
from tests.harness.web import Web

SECRET = "tracker-tests-0123456789abcdefghijklmn"
PEPPER = "pepper-tests-0123456789abcdefghijklmno"
RING = KeyRing.of(SECRET, PEPPER)
SIGNER = Signer(RING)


@dataclass
class TrackerProcess:
    """`python -m services.tracker.app` on a free port; files stay in `data_dir` over restarts."""

    nats_url: str
    data_dir: Path
    environment: dict[str, str] = field(default_factory=dict)
    port: int = field(default_factory=free_port)
    _process: Forked | subprocess.Popen[bytes] | None = None

    @property
    def web(self) -> Web:
        """A client for it."""
        return Web("127.0.0.1", self.port, {"User-Agent": "Mozilla/5.0 (X11; Linux x86_64) Firefox/150.0"})

    async def start(self, broker: str = "connected") -> "TrackerProcess":
        """Start it; return when it answers and its broker is `connected` or `away`."""
        environment = {
            **os.environ,
            "POSTHASTE_NATS_URL": self.nats_url,
            "POSTHASTE_DATA_DIR": str(self.data_dir),
            "POSTHASTE_TRACKER_PORT": str(self.port),
            "POSTHASTE_SECRET_KEYS": SECRET,
            "POSTHASTE_ADDRESS_PEPPER": PEPPER,
            **self.environment,
        }
        self._process = await asyncio.to_thread(spawn, "services.tracker.app", environment=environment)
        await until(lambda: self.broker_is(broker), 20)
        return self

    async def broker_is(self, state: str) -> bool:
        """Return whether it answers and says so of its broker."""
        try:
            reply = await self.web.get("/healthz")
        except (OSError, ValueError):  # not listening yet
            return False
        return f'"broker":"{state}"'.encode() in reply.body

    async def spool_is_empty(self) -> bool:
        """Return whether nothing waits in its spool."""
        return b'"spooled_bytes":0}' in (await self.web.get("/healthz")).body

    @property
    def pid(self) -> int:
        """Its process id."""
        assert self._process is not None
        return self._process.pid

    def cpu_seconds(self) -> float:
        """Return the processor time it has used so far."""
        assert self._process is not None
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    async def ended(self) -> int:
        """Wait until it ended by itself; return its exit code."""
        assert self._process is not None
        code = await asyncio.to_thread(self._process.wait, 30)
        self._process = None
        return code

    def kill(self) -> None:
        """End it as a crash would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    async def stop(self) -> int:
        """End it in good order; return its exit code."""
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        return await self.ended()


def pixel(mailing: str = "m1", n: int = 0, index: int = 0) -> str:
    """Return the path of a pixel."""
    return f"/o/{SIGNER.recipient(mailing, n, index)}.gif"


def click(url: str, mailing: str = "m1", n: int = 0, index: int = 0, link: int = 0) -> str:
    """Return the path of a tracked link."""
    return f"/c/{SIGNER.recipient(mailing, n, index)}/{SIGNER.link(mailing, link, url)}"


def unsubscribe(lists: list[str], address: str = "ann@example.com", mailing: str = "m1", index: int = 0) -> str:
    """Return the path of an unsubscribe link."""
    return f"/u/{SIGNER.unsubscribe(mailing, 0, index, RING.address_key(address), lists)}"


def opt_in(lists: list[str], address: str = "ann@example.com", mailing: str = "m1", days: int = 14) -> str:
    """Return the path of a link that confirms an opt-in for so many days."""
    until = today(now()) + days
    return f"/s/{SIGNER.opt_in(mailing, 0, 0, RING.address_key(address), lists, until=until)}"
