"""The planner dies between any two steps; whoever comes after it brings every mailing to its end, each chunk once."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import orjson
import pytest
from nats.aio.client import Client as Connection

from services.planner.settings import PlannerSettings
from shared.contracts import commands, subjects
from shared.contracts.audience import ContactsSynced
from shared.eventlog.documents import Documents
from shared.eventlog.reader import Reader
from shared.eventlog.store import EventLog
from shared.messaging.client import Client
from shared.steps import PLANNER
from tests.harness.nats import NatsServer
from tests.harness.waiting import until
from tests.integration.planner.conftest import Desk
from tests.integration.planner.test_imports import people
from tests.integration.planner.test_intake import told

COUNT = 2_300
LATER = {"plan.read": ":3", "plan.payload": ":3", "plan.appended": ":3"}


class Supervisor:
    """Runs the planner as a process of its own and starts it again when it dies."""

    def __init__(self, settings: PlannerSettings) -> None:
        self.deaths = 0
        secrets = {"nats_url", "data_dir", "secret_keys", "address_pepper", "sweep_seconds", "quiet_seconds"}
        self._env = {f"POSTHASTE_{name.upper()}": str(getattr(settings, name)) for name in secrets}
        self._process: asyncio.subprocess.Process | None = None

    async def run(self, crash_at: str) -> None:
        """Run it with a place to die at, afterwards without."""
        while True:
            env = os.environ | self._env | ({} if self.deaths else {"POSTHASTE_CRASH_AT": crash_at})
            self._process = await asyncio.create_subprocess_exec(sys.executable, "-m", "services.planner.app", env=env)
            code = await self._process.wait()
            assert code == 137, f"the planner ended with {code}"
            self.deaths += 1

    async def stop(self) -> None:
        """End the process that runs."""
        if self._process is not None and self._process.returncode is None:
            self._process.send_signal(signal.SIGKILL)
            await self._process.wait()


@asynccontextmanager
async def supervised(
    settings: PlannerSettings, nc: Connection, crash_at: str
) -> AsyncIterator[tuple[Desk, Supervisor]]:
    """Yield somebody who asks, and the supervisor of the planner that answers."""
    desk = Desk(nc, EventLog(nc), settings, Client(nc, "operator", seconds=2))
    await desk.answer_probes()
    supervisor = Supervisor(settings)
    task = asyncio.create_task(supervisor.run(crash_at))
    try:
        yield desk, supervisor
        assert not task.done(), task.exception()
    finally:
        task.cancel()
        await supervisor.stop()


async def stubborn(desk: Desk, command: commands.Command, key: str) -> dict[str, object]:
    """Have a command done by asking again with the same key for as long as nobody answers."""

    async def done() -> dict[str, object]:
        try:
            return await desk.do(command, key)
        except RuntimeError:  # not answered: it died on the way
            return {}

    return await until(done, 40)


@pytest.mark.drawn("planner", 2)
@pytest.mark.parametrize("step", PLANNER)
async def test_killed_at_any_step_every_recipient_is_planned_once(
    step: str, log_streams: NatsServer, nc: Connection, tmp_path: Path
) -> None:
    """The whole file is imported, the test goes out once, all chunks are planned with their payload, it completes."""
    settings = PlannerSettings(
        nats_url=log_streams.url,
        data_dir=tmp_path / "data",
        secret_keys="s" * 32,
        address_pepper="p" * 32,
        sweep_seconds=1,
        quiet_seconds=2,
        mx_lookups=False,
    )
    async with supervised(settings, nc, step + LATER.get(step, "")) as (desk, supervisor):
        await nc.jetstream().publish(
            "in.contacts", json.dumps([told(at, lists=["guests"]) for at in range(3)]).encode()
        )
        upload, parts = await desk.upload(people(COUNT))
        await stubborn(desk, commands.ImportContacts(upload=upload, parts=parts, list="readers"), "k0")
        await until(lambda: _imported(desk, upload), 60)
        await until(lambda: _taken_in(desk), 60)
        account = {"name": "r", "host": "127.0.0.1", "port": 25, "tls": "none", "senders": ["a@example.com"]}
        added = await stubborn(desk, commands.AddAccount.model_validate(account), "k1")
        await stubborn(desk, commands.TestAccount(account=str(added["account"])), "k2")
        opened = await stubborn(desk, commands.OpenCampaign(name="c", lists=["readers"]), "k3")
        letter = {"name": "m", "sender_address": "a@example.com", "subject": "s", "text": "{{ city }}"}
        draft = commands.DraftMailing.model_validate(letter | opened | added)
        mailing = str((await stubborn(desk, draft, "k4"))["mailing"])
        await stubborn(desk, commands.FreezeAudience(mailing=mailing), "k5")
        test = str((await stubborn(desk, commands.SendTest(mailing=mailing, to=["me@example.com"]), "k6"))["test"])
        await stubborn(desk, commands.ScheduleMailing(mailing=mailing), "k7")
        await desk.planned(mailing, 5, 40)
        if step == "process.retried":
            await stubborn(desk, commands.PauseMailing(mailing=mailing), "k8")
            await stubborn(desk, commands.ResumeMailing(mailing=mailing), "k9")
            await desk.hinted(mailing, 5)
            await until(lambda: supervisor.deaths, 40)
        await _assert_whole(desk, mailing)
        assert len(await desk.planned(test, 1, 40)) == 1
        for chunk in await desk.plans(mailing):
            await desk.finish(chunk)
        await desk.happened(mailing, "MailingCompleted", 40)
        types = await desk.types(mailing)
        assert [types.count(name) for name in ("AudienceFrozen", "TestSent", "SendingStarted")] == [1, 1, 1]
        assert supervisor.deaths == 1, f"it never came to {step}"


async def _imported(desk: Desk, upload: str) -> bool:
    try:
        status = await desk.ask(commands.ImportStatus(upload=upload))
    except RuntimeError:  # not answered: it died on the way
        return False
    if status["state"] == "running":
        return False
    assert (status["state"], status["rows"], status["added"]) == ("done", COUNT, COUNT), status
    return True


async def _taken_in(desk: Desk) -> bool:
    """Tell whether the message of the producer is taken in: erased, and its contacts counted in the log once."""
    if await Reader(desk.nc, subjects.INBOX).last(subjects.CONTACTS_IN) is not None:
        return False
    found: dict[str, int] = {}
    async for commits in desk.log.scan([subjects.ALL_AUDIENCE]):
        for record in (record for commit in commits for record in commit.events):
            if isinstance(record.event, ContactsSynced):
                found[record.id] = record.event.added
    assert sum(found.values()) in (0, 3)
    return sum(found.values()) == 3


async def _assert_whole(desk: Desk, mailing: str) -> None:
    payloads, chunks = Documents(desk.nc, subjects.PAYLOADS), await desk.plans(mailing)
    assert [chunk.n for chunk in sorted(chunks, key=lambda chunk: chunk.n)] == list(range(5))
    addresses: list[str] = []
    for chunk in chunks:
        rows = [orjson.loads(row) for row in (await payloads.get(subjects.payload(mailing, chunk.n))).split(b"\n")]
        assert [row["contact"] for row in rows] == chunk.contacts
        addresses += [row["address"] for row in rows]
    assert sorted(addresses) == sorted(f"p{at}@x{at % 50}.example" for at in range(COUNT))
