"""Installations for whole-system tests: as `deploy.local` runs them, with a service that dies, or on a cluster.

All have small chunks and short periods, and ports of their own. The relay stands outside: it survives what they go
through.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

from nats.aio.client import Client as Connection
from nats.errors import Error as NatsError

from deploy.apply import apply
from deploy.local import Local, PortsTakenError
from deploy.supervisor import Program, StartError
from shared.eventlog.connection import close, connect
from tests.harness.databases import lay
from tests.harness.smtp import Script, ScriptedSmtp
from tests.harness.system import PATIENCE, System, unhurried
from tests.harness.waiting import until

CONNECTIONS = 4
PACE = 0.005
"""Seconds a mail takes at the relay as a whole: two hundred a second, so that a fault finds a mailing under way."""
QUICK = {
    "POSTHASTE_ACK_WAIT": "2",
    "POSTHASTE_RETRY_FIRST": "0.5",
    "POSTHASTE_RETRY_LONGEST": "1",
    "POSTHASTE_SWEEP_SECONDS": "1",
    "POSTHASTE_QUIET_SECONDS": "3",
    # Small chunks, few of them planned ahead: the planner is needed until the end.
    "POSTHASTE_CHUNK_SIZE": "50",
    "POSTHASTE_MOST_OPEN": "6",
}


class Crashing(Local):
    """An installation of which one service dies at a step of shared/steps.py, once."""

    def __init__(self, folder: Path, service: str, crash_at: str) -> None:
        super().__init__(folder, ports="free", extra=QUICK)
        self._victim = service
        self._crash_at = crash_at

    async def _keep(self, program: Program) -> None:
        if program.name != self._victim:
            await super()._keep(program)
            return
        environment = dict(program.environment) | {"POSTHASTE_CRASH_AT": self._crash_at}
        await super()._keep(replace(program, environment=environment))
        del environment["POSTHASTE_CRASH_AT"]  # it is started again without


class OnCluster(Local):
    """The services of an installation on a cluster that a test runs; no nats-server and no catcher of its own."""

    def __init__(self, folder: Path, url: str, *, senders: int = 1, extra: Mapping[str, str] | None = None) -> None:
        super().__init__(
            folder, senders=senders, ports="free", extra=QUICK | dict(extra or {}) | {"POSTHASTE_NATS_URL": url}
        )
        self._url = url

    async def start(self) -> None:
        """Apply the streams with three replicas, then start the services."""
        self.folder.hold()
        self._secrets = self.folder.secrets()
        self.ports = self.folder.ports("free")
        (self.folder.path / "logs").mkdir(exist_ok=True)
        try:
            await until(self._applied, PATIENCE)
            await asyncio.gather(*(self._keep(program) for program in self.standard_services()))
        except BaseException:
            await self.stop()
            raise

    async def _applied(self) -> bool:
        nc = await self.connect("deploy")
        try:
            await apply(nc, replicas=3)
        except (NatsError, TimeoutError):  # a cluster that just formed forgets a request now and then: once more
            return False
        finally:
            await close(nc)
        return True

    async def connect(self, user: str = "operator") -> Connection:
        """Return a connection to the cluster, which asks for no password."""
        return await connect(self._url, name=f"local {user}")


@asynccontextmanager
async def running(
    folder: Path,
    *,
    senders: int = 1,
    connections: int = CONNECTIONS,
    script: Script | None = None,
    extra: Mapping[str, str] | None = None,
) -> AsyncIterator[System]:
    """Yield a system with an account that works."""
    async with ScriptedSmtp(script or unhurried(PACE * connections * senders)) as relay:
        local = Local(folder, senders=senders, ports="free", extra=QUICK | dict(extra or {}))
        async with operated(local, relay, connections) as system:
            await system.add_account()
            yield system


@asynccontextmanager
async def operated(local: Local, relay: ScriptedSmtp, connections: int = CONNECTIONS) -> AsyncIterator[System]:
    """Start an installation and yield it as it is: new, or as it was left."""
    await started(local)
    try:
        system = System(local, relay, connections)
        await system.open()
        try:
            yield system
        finally:
            await system.close()
    finally:
        await local.stop()


async def started(local: Local) -> None:
    """Start it; on other ports where another test took one in the moment between choosing and listening."""
    lay(local.folder.path)
    for attempt in range(3):
        try:
            await local.start()
        except (StartError, PortsTakenError) as error:
            logs = [log.read_text(errors="replace").lower() for log in local.folder.path.glob("logs/*.log")]
            taken = isinstance(error, PortsTakenError) or any("address already in use" in log for log in logs)
            if attempt == 2 or not taken:
                raise
            (local.folder.path / "ports.json").unlink()
        else:
            return
