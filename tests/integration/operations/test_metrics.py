"""What services show of themselves is what docs/metrics.md says, and it is true."""

import asyncio
import re
import urllib.request
from collections.abc import AsyncIterator
from dataclasses import asdict
from pathlib import Path

import pytest
from nats.aio.client import Client as Connection
from prometheus_client import REGISTRY
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import insert

from deploy.local import Local
from services.planner.census import Census
from services.planner.facts import ACCOUNTS, CHUNKS, MAILINGS, millis
from services.planner.schema import METADATA
from services.reporting import tables
from services.reporting.watch import Watch
from services.sender import metrics as sending
from shared.clock import now
from shared.contracts import subjects
from shared.database import create_tables, open_engine
from shared.eventlog.connection import connect
from shared.eventlog.errors import UnavailableError
from shared.eventlog.vitals import Vitals
from shared.messaging.parking import park
from tests.harness.containers import ROOT
from tests.harness.installations import Quick
from tests.harness.nats import NatsCluster, NatsServer
from tests.harness.posthaste import Posthaste
from tests.harness.waiting import until

DOCUMENTED = {
    name: services.split(", ")
    for name, services in re.findall(
        r"^\| `(posthaste_\w+)` \| \w+ \| ([\w, ]+) \|", (ROOT / "docs/metrics.md").read_text(), re.MULTILINE
    )
}
SERVICES = ("planner", "sender", "tracker", "reporting")
PEOPLE = "email\nann@one.example\nbob@two.example\nreject-1@three.example\n"

Shown = dict[tuple[str, frozenset[str]], float]


@pytest.fixture
async def local(tmp_path: Path) -> AsyncIterator[Local]:
    """Yield everything on one machine."""
    async with Quick(tmp_path / "data", ports="free") as running:
        yield running


