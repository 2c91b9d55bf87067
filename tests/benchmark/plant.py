"""A whole installation to be measured: what `posthaste up` runs, without the catcher, its account at a counting sink.

`async with Plant(folder) as plant:` starts it; commands go through NATS as an operator's do. Anything refused, or not
done in its time, ends the benchmark.
"""

import statistics
import time
from pathlib import Path
from typing import Any, Self

from nats.aio.client import Client as Connection

from cli.upload import upload
from deploy.local import Local
from shared.contracts import commands, subjects
from shared.contracts.commands import Command, Query
from shared.eventlog.ack_publisher import AckPublisher
from shared.eventlog.store import EventLog
from shared.ids import new_id
from shared.messaging.client import Client
from tests.benchmark import shop
from tests.benchmark.relay import Sink
from tests.harness.waiting import until

SERVICES = ("nats", "planner", "sender", "tracker", "reporting")
_APPENDS = 200
_PATIENCE = 120.0


class Plant:
    """See the module.

    Attributes:
        sink: The relay of its account.
        log: The event log, read with every right.
    """

    sink: Sink
    log: EventLog
    connection: Connection
    _client: Client
    _operator: Connection

    def __init__(self, folder: Path, *, extra: dict[str, str] | None = None) -> None:
        """Prepare to run in an empty folder; `extra` goes into the environment of the services."""
        self.folder = folder
        self.local = Local(folder / "data", ports="free", extra=extra)

    async def __aenter__(self) -> Self:
        self.sink = await Sink(self.folder).ready()
        try:
            await self.local.start()
        except BaseException:  # nothing is left running
            self.sink.stop()
            raise
        await self.local.down("catcher")
        self.connection = await self.local.connect("deploy")
        self.log = EventLog(self.connection)
        self._operator = await self.local.connect()
        self._client = Client(self._operator, "operator", seconds=_PATIENCE)
        return self

    async def __aexit__(self, *_exc: object) -> None:
        await self._operator.close()
        await self.connection.close()
        await self.local.stop()
        self.sink.stop()

    def pids(self) -> dict[str, int]:
        """Return the process ids by name."""
        return {name: self.local.programs[name].pid for name in SERVICES} | {"sink": self.sink.pid}

    async def ask(self, wanted: Command | Query, at_least: int = 0) -> dict[str, Any]:
        """Return the data of the answer."""
        if isinstance(wanted, Command):
            answer = await self._client.command(wanted)
        else:
            answer = await self._client.query(wanted, at_least)
        if not answer.ok:
            raise RuntimeError(f"{wanted.NAME}: {answer.refusal}")
        return answer.data

    async def append_ms(self) -> float:
        """Return the median time of one durable append of 2 KB when nothing else goes on; above 1 ms the disk rules."""
        publisher = AckPublisher.of(self.connection)
        took = []
        for part in range(_APPENDS):
            began = time.perf_counter()
            await publisher.confirmed(subjects.upload_part("bench", part), b"x" * 2048, {}, budget=10)
            took.append(time.perf_counter() - began)
        return statistics.median(took) * 1000

    async def account(self, connections: int) -> str:
        """Add the sink as an account that works."""
        wanted = commands.AddAccount(
            name="sink",
            host="127.0.0.1",
            port=self.sink.port,
            tls="none",
            senders=[shop.SENDER],
            connections=connections,
        )
        account = str((await self.ask(wanted))["account"])
        await self.ask(commands.TestAccount(account=account))
        return account

    async def contacts(self, file: Path, name: str) -> float:
        """Import a file of contacts into the list `name`; return the seconds from the command to its end."""
        upload_id = new_id()
        parts = await upload(self._operator, file, upload_id, lambda _size: None)
        began = time.perf_counter()
        await self.ask(commands.ImportContacts(upload=upload_id, parts=parts, list=name, file_name=file.name))

        async def ended() -> dict[str, Any] | None:
            status = await self.ask(commands.ImportStatus(upload=upload_id))
            return status if status["state"] != "running" else None

        status = await until(ended, _PATIENCE + parts, every=0.05)
        if status is None or status["state"] != "done" or status["rejected"]:
            raise RuntimeError(f"the import ended with {status}")
        return time.perf_counter() - began

    async def mailing(self, account: str, contacts: str) -> tuple[str, int]:
        """Draft a mailing to a list and freeze its audience; return its id and how many will get it."""
        campaign = await self.ask(commands.OpenCampaign(name=f"Winter {new_id(4)}", lists=[contacts]))
        drafted = await self.ask(
            commands.DraftMailing(
                campaign=campaign["campaign"],
                name="Winter prices",
                account=account,
                sender_name="Example Shop",
                sender_address=shop.SENDER,
                subject=shop.SUBJECT,
                html=shop.html(),
            )
        )
        mailing = str(drafted["mailing"])
        frozen = await self.ask(commands.FreezeAudience(mailing=mailing))
        return mailing, int(frozen["recipients"])
