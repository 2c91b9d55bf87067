"""Reporting on a real log: told over NATS, asked over NATS; the ledger from log and AUDIENCE alone."""

import asyncio
import os
import signal
import sys
import zlib
from asyncio.subprocess import DEVNULL
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import orjson
import pytest
from nats.aio.client import Client as Connection
from sqlalchemy.ext.asyncio import AsyncEngine

from services.reporting.directory import Directory
from services.reporting.handlers import Reports, router_of
from services.reporting.relay import Relay
from services.reporting.views import VIEWS
from shared.contracts import commands, subjects
from shared.contracts.api import ENDPOINTS
from shared.contracts.commands import Answer, Command
from shared.contracts.envelope import Origin
from shared.contracts.mailing import MailingCompleted
from shared.eventlog.documents import Documents
from shared.eventlog.objects import Objects
from shared.eventlog.projector import Projector
from shared.eventlog.reader import Reader
from shared.eventlog.rebuild import rebuild
from shared.eventlog.store import EventLog
from shared.keys import KeyRing
from shared.messaging.broker import create_broker
from shared.messaging.client import Client
from shared.messaging.parking import park
from shared.messaging.principals import nats_principal
from shared.settings import Settings
from tests.harness.brokers import started
from tests.harness.nats import NatsServer
from tests.harness.story import Story, contact, frozen, group, hit
from tests.integration.reporting.tales import tale

KEYS = {"secret_keys": "s" * 32, "address_pepper": "p" * 32}


async def record(log: EventLog, story: Story, after: int = 0) -> int:
    """Append the commits of a story to the log; return the last sequence."""
    seq = 0
    for commit in story.commits[after:]:
        first = commit.events[0]
        command = first.id.rpartition(".")[0] + ("" if commit.subject.startswith("evt.c") else f"-{commit.seq}")
        origin = Origin(f"{command}", "test", first.time, principal=first.principal)
        seq = await log.append_journal(commit.subject, [item.event for item in commit.events], origin=origin)
    return seq


def audience(chunks: int, size: int, *, end: bool = True, skipped: int = 1) -> bytes:
    """Return an AUDIENCE object."""
    lines: list[object] = [{"mailing": "m1", "version": 1}]
    lines += [[contact(n, i), "email", ["l1"], "rest", n, i] for n in range(chunks) for i in range(size)]
    lines += [["gone", "email", ["l1"], None, "suppressed"]] * skipped
    if end:
        total = {"suppressed": skipped}
        lines.append({"end": True, "recipients": chunks * size, "skipped": total, "chunks": chunks})
    return zlib.compress(b"\n".join(orjson.dumps(line) for line in lines))


class Reporting:
    """One instance of reporting in this process, and a client that asks it."""

    def __init__(self, nc: Connection, engine: AsyncEngine, server: NatsServer, *, patience: float = 5.0) -> None:
        self.nc, self.engine = nc, engine
        self.log = EventLog(nc)
        self.projector = Projector(self.log, engine, VIEWS, durable="reporting-views", filters=[subjects.ALL_EVENTS])
        self.audiences = Objects(nc, subjects.AUDIENCE)
        self.directory = Directory(Reader(nc, subjects.PEOPLE), engine)
        self.client = Client(nc, "operator", seconds=10)
        self.broker = create_broker(Settings(nats_url=server.url), "reporting")
        reports = Reports(
            engine=engine,
            projector=self.projector,
            directory=self.directory,
            log=self.log,
            audiences=self.audiences,
            parked=Reader(nc, subjects.PARKED),
            out=Reader(nc, subjects.OUT),
            relay=Relay(self.log, engine, self.directory),
            keys=KeyRing.of(**KEYS),
            patience=patience,
        )
        self.broker.include_router(router_of(reports).router)

    async def ask(self, query: commands.Query, at_least: int = 0) -> dict[str, Any]:
        """Return the data of a good answer."""
        answer = await self.client.query(query, at_least)
        assert answer.ok, answer.refusal
        return answer.data

    async def refused(self, query: commands.Query, at_least: int = 0) -> str:
        """Return the code of a refusal."""
        answer = await self.client.query(query, at_least)
        assert answer.refusal is not None
        return answer.refusal.code


async def ended(task: asyncio.Task[None]) -> None:
    """Cancel and wait, so that a transaction is rolled back before its loop ends.

    Once more where it was lost: `asyncio.wait_for` of Python 3.11, which the NATS client uses, returns a result that
    comes at the same moment instead of ending.
    """
    while not task.done():
        task.cancel()
        await asyncio.wait([task], timeout=2)


@pytest.fixture
async def reporting(log_streams: NatsServer, nc: Connection, engine: AsyncEngine) -> AsyncIterator[Reporting]:
    """Yield a running instance."""
    found = Reporting(nc, engine, log_streams)
    async with AsyncExitStack() as stack:
        running = asyncio.create_task(found.projector.run())
        stack.push_async_callback(ended, running)
        await started(found.broker)
        stack.push_async_callback(found.broker.stop)
        yield found


