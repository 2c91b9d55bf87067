"""Compare-and-set values, large objects, and the time all senders share."""

import asyncio
import os
import time
from pathlib import Path

import nats.js
import pytest

from shared.eventlog.connection import close, connect
from shared.eventlog.errors import EventLogError, MissingError
from shared.eventlog.keys import Bucket
from shared.eventlog.objects import Objects
from shared.eventlog.server_clock import ServerClock
from tests.contract.conftest import Connect, Servers
from tests.harness.nats import NatsServer
from tests.harness.waiting import until
from tests.harness.wire import Wire


@pytest.fixture
async def bucket(servers: Servers, connected: Connect) -> Bucket:
    """Return a fresh PACING bucket."""
    nc = await connected()
    await servers.create(nc, "KV_PACING")
    return Bucket(nc, "PACING")


async def test_a_key_is_read_with_the_revision_it_can_be_swapped_by(bucket: Bucket) -> None:
    """A swap with the revision that was read succeeds once."""
    assert await bucket.get("a.b") is None
    first = await bucket.swap("a.b", b"1", 0)
    assert first is not None
    assert await bucket.get("a.b") == (b"1", first)
    assert await bucket.swap("a.b", b"x", 0) is None
    second = await bucket.swap("a.b", b"2", first)
    assert second is not None
    assert await bucket.swap("a.b", b"x", first) is None
    assert await bucket.get("a.b") == (b"2", second)
    assert await bucket.put("a.b", b"3") > second


async def test_of_racing_swaps_exactly_one_wins(servers: Servers, bucket: Bucket, connected: Connect) -> None:
    """Twenty pacers in fifty rounds: one winner a round, even with equal values."""
    buckets = [bucket, Bucket(await connected(servers.nodes[-1].url), "PACING")]
    revision = 0
    for _ in range(50):
        outcomes = await asyncio.gather(*(buckets[n % 2].swap("scope", b"same", revision) for n in range(20)))
        (revision,) = [outcome for outcome in outcomes if outcome is not None]


async def test_a_deleted_key_can_be_created_again(bucket: Bucket, connected: Connect) -> None:
    """The marker another client leaves counts as not set."""
    first = await bucket.put("k", b"1")
    store = await (await connected()).jetstream().key_value("PACING")
    await store.delete("k")
    assert await bucket.get("k") is None
    assert await bucket.swap("k", b"x", first) is None
    again = await bucket.swap("k", b"2", 0)
    assert again is not None
    assert await bucket.get("k") == (b"2", again)


async def test_a_swap_whose_ack_was_lost_is_known_as_won(servers: Servers, bucket: Bucket, connected: Connect) -> None:
    """The winner finds its own write."""
    async with Wire(servers.nodes[0].port) as wire:
        far = Bucket(await connected(f"nats://127.0.0.1:{wire.port}"), "PACING")
        assert await far.get("k") is None
        wire.swallow_answers = True
        swap = asyncio.create_task(far.swap("k", b"1", 0))
        _, revision = await until(lambda: bucket.get("k")) or (b"", 0)
        wire.cut()
        assert await swap == revision


@pytest.fixture
async def objects(servers: Servers, connected: Connect) -> Objects:
    """Return a fresh AUDIENCE object store."""
    nc = await connected()
    await servers.create(nc, "OBJ_AUDIENCE")
    return Objects(nc, "AUDIENCE")


async def test_an_object_comes_back_as_it_was_put(objects: Objects, tmp_path: Path) -> None:
    """From bytes or from a file, empty or of many pieces."""
    data = os.urandom(5_000_000)
    (tmp_path / "file").write_bytes(data)
    await objects.put("bytes", data)
    await objects.put("file", tmp_path / "file")
    await objects.put("empty", b"")
    assert await objects.get("bytes") == data
    assert b"".join([piece async for piece in objects.open("file")]) == data
    assert await objects.get("empty") == b""
    assert await objects.exists("empty")
    assert not await objects.exists("other")
    with pytest.raises(MissingError):
        await objects.get("other")


async def test_putting_a_name_again_stores_nothing(objects: Objects) -> None:
    """A name is the hash of its content, so once is enough, also for ten at the same time."""
    await asyncio.gather(*(objects.put("name", b"x" * 300_000) for _ in range(10)))
    state = (await objects._reader.api("STREAM.INFO"))["state"]
    assert state["messages"] == 4
    assert await objects.get("name") == b"x" * 300_000


async def test_objects_are_laid_out_as_other_clients_expect(objects: Objects, connected: Connect) -> None:
    """The usual client reads ours, and we read what it wrote."""
    store = await (await connected()).jetstream().object_store("AUDIENCE")
    await objects.put("ours", b"a" * 200_000)
    assert (await store.get("ours")).data == b"a" * 200_000
    await store.put("theirs", b"b" * 200_000)
    assert await objects.get("theirs") == b"b" * 200_000
    await store.delete("theirs")
    assert not await objects.exists("theirs")
    await objects.put("theirs", b"c")
    assert await objects.get("theirs") == b"c"


async def test_an_object_that_does_not_match_its_digest_is_not_trusted(objects: Objects, connected: Connect) -> None:
    """A damaged object ends with an error, never with other bytes."""
    await objects.put("name", b"x" * 300_000)
    meta = await objects._meta("name")
    assert meta is not None
    js: nats.js.JetStreamContext = (await connected()).jetstream()
    await js.publish(objects._chunk_subject(meta["nuid"]), b"more")
    with pytest.raises(EventLogError, match="digest"):
        await objects.get("name")


async def test_a_put_that_fails_leaves_nothing(objects: Objects, tmp_path: Path) -> None:
    """A source that cannot be read is an error, and no pieces stay behind."""
    with pytest.raises(OSError, match="no-such"):
        await objects.put("name", tmp_path / "no-such-file")
    assert (await objects._reader.api("STREAM.INFO"))["state"]["messages"] == 0
    assert not await objects.exists("name")


@pytest.mark.alone
async def test_server_time_is_within_its_precision(servers: Servers, connected: Connect) -> None:
    """On one machine the server's clock and ours are the same clock."""
    nc = await connected()
    await servers.create(nc, "EVENTS")
    clock = ServerClock(nc)
    assert abs(clock.now() - time.time()) < 0.01
    await clock.sync()
    assert clock.precision < 0.05
    assert abs(clock.now() - time.time()) <= clock.precision + 0.002


async def test_server_time_is_put_right_while_it_runs(servers: Servers, connected: Connect) -> None:
    """An offset that is wrong is replaced at the next sync."""
    nc = await connected()
    await servers.create(nc, "EVENTS")
    clock = ServerClock(nc)
    clock._offset += 5
    running = asyncio.create_task(clock.run())
    await until(lambda: clock.precision < 1)
    assert abs(clock.now() - time.time()) < clock.precision + 0.1
    running.cancel()


async def test_server_time_goes_on_while_the_server_is_away(tmp_path: Path) -> None:
    """A sync that fails says so and keeps the offset."""
    server = NatsServer(tmp_path / "away").start()
    nc = await connect(server.url, name="clock")
    clock = ServerClock(nc)
    server.kill()
    clock._reader._budget = 0.2
    before = clock.now()
    with pytest.raises(EventLogError):
        await clock.sync()
    assert 0 < clock.now() - before < 10
    await close(nc)
