"""`posthaste doctor` on a real installation: each thing is broken for real, and its line is seen with a remedy."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from nats.aio.client import Client
from nats.js.api import StreamConfig

from deploy import doctor
from deploy.local import Local
from shared.contracts import subjects
from shared.contracts.consumers import JOB_CONSUMER
from shared.eventlog.keys import Bucket
from shared.eventlog.pull import ensure_consumer
from shared.messaging.parking import park
from tests.harness.installations import Quick
from tests.harness.nats import NatsServer
from tests.harness.posthaste import Posthaste
from tests.harness.waiting import until

SECRETS = {"POSTHASTE_SECRET_KEYS": "k" * 40, "POSTHASTE_ADDRESS_PEPPER": "p" * 40}


@pytest.fixture
async def local(tmp_path: Path) -> AsyncIterator[Local]:
    """Yield everything on one machine."""
    async with Quick(tmp_path / "data", ports="free") as running:
        yield running


def _lines(report: dict[str, Any], *, ok: bool) -> dict[str, str]:
    return {line["check"]: line["detail"] for line in report["checks"] if line["ok"] == ok}


@pytest.mark.feature("B27")
async def test_all_is_well_then_each_thing_that_is_broken_has_its_line(local: Local) -> None:
    """Exit 0 while all is well; 1 with a line for a parked message, a dead service, a lost stream, a restored log."""
    posthaste = Posthaste(local.folder.path)

    async def well() -> bool:
        return (await posthaste("doctor", "--json")).code == 0

    await until(well, 30)
    seen = _lines((await posthaste("doctor", "--json")).json, ok=True)
    assert {"streams", "consumers", "capacity", "disk", "clock", "keys", "services", "incarnation"} <= set(seen)
    assert {"chunks", "views", "parked", "ledger"} <= set(seen)

    nc = await local.connect("deploy")
    await park(nc, "sender", "jobs", subjects.EVENTS, 1, "broken on purpose")
    await Bucket(nc, subjects.SECRETS).put("acc1", b"sealed by nobody")
    config = (await nc.jetstream().stream_info(subjects.EVENTS)).config
    config.metadata = (config.metadata or {}) | {subjects.RESTORED_FROM: "a test", subjects.INCARNATION: "other"}
    await nc.jetstream().update_stream(config)
    await nc.jetstream().delete_stream(subjects.INBOX)
    await nc.close()
    await local.down("tracker")

    async def noticed() -> bool:
        ended = await posthaste("doctor", "--json")
        wrong = _lines(ended.json, ok=False)
        return ended.code == 1 and {"streams", "parked", "keys", "services", "incarnation"} <= set(wrong)

    await until(noticed, 30, every=0.5)
    ended = await posthaste("doctor")
    assert ended.code == 1
    for said in ("INBOX is missing", "posthaste streams apply", "acc1 opens with no key", "tracker is not ready"):
        assert said in ended.out, ended.out
    assert "resume --after-restore" in ended.out
    assert "1 messages are parked" in ended.out


async def test_jobs_that_nobody_pulls_are_seen(log_streams: NatsServer, nc: Client) -> None:
    """A lane with jobs and no sender, and timers without a planner."""
    del log_streams
    durable = subjects.job_consumer("acc1", "rest")
    filters = {"durable_name": durable, "filter_subject": subjects.jobs_of("acc1", "rest")}
    await ensure_consumer(nc, subjects.JOBS, JOB_CONSUMER | filters)
    await nc.jetstream().publish("due.retry.acc1.rest.m1.0", b"")

    async def seen() -> bool:
        details = [one.detail for one in await doctor.consumers(nc) if not one.ok]
        return len(details) == 2 and durable in details[0] and "timers" in details[1]

    await until(seen, 10)


async def test_a_stream_that_differs_and_a_clock_that_agrees(log_streams: NatsServer, nc: Client) -> None:
    """Drift names the field; this machine's clock is that of its own server."""
    del log_streams
    config: StreamConfig = (await nc.jetstream().stream_info(subjects.INBOX)).config
    config.max_age = 3600
    await nc.jetstream().update_stream(config)
    wrong = [one for one in await doctor.streams(nc) if not one.ok]
    assert ["max_age" in one.detail for one in wrong] == [True]
    assert wrong[0].remedy == "posthaste streams apply --replicas 1"
    assert all(one.ok for one in await doctor.clock(nc))
    assert all(one.ok for one in await doctor.keys(nc, SECRETS))
