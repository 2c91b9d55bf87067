"""A planner in the test's own loop on a real server, somebody who asks it, and a stand-in for senders."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from nats.aio.client import Client as Connection
from nats.aio.msg import Msg

from services.planner.app import start
from services.planner.settings import PlannerSettings
from shared import clock
from shared.contracts import commands, subjects
from shared.contracts.commands import Answer, Command, ProbeResult, Query
from shared.contracts.envelope import DomainEvent, Origin
from shared.contracts.ranges import pack
from shared.contracts.sending import (
    ChunkFinished,
    ChunkPassed,
    ChunkPlanned,
    ChunkStarted,
    Group,
    RecipientsSettled,
)
from shared.eventlog.documents import Documents
from shared.eventlog.store import EventLog
from shared.ids import new_id
from shared.messaging.client import Client
from shared.messaging.service import Service
from tests.harness.databases import lay
from tests.harness.nats import NatsServer
from tests.harness.waiting import until

LETTER = {
    "subject": "Hello {{ name }}",
    "html": '<p>{{ city | default("you") }} <a href="https://example.com/">x</a></p>',
}


@dataclass
class Desk:
    """One planner, who asks it, and what it wrote."""

    nc: Connection
    log: EventLog
    settings: PlannerSettings
    client: Client
    service: Service = field(init=False)
    running: "asyncio.Task[int]" = field(init=False)
    working: ProbeResult = field(default_factory=lambda: ProbeResult(working=True, detail="fine"))

    async def answer_probes(self) -> None:
        """Say of every account that it works, or what `working` says."""

        async def probed(message: Msg) -> None:
            await message.respond(self.working.model_dump_json().encode())

        await self.nc.subscribe(subjects.probe(), cb=probed)

    async def up(self) -> None:
        """Start the planner and wait until it answers."""
        self.service = Service("planner", self.settings)
        self.running = asyncio.create_task(self.service.run(lambda service: start(service, self.settings)))
        await self.ask(commands.Lists())

    async def down(self) -> None:
        """Stop it."""
        self.service.stop()
        assert await self.running == 0

    async def do(self, command: Command, key: str = "") -> dict[str, Any]:
        """Have a command done and return the data of the answer."""
        answer = await self.client.command(command, key)
        assert answer.ok, answer.refusal
        return answer.data

    async def refused(self, command: Command, key: str = "") -> str:
        """Have a command refused and return the code."""
        answer = await self.client.command(command, key)
        assert answer.refusal is not None, answer
        return answer.refusal.code

    async def ask(self, query: Query, at_least: int = 0) -> dict[str, Any]:
        """Return the data of a query's answer."""
        answer: Answer = await self.client.query(query, at_least)
        assert answer.ok, answer.refusal
        return answer.data

    async def upload(self, content: bytes, part: int = 300_000) -> tuple[str, int]:
        """Put a file into INBOX in parts; return the upload and how many there are."""
        upload, inbox = new_id(), Documents(self.nc, subjects.INBOX)
        parts = [content[start : start + part] for start in range(0, len(content), part)] or [b""]
        for number, each in enumerate(parts):
            await inbox.put_once(subjects.upload_part(upload, number), each)
        return upload, len(parts)

    async def imported(self, content: bytes, name: str = "readers", **more: object) -> dict[str, Any]:
        """Import a file and return its status when it ended."""
        upload, parts = await self.upload(content)
        await self.do(commands.ImportContacts.model_validate({"upload": upload, "parts": parts, "list": name} | more))
        return await self.import_ended(upload)

    async def import_ended(self, upload: str) -> dict[str, Any]:
        """Wait for the end of an import and return its status."""

        async def ended() -> dict[str, Any]:
            status = await self.ask(commands.ImportStatus(upload=upload))
            return status if status["state"] != "running" else {}

        return await until(ended, 60)

    async def account(self, **more: object) -> str:
        """Add an account that works."""
        wanted = {"name": "relay", "host": "127.0.0.1", "port": 2525, "tls": "none", "senders": ["a@example.com"]}
        account: str = (await self.do(commands.AddAccount.model_validate(wanted | more)))["account"]
        await self.do(commands.TestAccount(account=account))
        return account

    async def drafted(self, lists: list[str] | None = None, **more: object) -> str:
        """Open a campaign and draft a mailing in it."""
        account = more.pop("account", None) or await self.account()
        campaign = (await self.do(commands.OpenCampaign(name="c", lists=lists or ["readers"])))["campaign"]
        wanted = {"campaign": campaign, "name": "m", "account": account, "sender_address": "a@example.com"}
        mailing: str = (await self.do(commands.DraftMailing.model_validate(wanted | LETTER | more)))["mailing"]
        return mailing

    async def events(self, subject: str) -> list[DomainEvent]:
        """Return all events of an entity."""
        return [record.event for commit in await self.log.load(subject) for record in commit.events]

    async def types(self, mailing: str) -> list[str]:
        """Return what happened to a mailing, by names of events."""
        return [type(event).__name__ for event in await self.events(subjects.mailing(mailing))]

    async def happened(self, mailing: str, name: str, timeout: float = 15) -> None:  # noqa: ASYNC109 - a deadline
        """Wait until it happened to a mailing."""

        async def seen() -> bool:
            return name in await self.types(mailing)

        await until(seen, timeout)

    async def plans(self, mailing: str) -> list[ChunkPlanned]:
        """Return the planned chunks of a mailing."""
        found: list[ChunkPlanned] = []
        async for commits in self.log.scan([subjects.plans_of(mailing)]):
            for commit in commits:
                found += [record.event for record in commit.events if isinstance(record.event, ChunkPlanned)]
        return found

    async def planned(self, mailing: str, count: int, timeout: float = 15) -> list[ChunkPlanned]:  # noqa: ASYNC109
        """Wait until so many chunks are planned, and return them."""

        async def enough() -> list[ChunkPlanned]:
            found = await self.plans(mailing)
            return found if len(found) >= count else []

        return await until(enough, timeout)

    async def finish(self, chunk: ChunkPlanned, outcome: str = "accepted") -> None:
        """Settle a whole chunk as a sender would."""
        size = len(chunk.contacts)
        group = Group.model_validate({"outcome": outcome, "indexes": pack(range(size)), "code": 250})
        events: list[DomainEvent] = [
            ChunkStarted(job=1, worker="w"),
            RecipientsSettled(groups=[group]),
            ChunkPassed(deferred=0),
            ChunkFinished(totals={outcome: size}),
        ]
        await self.write(subjects.chunk(chunk.mailing, chunk.n), *events)

    async def hints(self, mailing: str) -> int:
        """Return how many hints at chunks of a mailing were published."""
        info = await self.nc.jetstream().stream_info("TIMERS", subjects_filter=f"due.retry.*.*.{mailing}.*")
        return sum((info.state.subjects or {}).values())

    async def hinted(self, mailing: str, count: int, *, messages: bool = False) -> None:
        """Wait until so many chunks of a mailing were hinted at, or so many hints came."""

        async def enough() -> bool:
            info = await self.nc.jetstream().stream_info("TIMERS", subjects_filter=f"due.retry.*.*.{mailing}.*")
            found = info.state.subjects or {}
            return (sum(found.values()) if messages else len(found)) >= count

        await until(enough, 15)

    async def facts_seen(self, subject: str) -> None:
        """Wait until the planner knows the last event of an entity."""
        await self.ask(commands.Lists(), at_least=await self.log.last_seq(subject))

    async def write(self, subject: str, *events: DomainEvent) -> int:
        """Append events as another service would."""
        expected = await self.log.last_seq(subject)
        return await self.log.append(subject, events, expected=expected, origin=Origin(new_id(), "test", clock.now()))


@pytest.fixture
def planner_settings(log_streams: NatsServer, tmp_path: Path) -> PlannerSettings:
    """Return settings with short periods."""
    lay(tmp_path / "data")
    return PlannerSettings(
        nats_url=log_streams.url,
        data_dir=tmp_path / "data",
        secret_keys="s" * 32,
        address_pepper="p" * 32,
        sweep_seconds=1,
        quiet_seconds=2,
        soft_bounces=3,
        mx_lookups=False,
    )


@pytest.fixture
async def desk(planner_settings: PlannerSettings, nc: Connection) -> AsyncIterator[Desk]:
    """Yield a planner that is up, and a sender that says every account works."""
    desk = Desk(nc, EventLog(nc), planner_settings, Client(nc, "operator"))

    await desk.answer_probes()
    await desk.up()
    yield desk
    await desk.down()