def exposition(port: int) -> str:
    """Return what a service shows."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as reply:
        return str(reply.read().decode())


def samples(text: str) -> Shown:
    """Return the samples in it by name and label values."""
    return {
        (sample.name, frozenset(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def value(name: str, **labels: str) -> float | None:
    """Return what this process shows."""
    return REGISTRY.get_sample_value(name, labels)


@pytest.mark.feature("B22")
async def test_every_documented_metric_is_shown_by_its_services_and_is_right(local: Local, tmp_path: Path) -> None:
    """After a mailing of three the numbers are those of the mailing, and each metric is where the document says."""
    posthaste, people, html = Posthaste(local.folder.path), tmp_path / "people.csv", tmp_path / "mail.html"
    people.write_text(PEOPLE)
    html.write_text("<p>Hello</p>")
    draft = ["--campaign", "Spring", "--account", "relay", "--from", "Shop <news@shop.example>", "--subject", "Hi"]
    smtp = ["--host", "127.0.0.1", "--port", str(local.urls.smtp_port), "--tls", "none"]
    for arguments in (
        ["account", "add", "--name", "relay", *smtp, "--sender", "news@shop.example"],
        ["account", "test", "relay"],
        ["contacts", "import", str(people), "--list", "Readers"],
        ["campaign", "open", "--name", "Spring", "--list", "Readers"],
    ):
        ended = await posthaste(*arguments)
        assert ended.code == 0, ended
    drafted = await posthaste("mailing", "draft", "--name", "May", *draft, "--html", str(html), "--json")
    mailing = drafted.json["mailing"]
    await posthaste("mailing", "audience", mailing)
    await posthaste("mailing", "schedule", mailing)
    ports = {name.removeprefix("ops_"): port for name, port in asdict(local.ports).items() if name.startswith("ops_")}

    def shown(service: str) -> Shown:
        return samples(exposition(ports[service]))

    async def counted() -> bool:
        planner, reporting = await asyncio.to_thread(shown, "planner"), await asyncio.to_thread(shown, "reporting")
        done = planner.get(("posthaste_mailings_count", frozenset({"completed"})))
        return done == 1 and ("posthaste_stream_last_seq", frozenset({"EVENTS"})) in reporting

    await until(counted, 60, every=0.5)
    everything = {service: shown(service) for service in SERVICES}
    for name, services in DOCUMENTED.items():
        for service in SERVICES if services == ["all"] else services:
            assert f"# TYPE {name} " in exposition(ports[service]), f"{name} in {service}"
    sender, reporting, planner = (everything[service] for service in ("sender", "reporting", "planner"))
    assert sender["posthaste_mails_total", frozenset({"accepted"})] == 2
    assert sender["posthaste_mails_total", frozenset({"rejected"})] == 1
    assert sender["posthaste_claim_recipients_sum", frozenset()] == 3
    assert abs(sender["posthaste_clock_offset_seconds", frozenset()]) < 1
    assert all(everything[service]["posthaste_nats_up", frozenset()] == 1 for service in SERVICES)
    assert reporting["posthaste_projector_lag_seconds", frozenset({subjects.REPORTING_VIEWS})] == 0
    assert planner["posthaste_projector_lag_seconds", frozenset({subjects.PLANNER_FACTS})] == 0
    assert all(planner["posthaste_chunks_count", frozenset({state})] == 0 for state in ("waiting", "sending", "stuck"))
    assert reporting["posthaste_nats_storage_bytes", frozenset({"127.0.0.1"})] > 0
    assert reporting["posthaste_nats_storage_limit_bytes", frozenset({"127.0.0.1"})] > 0
    assert all(shown["posthaste_disk_free_bytes", frozenset()] > 0 for shown in everything.values())


async def test_the_census_tells_what_chunks_wait_for(tmp_path: Path) -> None:
    """A chunk is in one state; one that something holds (a pause, a window, a time to come) is never stuck."""
    engine = open_engine(f"sqlite:///{tmp_path / 'census.sqlite3'}")
    await create_tables(engine, METADATA)
    late, old = millis(now()), millis(now()) - 3_600_000
    blank: dict[str, object] = {
        "lane": "rest",
        "kind": "campaign",
        "size": 5,
        "totals": "",
        "parked": "",
        "parked_seq": 0,
        "due_at": 0,
    }
    blank |= {"mailing": "sends", "account": "good", "started": True, "passed": False, "finished": False}
    blank |= {"planned_at": old, "last_at": late}
    chunks: list[dict[str, object]] = [
        {"last_at": late},  # sending
        {"started": False, "planned_at": late - 60_000},  # waiting
        {"started": False, "planned_at": old, "mailing": "paused"},  # waiting, and not the oldest that could go on
        {"passed": True},  # deferred
        {"passed": True, "last_at": old, "due_at": late + 3_600_000},  # deferred until later
        {"last_at": old},  # stuck
        {"last_at": old, "account": "bad"},  # sending: its account is paused
        {"last_at": old, "mailing": "paused"},  # sending: its mailing is
        {"last_at": old, "parked": "no payload"},  # parked
        {"finished": True},
        {"size": 0},  # not planned yet
    ]
    async with engine.begin() as conn:
        await conn.execute(
            insert(MAILINGS),
            [
                {"id": id_, "status": status, "state": "{}", "resumed": 0, "retry": 0, "seq": 0}
                for id_, status in (("sends", "sending"), ("paused", "paused"), ("gone", "deleted"))
            ],
        )
        await conn.execute(
            insert(ACCOUNTS),
            [
                {"id": id_, "state": "{}", "paused": why, "retry": 0, "seq": 0}
                for id_, why in (("good", ""), ("bad", "AUTH"))
            ],
        )
        await conn.execute(insert(CHUNKS), [blank | {"n": n} | chunk for n, chunk in enumerate(chunks)])
    census = Census(engine, stuck_seconds=300)
    states, oldest, _ = await census.look()
    assert states == {"sending": 3, "waiting": 2, "deferred": 2, "stuck": 1, "parked": 1}
    assert oldest == pytest.approx(60, abs=5)
    await census.count()
    await engine.dispose()
    assert value("posthaste_chunks_count", state="stuck") == 1
    assert value("posthaste_mailings_count", status="sending") == 1
    assert value("posthaste_mailings_count", status="deleted") is None


async def test_the_watch_sees_parked_messages_doubts_and_servers(
    nc: Connection, log_streams: NatsServer, tmp_path: Path
) -> None:
    """It shows what is parked and in doubt, asks each server for its disk, and says which does not answer."""
    engine = open_engine(f"sqlite:///{tmp_path / 'watch.sqlite3'}")
    await create_tables(engine, tables.metadata)
    async with engine.begin() as conn:
        await conn.execute(
            insert(tables.mailings),
            [
                {"mailing": id_, "in_doubt": doubts, "deleted": deleted}
                for id_, doubts, deleted in (("m1", 3, 0), ("m2", 4, 0), ("gone", 9, 1))
            ],
        )
    await park(nc, "sender", "jobs", subjects.EVENTS, 7, "it failed")
    urls = f"http://127.0.0.1:{log_streams.http_port}, http://localhost:1/"
    await Watch(Vitals(nc), engine, urls).look()
    await engine.dispose()
    assert value("posthaste_doubts_count") == 7
    assert value("posthaste_stream_messages_count", stream="PARKED") == 1
    assert value("posthaste_consumer_pending_count", stream="EVENTS", consumer="jobs") == 0
    assert value("posthaste_nats_server_up", server="127.0.0.1") == 1
    assert value("posthaste_nats_server_up", server="localhost") == 0
    assert (value("posthaste_nats_storage_bytes", server="127.0.0.1") or 0) > 0
    await asyncio.to_thread(log_streams.stop)
    await Watch(Vitals(nc), engine, urls).look()
    assert value("posthaste_nats_server_up", server="127.0.0.1") == 0
    assert value("posthaste_stream_messages_count", stream="PARKED") == 1


@pytest.mark.cluster
async def test_a_replica_that_is_away_is_counted(cluster: NatsCluster) -> None:
    """A stream tells of its copies that are missing, and that they are back."""
    nc = await connect(cluster.url, name="test")
    await nc.jetstream(timeout=20).add_stream(name="EVENTS", subjects=["evt.>"], num_replicas=3)
    vitals, leader = Vitals(nc), await asyncio.to_thread(cluster.leader, "EVENTS")

    async def behind(count: int) -> bool:
        try:
            return [stream.behind for stream in await vitals.streams(["EVENTS", "NOWHERE"])] == [count]
        except UnavailableError:  # a leader is being elected
            return False

    await until(lambda: behind(0), 40)
    other = next(node for node in cluster.nodes if node is not leader)
    await asyncio.to_thread(other.kill)
    await until(lambda: behind(1), 40)
    await asyncio.to_thread(other.start)
    await until(lambda: behind(0), 40)
    await nc.close()


def test_a_relay_counts_as_unreachable_after_three_failures_and_until_it_works(monkeypatch: pytest.MonkeyPatch) -> None:
    """One account counts once, whatever many lanes it has; what failed long ago tells nothing."""
    monkeypatch.setattr(sending, "_failures", {})
    for lane in ("rest", "prompt"):
        for _ in range(sending.DOWN_AFTER):
            assert sending.unreachable() == (1 if lane == "prompt" else 0)
            sending.trouble("a1", lane)
    assert sending.unreachable() == 1
    sending.worked("a1", "rest")
    sending.worked("a1", "prompt")
    assert sending.unreachable() == 0
    monkeypatch.setattr(sending, "_failures", {("a2", "rest"): (9, -sending.FRESH * 1000)})
    assert sending.unreachable() == 0
