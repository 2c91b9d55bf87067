"""Installations for whole-system tests: as `deploy.local` runs them, with a service that dies, or on a cluster.

All have small chunks and short periods, and ports of their own. The relay stands outside: it survives what they go
through.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Self

from nats.aio.client import Client as Connection
from nats.errors import Error as NatsError

from deploy.apply import apply
from deploy.local import Local, PortsTakenError
from deploy.supervisor import Program, StartError
from shared.eventlog.connection import close, connect
from tests.harness.databases import lay
from tests.harness.forks import ForkedKept
from tests.harness.smtp import Script, ScriptedSmtp
from tests.harness.streams import lay_streams
from tests.harness.system import PATIENCE, System, unhurried
from tests.harness.waiting import until

CLUSTER = "POSTHASTE_TEST_CLUSTER"
CONNECTIONS = 4
PACE = 0.005
"""Seconds a mail takes at the relay as a whole: two hundred a second, so that a fault finds a mailing under way."""
QUICK = {
    "POSTHASTE_ACK_WAIT": "2",
    "POSTHASTE_RETRY_FIRST": "0.5",
    "POSTHASTE_RETRY_LONGEST": "1",
    "POSTHASTE_SWEEP_SECONDS": "1",
    "POSTHASTE_QUIET_SECONDS": "3",
    "POSTHASTE_MX_LOOKUPS": "false",
    # Small chunks, few of them planned ahead: the planner is needed until the end.
    "POSTHASTE_CHUNK_SIZE": "50",
    "POSTHASTE_MOST_OPEN": "6",
}


class Quick(Local):
    """As `posthaste up` runs it, but its programs are forked, and its tables and streams were made before."""

    keeper = ForkedKept

    async def start(self) -> None:
        """Start everything."""
        lay(self.folder.path)
        lay_streams(self.folder.path / "nats" / "jetstream")
        await super().start()


class Installation(Quick):
    """What tests start: on the cluster that POSTHASTE_TEST_CLUSTER names, else with a nats-server of its own.

    On a cluster there is no catcher either. One of its services may be told to die at a step of shared/steps.py, once.
    """

    def __init__(
        self, folder: Path, *, senders: int = 1, extra: Mapping[str, str] | None = None, cluster: str | None = None
    ) -> None:
        self._url = os.environ.get(CLUSTER, "") if cluster is None else cluster
        settings = QUICK | dict(extra or {}) | ({"POSTHASTE_NATS_URL": self._url} if self._url else {})
        super().__init__(folder, senders=senders, ports="free", extra=settings)
        self._dies: tuple[str, str] | None = None

    def dies(self, service: str, step: str) -> Self:
        """Let a service die there; it is started again without."""
        self._dies = service, step
        return self

    async def _keep(self, program: Program) -> None:
        if self._dies is None or program.name != self._dies[0]:
            await super()._keep(program)
            return
        environment = dict(program.environment) | {"POSTHASTE_CRASH_AT": self._dies[1]}
        await super()._keep(replace(program, environment=environment))
        del environment["POSTHASTE_CRASH_AT"]

    async def start(self) -> None:
        """Start everything; on a cluster, apply the streams with three replicas and start the services."""
        if not self._url:
            await super().start()
            return
        lay(self.folder.path)
        self.folder.hold()
        self._secrets = self.folder.secrets()
        self.ports = self.folder.ports("free")
        (self.folder.path / "logs").mkdir(exist_ok=True)
        try:
            await self.apply_streams()
            await asyncio.gather(*(self._keep(program) for program in self.standard_services()))
        except BaseException:
            await self.stop()
            raise

    async def anew(self, service: str, **settings: str) -> None:
        """End a service in good order and start it with further settings, or as it was where there are none."""
        await self.down(service)
        program = self._service(service)
        await self._keep(replace(program, environment=dict(program.environment) | settings))

    async def apply_streams(self) -> None:
        """Bring the streams to what deploy/streams.py says."""
        if not self._url:
            await super().apply_streams()
            return
        nc = await self.connect("deploy")
        try:
            await applied(nc, replicas=3)
        finally:
            await close(nc)

    async def connect(self, user: str = "operator") -> Connection:
        """Return a connection; the cluster asks for no password."""
        if not self._url:
            return await super().connect(user)
        return await connect(self._url, name=f"local {user}")


async def applied(nc: Connection, replicas: int) -> None:
    """Make the streams; a cluster that just formed forgets a request now and then, so once more."""

    async def done() -> bool:
        try:
            await apply(nc, replicas=replicas)
        except (NatsError, TimeoutError):
            return False
        return True

    await until(done, PATIENCE)


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
    local = Installation(folder, senders=senders, extra=extra)
    async with (
        ScriptedSmtp(script or unhurried(PACE * connections * senders)) as relay,
        operated(local, relay, connections) as system,
    ):
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