def finished(size: int = 4) -> Story:
    """Tell of a mailing in two chunks that is done, one recipient in doubt who then opened the mail."""
    story = Story()
    story.started("m1", 2 * size, chunks=2)
    for n in range(2):
        story.planned("m1", n, size)
        story.sent("m1", n, range(1, size))
    story.sent("m1", 0, [0], "in_doubt")
    story.sent("m1", 1, [0], "rejected")
    story.hit(hit("f1", "m1", 0, 0))
    story.mailing("m1", MailingCompleted(totals={"accepted": 2 * size - 2, "rejected": 1}, in_doubt=1))
    return story


async def test_every_request_of_reporting_asks_for_its_permission(reporting: Reporting) -> None:
    """Each is forbidden to a known user without permissions, and never to one who has them."""
    for user in ("sender", "producer", "operator", "stranger"):
        for endpoint in ENDPOINTS:
            if endpoint.service != "reporting":
                continue
            asked = subjects.command if issubclass(endpoint.request, Command) else subjects.query
            subject = asked(user, endpoint.name)
            answer = Answer.model_validate_json((await reporting.nc.request(subject, b"{}", timeout=10)).data)
            code = answer.refusal.code if answer.refusal else ""
            expected = endpoint.refusal(nats_principal(user))
            assert code == expected.code if expected else code not in ("forbidden", "unauthenticated"), endpoint.name


async def test_a_query_sees_what_its_caller_wrote(reporting: Reporting) -> None:
    """`at_least` waits until the views are there, without sleeping on either side."""
    story = finished()
    seq = await record(reporting.log, story)
    found = await reporting.ask(commands.Status(mailing="m1"), seq)
    summary = ("status", "total", "sent", "failed", "in_doubt", "evidence", "read")
    assert [found[name] for name in summary] == ["Completed", 8, 7, 1, 0, 1, 1]
    assert found["position"] == seq


async def test_a_position_that_does_not_come_is_refused(
    log_streams: NatsServer, nc: Connection, engine: AsyncEngine
) -> None:
    """Where the views stand still, the caller is told instead of being given something older."""
    found = Reporting(nc, engine, log_streams, patience=0.2)  # its projector does not run
    seq = await record(found.log, finished())
    await started(found.broker)
    try:
        assert await found.refused(commands.Status(mailing="m1"), seq) == "not_yet"
    finally:
        await found.broker.stop()


async def test_what_is_not_there_is_refused_by_name(reporting: Reporting) -> None:
    """Unknown mailings, contacts, outcomes and cursors have their codes."""
    assert await reporting.refused(commands.Status(mailing="nope")) == "mailing_unknown"
    assert await reporting.refused(commands.Links(mailing="nope")) == "mailing_unknown"
    assert await reporting.refused(commands.VerifyLedger(mailing="nope")) == "mailing_unknown"
    assert await reporting.refused(commands.ConsentHistory(contact="nope")) == "contact_unknown"
    assert await reporting.refused(commands.Recipients(mailing="m1", outcome="lost")) == "invalid"
    assert await reporting.refused(commands.Recipients(mailing="m1", after="x")) == "invalid"
    assert await reporting.refused(commands.ParkedMessages(after="x")) == "invalid"


async def test_every_query_has_an_answer(reporting: Reporting) -> None:
    """All queries of the contract that belong to reporting are served."""
    story = finished()
    story.opted_out("m1", 0, 1)
    seq = await record(reporting.log, story)
    people = orjson.dumps({"people": [[contact(0, 1), "bob@example.com", "Bob"]]})
    await Documents(reporting.nc, subjects.PEOPLE).replace(subjects.person_page(0), people)
    await reporting.directory.catch_up()
    await park(reporting.nc, "sender", "jobs", "JOBS", 7, "cannot be read")
    ask = reporting.ask
    assert len((await ask(commands.Campaigns(), seq))["campaigns"]) == 1
    assert len((await ask(commands.Mailings()))["mailings"]) == 1
    rows = (await ask(commands.Recipients(mailing="m1", outcome="sent")))["rows"]
    assert (len(rows), rows[1]["name"], rows[1]["unsubscribed"]) == (7, "Bob", True)
    assert (await ask(commands.Links(mailing="m1")))["links"][0]["hits"] == 0
    assert (await ask(commands.Timeline(mailing="m1")))["points"][0]["accepted"] == 6
    assert (await ask(commands.LogLines(mailing="m1")))["rows"][0]["text"].startswith("Completed")
    assert (await ask(commands.ConsentHistory(contact=contact(0, 1))))["acts"] == []
    assert (await ask(commands.Doubts(mailing="m1")))["rows"][0]["evidence"] == "open"
    parked = (await ask(commands.ParkedMessages()))["rows"][0]
    assert (parked["seq"], parked["message"], parked["stream"]) == (1, 7, "JOBS")
    views = (await ask(commands.ViewHealth(), seq))["views"]
    assert {(view["state"], view["lag"]) for view in views} == {("live", 0)}
    assert {view["name"] for view in views} == {view.name for view in VIEWS}


