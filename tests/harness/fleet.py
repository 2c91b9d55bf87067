"""Two of each service on a guarded cluster and in PostgreSQL, as compose runs them; and somebody who asks over HTTP.

Every process has ports and a data folder of its own; the two of a kind share their NATS user and their database.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from itertools import cycle
from pathlib import Path

from nats.aio.client import Client as Connection

from deploy.supervisor import Program
from shared.contracts import commands
from shared.contracts.commands import Answer, Command, Query, Refusal
from shared.contracts.principals import PERMISSIONS
from shared.eventlog.connection import connect
from shared.messaging.client import UnansweredError
from shared.messaging.http_client import HttpClient
from tests.harness.guarded_cluster import PASSWORDS, GuardedCluster
from tests.harness.installations import Installation, started
from tests.harness.nats import free_port
from tests.harness.smtp import ScriptedSmtp
from tests.harness.system import ANSWER, PATIENCE, Asker, System
from tests.harness.waiting import until

SERVICES = ("planner", "sender", "tracker", "reporting")
OF_EACH = 2


class Fleet(Installation):
    """The services of an installation, twice each."""

    def __init__(
        self, folder: Path, cluster: GuardedCluster, database: str, extra: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(folder, extra=extra, cluster=cluster.url)
        self._cluster = cluster
        self._database = database
        self._own_ports: dict[tuple[str, int], dict[str, str]] = {}

    def standard_services(self) -> list[Program]:
        """Return two of each."""
        programs = [self._service(service, place) for place in range(OF_EACH) for service in SERVICES]
        return [replace(program, ready_within=PATIENCE) for program in programs]  # eight start at once on two cores

    def env(self, service: str, place: int = 0) -> dict[str, str]:
        """Return the whole environment of a service: as on one machine, but for the cluster, TLS, database, ports."""
        return (
            super().env(service, place)
            | self._ports_of(service, place)
            | {
                "POSTHASTE_NATS_PASSWORD": PASSWORDS[service],
                "POSTHASTE_NATS_CA_FILE": str(self._cluster.ca_file),
                "POSTHASTE_NATS_MONITORING": ",".join(
                    f"http://127.0.0.1:{node.http_port}" for node in self._cluster.nodes
                ),
                "POSTHASTE_DATABASE_URL": self._database,
            }
        )

    def _ports_of(self, service: str, place: int) -> dict[str, str]:
        """Return the ports of a process; the first of each kind has those of the data folder."""
        if not place:
            return {}
        names = ("POSTHASTE_HTTP_PORT", "POSTHASTE_TRACKER_PORT", "POSTHASTE_OPS_PORT")
        return self._own_ports.setdefault((service, place), {name: str(free_port()) for name in names})

    def url(self, service: str, place: int) -> str:
        """Return where people reach a process."""
        name = "POSTHASTE_TRACKER_PORT" if service == "tracker" else "POSTHASTE_HTTP_PORT"
        return f"http://127.0.0.1:{self.env(service, place)[name]}"

    def fallen(self) -> list[str]:
        """Return the programs that ended by themselves, but for one whose port somebody took in the last moment."""
        again = [program for program in self.programs.values() if program.starts > 1]
        return [each.program.name for each in again if "address already in use" not in each.log.read_text()]

    async def connect(self, user: str = "operator") -> Connection:
        """Return a connection to the cluster as one of its users."""
        return await connect(
            self._url, user=user, password=PASSWORDS[user], ca_file=self._cluster.ca_file, name=f"fleet {user}"
        )


class Team(System):
    """Asks over NATS and over HTTP, another process each time: what one did not answer is repeated to the next."""

    local: Fleet

    async def open(self) -> None:
        """Connect as the operator, and over HTTP with a token that the operator issues."""
        await super().open()
        token = await self.do(commands.IssueToken(name="the team", permissions=list(PERMISSIONS)))
        self.clients = [
            HttpClient(
                self.local.url("planner", place), self.local.url("reporting", place), token["secret"], seconds=ANSWER
            )
            for place in range(OF_EACH)
        ]
        self._asker = _InTurn([self._asker, *self.clients])

    async def close(self) -> None:
        """Disconnect."""
        for client in self.clients:
            await client.close()
        await super().close()

    async def upload(self, data: bytes) -> str:
        """Upload a file over HTTP, once more where it did not get through."""

        async def uploaded() -> str:
            try:
                found = await self.clients[0].upload(data)
            except UnansweredError:  # the log was away for too long
                return ""
            return "" if isinstance(found, Refusal) else str(found["upload"])

        return await until(uploaded, PATIENCE)


@asynccontextmanager
async def working(fleet: Fleet, relay: ScriptedSmtp, connections: int) -> AsyncIterator[Team]:
    """Start a fleet and yield the team that asks it."""
    await started(fleet)
    try:
        team = Team(fleet, relay, connections)
        await team.open()
        try:
            yield team
        finally:
            await team.close()
    finally:
        await fleet.stop()


class _InTurn:
    """Asks one after the other."""

    def __init__(self, askers: Sequence[Asker]) -> None:
        self._next = cycle(askers)

    async def command(self, command: Command, key: str = "") -> Answer:
        """Ask the next one for something to be done."""
        return await next(self._next).command(command, key)

    async def query(self, query: Query, at_least: int = 0) -> Answer:
        """Ask the next one for what is known."""
        return await next(self._next).query(query, at_least)
