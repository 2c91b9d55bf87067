"""Planner and reporting in the test's own loop, reached over real HTTP with real tokens."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from nats.aio.client import Client as Connection
from nats.aio.msg import Msg

from services.planner.app import start as start_planner
from services.planner.settings import PlannerSettings
from services.reporting.app import start as start_reporting
from services.reporting.settings import ReportingSettings
from shared import clock
from shared.contracts import commands, subjects
from shared.contracts.commands import ProbeResult, TakenIn
from shared.contracts.envelope import Origin
from shared.contracts.principal import PrincipalAdded
from shared.contracts.principals import PERMISSIONS, Permission
from shared.credentials import tokens_of
from shared.eventlog.documents import Documents
from shared.eventlog.store import EventLog
from shared.ids import new_id
from shared.keys import KeyRing
from shared.messaging.http_client import HttpClient
from shared.messaging.principals import Record
from shared.messaging.service import Service
from tests.harness.databases import lay
from tests.harness.nats import NatsServer, free_port

SECRETS = {"secret_keys": "s" * 32, "address_pepper": "p" * 32}
DRAFT = {"name": "m", "sender_address": "a@example.com", "subject": "Hello", "text": "Hello https://example.com/"}


@dataclass
class House:
    """Both services, who may ask them, and a connection to write what others would write."""

    nc: Connection
    log: EventLog
    urls: dict[str, str]
    token: str = ""
    services: list[Service] = field(default_factory=list)
    running: "list[asyncio.Task[int]]" = field(default_factory=list)
    reporting: ReportingSettings = field(default_factory=ReportingSettings)

    async def restart_reporting(self) -> None:
        """Stop reporting in good order and start it anew."""
        self.services[1].stop()
        assert await self.running[1] == 0
        settings = self.reporting
        self.services[1] = Service("reporting", settings)
        self.running[1] = asyncio.create_task(self.services[1].run(lambda service: start_reporting(service, settings)))

    async def issue(self, permissions: Iterable[Permission]) -> str:
        """Return a new token."""
        who = new_id()
        shown, token = tokens_of(KeyRing.of(**SECRETS), who, "cause")[0]
        records = Documents(self.nc, subjects.bucket(subjects.PRINCIPALS))
        record = Record(name="n", verifier=token.verifier)
        await records.put_once(subjects.principal_record(who, "r1"), record.model_dump_json().encode())
        added = PrincipalAdded(kind="token", permissions=list(permissions), record="r1")
        origin = Origin(new_id(), "planner", clock.now())
        await self.log.append(subjects.principal(who), [added], expected=0, origin=origin)
        return shown

    def client(self, token: str | None = None) -> HttpClient:
        """Return a client; of somebody who may do everything where no token is given."""
        return HttpClient(self.urls["planner"], self.urls["reporting"], self.token if token is None else token)

    async def ask(
        self,
        service: str,
        method: str,
        path: str,
        token: str | None = None,
        **more: Any,  # noqa: ANN401 - as httpx
    ) -> httpx.Response:
        """Send one request as it is."""
        headers = {"Authorization": f"Bearer {self.token if token is None else token}"} if token != "" else {}
        headers |= more.pop("headers", {})
        async with httpx.AsyncClient(trust_env=False, timeout=20) as http:
            return await http.request(method, f"{self.urls[service]}{path}", headers=headers, **more)

    async def answer_probes(self) -> None:
        """Say of every account and mailbox that it works, as a sender and a tracker would, and of no mail anything."""

        async def probed(message: Msg) -> None:
            await message.respond(ProbeResult(working=True, detail="fine").model_dump_json().encode())

        async def handed_in(message: Msg) -> None:
            await message.respond(TakenIn(kind="other").model_dump_json().encode())

        await self.nc.subscribe(subjects.probe(), cb=probed)
        await self.nc.subscribe(subjects.probe_mailbox(), cb=probed)
        await self.nc.subscribe(subjects.desk(), cb=handed_in)

    async def do(self, command: commands.Command) -> dict[str, Any]:
        """Have a command done over HTTP and return the data."""
        async with self.client() as client:
            answer = await client.command(command)
        assert answer.ok, answer.refusal
        return answer.data | {"position": answer.position}

    async def draft(self) -> str:
        """Return a mailing: an account, a list with one contact, a campaign, a draft."""
        account = await self.do(
            commands.AddAccount(name="r", host="127.0.0.1", port=2525, tls="none", senders=["a@example.com"])
        )
        await self.do(commands.TestAccount(account=account["account"]))
        async with self.client() as client:
            upload = await client.upload(b"email,name\nada@example.com,Ada\n")
        assert isinstance(upload, dict)
        wanted = commands.ImportContacts(upload=upload["upload"], parts=upload["parts"], list="readers")
        await self.do(wanted)
        campaign = await self.do(commands.OpenCampaign(name="c", lists=["readers"]))
        drafted = {"campaign": campaign["campaign"], "account": account["account"]} | DRAFT
        mailing = await self.do(commands.DraftMailing.model_validate(drafted))
        async with self.client() as client:
            answer = await client.query(commands.Status(mailing=mailing["mailing"]), mailing["position"])
        assert answer.ok, answer.refusal
        return str(mailing["mailing"])


@pytest.fixture
def http_settings() -> dict[str, Any]:
    """Return settings of the API that a test may replace."""
    return {"http_rate": 10_000, "http_burst": 10_000}


@pytest.fixture
async def house(
    log_streams: NatsServer, nc: Connection, tmp_path: Path, http_settings: dict[str, Any]
) -> AsyncIterator[House]:
    """Yield both services, ready."""
    lay(tmp_path / "data")
    common = {"nats_url": log_streams.url, "data_dir": tmp_path / "data"} | SECRETS | http_settings
    planner = PlannerSettings(http_port=free_port(), sweep_seconds=1, mx_lookups=False, **common)
    reporting = ReportingSettings(http_port=free_port(), **common)
    urls = {"planner": f"http://127.0.0.1:{planner.http_port}", "reporting": f"http://127.0.0.1:{reporting.http_port}"}
    house = House(nc, EventLog(nc), urls)
    house.services = [Service("planner", planner), Service("reporting", reporting)]
    house.reporting = reporting
    house.running = [
        asyncio.create_task(house.services[0].run(lambda service: start_planner(service, planner))),
        asyncio.create_task(house.services[1].run(lambda service: start_reporting(service, reporting))),
    ]
    house.token = await house.issue(PERMISSIONS)
    await house.answer_probes()
    async with house.client() as client:
        assert (await client.query(commands.Lists())).ok
        assert (await client.query(commands.Campaigns())).ok
    yield house
    for service in house.services:
        service.stop()
    assert await asyncio.gather(*house.running) == [0, 0]