@pytest.mark.feature("B1")
async def test_the_ledger_balances_against_log_and_audience(reporting: Reporting) -> None:
    """Totals, evidence and who was left out; no database is asked."""
    await record(reporting.log, finished())
    await reporting.audiences.put("h2", audience(2, 4))
    found = await reporting.ask(commands.VerifyLedger(mailing="m1"))
    assert (found["balanced"], found["gaps"], found["planned"], found["pending"]) == (True, [], 8, 0)
    totals = {"accepted": 7, "rejected": 1, "skipped": 0, "expired": 0, "cancelled": 0, "in_doubt": 0}
    assert (found["totals"], found["evidence"]) == (totals, 1)


@pytest.mark.parametrize(
    ("stored", "why"),
    [
        (None, "is missing"),
        (audience(2, 4, end=False), "ends before its end"),
        (audience(2, 4)[:60], "cannot be read|ends before its end"),
        (audience(1, 4), "holds 4 recipients, the log says 8"),
    ],
    ids=["missing", "without end", "cut off", "another"],
)
async def test_a_damaged_audience_is_a_gap(reporting: Reporting, stored: bytes | None, why: str) -> None:
    """The ledger never calls balanced what it could not read."""
    await record(reporting.log, finished())
    if stored is not None:
        await reporting.audiences.put("h2", stored)
    found = await reporting.ask(commands.VerifyLedger(mailing="m1"))
    assert not found["balanced"]
    assert any(part in gap["why"] for gap in found["gaps"] for part in why.split("|"))


@pytest.mark.feature("B1")
async def test_the_ledger_names_whoever_is_lost(reporting: Reporting) -> None:
    """A recipient without an outcome after completion stands there with contact and reason."""
    story = Story()
    story.started("m1", 4)
    story.planned("m1", 0, 4)
    story.sent("m1", 0, [0, 1, 3])
    story.mailing("m1", MailingCompleted(totals={}))
    await record(reporting.log, story)
    await reporting.audiences.put("h2", audience(1, 4))
    found = await reporting.ask(commands.VerifyLedger(mailing="m1"))
    why = "pending, though the mailing is completed"
    assert found["gaps"] == [{"n": 0, "index": 2, "contact": "p0x2", "why": why}]


@pytest.mark.parametrize("seed", [3, 4])
async def test_views_rebuilt_from_the_log_equal_the_live_ones(reporting: Reporting, seed: int, tmp_path: Path) -> None:
    """Every view of a random history gives the same rows when it is made anew."""
    seq = await record(reporting.log, tale(seed))
    await reporting.projector.wait_for(seq, 10)
    for view in VIEWS:
        rebuilt = await rebuild(reporting.log, reporting.engine, view, filters=[subjects.ALL_EVENTS], folder=tmp_path)
        assert (rebuilt.digest, rebuilt.switched) == (rebuilt.live_digest, False), view.name


async def test_a_view_that_cannot_go_on_stops_no_other(reporting: Reporting) -> None:
    """Work on a chunk that was never planned pauses progress; log and recipients go on and say so."""
    story = Story()
    story.mailing("m1", frozen(4))
    story.settled("m1", 0, group("accepted", [0]))
    story.mailing("m1", frozen(5))
    seq = await record(reporting.log, story)
    found = await reporting.ask(commands.LogLines(mailing="m1"), seq)
    assert len(found["rows"]) == 2
    assert "never planned" in found["paused"]["progress"]


async def test_the_service_answers_and_stops_in_good_order(
    log_streams: NatsServer, nc: Connection, tmp_path: Path
) -> None:
    """The process as it is deployed: up, asked, SIGTERM, exit 0."""
    seq = await record(EventLog(nc), finished())
    environment = os.environ | {
        "POSTHASTE_NATS_URL": log_streams.url,
        "POSTHASTE_DATA_DIR": str(tmp_path / "data"),
        "POSTHASTE_SECRET_KEYS": KEYS["secret_keys"],
        "POSTHASTE_ADDRESS_PEPPER": KEYS["address_pepper"],
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "services.reporting.app", env=environment, stdout=DEVNULL, stderr=DEVNULL
    )
    answer = await Client(nc, "operator", seconds=20).query(commands.Status(mailing="m1"), seq)
    assert answer.data["status"] == "Completed"
    process.send_signal(signal.SIGTERM)
    assert await asyncio.wait_for(process.wait(), 15) == 0
