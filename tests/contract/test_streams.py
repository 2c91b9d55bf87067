"""Streams and fixed consumers: the live server equals deploy/streams.py, and jobs come out of the log by themselves."""

import json
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from nats.aio.client import Client

from deploy.apply import ApplyError, apply, check, plan
from deploy.streams import DAY, STREAMS
from shared.contracts import subjects
from shared.eventlog.connection import connect
from tests.harness.installations import applied
from tests.harness.nats import NatsCluster
from tests.harness.waiting import until


async def api(nc: Client, what: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
    """Ask the JetStream API and insist on success."""
    answer: dict[str, Any] = json.loads((await nc.request(f"$JS.API.{what}", json.dumps(body or {}).encode())).data)
    assert "error" not in answer, answer
    return answer


async def jobs(nc: Client) -> set[str]:
    """Return the subjects that have a job now."""
    info = await api(nc, "STREAM.INFO.JOBS", {"subjects_filter": ">"})
    return set(info["state"].get("subjects") or ())


async def job_arrives(nc: Client, ref: subjects.ChunkRef, timeout: float = 10) -> float:  # noqa: ASYNC109 - a deadline
    """Wait for a job of `ref`; return after how many seconds it was there."""
    start = time.monotonic()

    async def there() -> bool:
        return ref.job in await jobs(nc)

    await until(there, timeout, every=0.001)
    return time.monotonic() - start


def ref(n: int) -> subjects.ChunkRef:
    """Return the n-th chunk of one mailing."""
    return subjects.ChunkRef("a1", subjects.REST, "m1", n)


async def plan_chunk(nc: Client, n: int) -> None:
    """Publish what stands for a planned chunk."""
    await nc.jetstream().publish(subjects.plan("m1", "a1", subjects.REST, n), b"[]")


@pytest.mark.usefixtures("log_streams")
async def test_apply_makes_everything_and_a_second_apply_does_nothing(nc: Client) -> None:
    """After one apply the server equals the data, and applying again finds nothing to do."""
    assert await check(nc) == []
    assert await plan(nc) == []
    assert await apply(nc) == []


@pytest.mark.usefixtures("log_streams")
async def test_drift_is_named_and_repaired(nc: Client) -> None:
    """A stream somebody narrowed and a consumer somebody deleted are reported by field and put right."""
    config = (await api(nc, "STREAM.INFO.INBOX"))["config"]
    await api(nc, "STREAM.UPDATE.INBOX", config | {"max_age": DAY})
    await api(nc, f"CONSUMER.DELETE.EVENTS.{subjects.REPORTING_VIEWS}")
    assert {(drift.target, drift.field) for drift in await check(nc)} == {
        ("stream INBOX", "max_age"),
        (f"consumer EVENTS/{subjects.REPORTING_VIEWS}", ""),
    }
    await apply(nc)
    assert await check(nc) == []


@pytest.mark.usefixtures("log_streams")
async def test_a_wider_live_stream_is_never_narrowed(nc: Client) -> None:
    """What an operator keeps longer stays, is reported as drift, and other repairs of the stream still happen."""
    config = (await api(nc, "STREAM.INFO.INBOX"))["config"]
    wider = {"max_age": 30 * DAY, "subjects": ["in.>", "more.>"], "discard": "new"}
    await api(nc, "STREAM.UPDATE.INBOX", config | wider)
    await apply(nc)
    live = (await api(nc, "STREAM.INFO.INBOX"))["config"]
    assert (live["max_age"], live["subjects"], live["discard"]) == (30 * DAY, ["in.>", "more.>"], "old")
    assert {drift.field for drift in await check(nc)} == {"max_age", "subjects"}


@pytest.mark.usefixtures("nats_server")
async def test_what_cannot_be_changed_in_place_is_refused(nc: Client) -> None:
    """A stream of another storage is not touched; the message says what to do."""
    await api(nc, "STREAM.CREATE.PARKED", {"name": "PARKED", "subjects": ["parked.>"], "storage": "memory"})
    with pytest.raises(ApplyError, match="PARKED has storage 'memory'"):
        await apply(nc)


@pytest.mark.usefixtures("log_streams")
async def test_the_log_keeps_its_incarnation(nc: Client) -> None:
    """EVENTS has an incarnation id from its first apply, and later applies keep it."""
    before = (await api(nc, "STREAM.INFO.EVENTS"))["config"]
    await api(nc, "STREAM.UPDATE.EVENTS", before | {"duplicate_window": 60_000_000_000})
    await apply(nc)
    after = (await api(nc, "STREAM.INFO.EVENTS"))["config"]
    assert after["metadata"][subjects.INCARNATION] == before["metadata"][subjects.INCARNATION] != ""


@pytest.mark.usefixtures("log_streams")
async def test_a_planned_chunk_and_a_due_retry_become_jobs(nc: Client) -> None:
    """The server turns both into jobs of the same shape by itself, and soon."""
    await plan_chunk(nc, 0)
    await job_arrives(nc, ref(0))
    await plan_chunk(nc, 1)
    assert await job_arrives(nc, ref(1)) < 0.5
    await nc.jetstream().publish(ref(2).due_retry, b"")
    assert await job_arrives(nc, ref(2)) < 0.5
    assert {subjects.ChunkRef.of_job(job) for job in await jobs(nc)} == {ref(0), ref(1), ref(2)}


@pytest.mark.usefixtures("log_streams")
async def test_a_timer_fires_into_a_job(nc: Client) -> None:
    """A scheduled message in TIMERS becomes a job when it is due, not before."""
    due = datetime.now(UTC) + timedelta(seconds=0.4)
    await nc.jetstream().publish(
        ref(3).retry_timer,
        b"",
        headers={
            "Nats-Schedule": f"@at {due.isoformat().replace('+00:00', 'Z')}",
            "Nats-Schedule-Target": ref(3).due_retry,
            "Nats-Schedule-TTL": "168h",
        },
    )
    await job_arrives(nc, ref(3))
    assert datetime.now(UTC) >= due


@pytest.mark.parametrize("lost", [("JOBS",), ("TIMERS",), ("TIMERS", "JOBS")])
@pytest.mark.usefixtures("log_streams")
async def test_deleted_jobs_and_timers_come_back(nc: Client, lost: tuple[str, ...]) -> None:
    """After JOBS or TIMERS were deleted by hand an apply makes them flow again, from both sources."""
    for n in range(5):
        await nc.jetstream().publish(ref(n).due_retry, b"")
    await plan_chunk(nc, 5)
    for n in range(6):
        await job_arrives(nc, ref(n))
    for name in lost:
        await api(nc, f"STREAM.DELETE.{name}")
    await apply(nc)
    assert await check(nc) == []
    await nc.jetstream().publish(ref(10).due_retry, b"")
    await plan_chunk(nc, 11)
    await job_arrives(nc, ref(10))
    await job_arrives(nc, ref(11))


@pytest.mark.cluster
async def test_a_cluster_of_three_replicates_everything(cluster: NatsCluster) -> None:
    """With three replicas all streams are on all nodes, and jobs come out of the log."""
    nc = await connect(cluster.url, name="test")
    try:
        await applied(nc, replicas=3)
        assert await check(nc, replicas=3) == []
        for stream in STREAMS:
            assert (await api(nc, f"STREAM.INFO.{stream.name}"))["config"]["num_replicas"] == 3
        await plan_chunk(nc, 0)
        await nc.jetstream().publish(ref(1).due_retry, b"")
        await job_arrives(nc, ref(0), 30)
        await job_arrives(nc, ref(1), 30)
    finally:
        await nc.close()
