"""Pulling from consumers of a real server: promptness, and nothing lost when something breaks."""

import asyncio
import statistics
import time
from collections.abc import AsyncIterator

import pytest
from nats.aio.client import Client

from shared.eventlog.connection import connect
from shared.eventlog.errors import ConsumerGoneError, EventLogError
from shared.eventlog.pull import Pull, PullMessage, ensure_consumer
from tests.harness.nats import NatsServer
from tests.harness.waiting import until

CONSUMER = {"durable_name": "worker", "ack_policy": "explicit", "ack_wait": 1_000_000_000, "max_ack_pending": 5000}


@pytest.fixture
async def pull(nc: Client) -> AsyncIterator[Pull]:
    """Yield a pull from a consumer of a stream `J` on `job.>`."""
    await nc.jetstream().add_stream(name="J", subjects=["job.>"])
    await ensure_consumer(nc, "J", CONSUMER)
    pull = Pull(nc, "J", "worker")
    yield pull
    await pull.close()


async def put(nc: Client, count: int = 1, start: int = 0) -> None:
    """Add messages numbered from `start`."""
    for number in range(start, start + count):
        await nc.jetstream().publish(f"job.{number}", str(number).encode())


async def drained(pull: Pull, count: int) -> list[PullMessage]:
    """Fetch and acknowledge until so many came and, for a moment, no more."""
    found: list[PullMessage] = []
    while messages := await pull.fetch(100, 10 if len(found) < count else 0.3):
        for message in messages:
            await message.ack()
        found += messages
    return found


async def test_a_message_knows_where_it_stands(nc: Client, pull: Pull) -> None:
    """A delivery carries subject, body, sequences, count and record time."""
    await put(nc, 3)
    messages = await drained(pull, 3)
    assert [(m.subject, m.data, m.seq, m.consumer_seq, m.delivered) for m in messages] == [
        (f"job.{n}", str(n).encode(), n + 1, n + 1, 1) for n in range(3)
    ]
    assert messages[-1].pending == 0
    stored = await nc.jetstream().get_msg("J", 1)
    assert stored.time is not None
    assert abs((messages[0].recorded_at - stored.time).total_seconds()) < 0.001


async def test_a_partial_batch_is_returned_at_once(nc: Client, pull: Pull) -> None:
    """What is there is handed out without waiting for the batch to be full."""
    await put(nc, 3)
    began = time.monotonic()
    assert await pull.fetch(500, 60)
    assert time.monotonic() - began < 20


async def test_an_idle_fetch_returns_empty_after_its_timeout(pull: Pull) -> None:
    """Nothing to do is an empty list, in time; how promptly is for tests that run alone."""
    began = time.monotonic()
    assert await pull.fetch(10, 0.3) == []
    assert 0.25 < time.monotonic() - began < 10


async def test_what_arrives_between_fetches_comes_once(nc: Client, pull: Pull) -> None:
    """Messages that arrive after a fetch gave up, or was cancelled, are in the next one, first delivery."""
    assert await pull.fetch(5, 0.05) == []
    cancelled = asyncio.create_task(pull.fetch(5, 10))
    await until(lambda: pull._open)
    cancelled.cancel()
    await put(nc, 8)
    messages = await drained(pull, 8)
    assert [m.seq for m in messages] == list(range(1, 9))
    assert {m.delivered for m in messages} == {1}


async def test_a_message_given_back_comes_again(nc: Client, pull: Pull) -> None:
    """After a nak the message comes again, not before its delay, and says that it is the second delivery."""
    await put(nc)
    began = time.monotonic()
    await (await pull.fetch(1, 5))[0].nak(0.3)
    again = (await pull.fetch(1, 5))[0]
    assert again.delivered == 2
    assert time.monotonic() - began > 0.25
    await again.ack_sync()
    assert await pull.fetch(1, 1.2) == []


async def test_closing_gives_back_what_was_not_fetched(nc: Client, pull: Pull) -> None:
    """Messages that wait in a closed pull go to others at once instead of after ack_wait."""
    await ensure_consumer(nc, "J", {**CONSUMER, "ack_wait": 60_000_000_000})
    await put(nc, 4)
    await pull.ask(4, 5)
    await until(lambda: len(pull._buffer) == 4)
    await pull.close()
    other = Pull(nc, "J", "worker")
    began = time.monotonic()
    messages = [message for _ in range(4) for message in await other.fetch(1, 5)]
    assert time.monotonic() - began < 20
    assert {m.delivered for m in messages} == {2}
    await other.close()


async def test_a_slow_reader_holds_no_more_than_its_batch(nc: Client, pull: Pull) -> None:
    """While it works on what it fetched, the backlog stays on the server, however often it asks."""
    await ensure_consumer(nc, "J", CONSUMER | {"max_ack_pending": 50})
    await put(nc, 400)
    held = [message for _ in range(5) for message in await pull.fetch(50, 0.2)]
    info = await nc.jetstream().consumer_info("J", "worker")
    assert (len(held), len(pull._buffer), info.num_ack_pending, info.num_pending) == (50, 0, 50, 350)
    for message in held:
        await message.ack()
    assert [int(message.data) for message in await drained(pull, 350)] == list(range(50, 400))


async def test_nothing_is_lost_when_the_server_is_killed(nats_server: NatsServer, nc: Client, pull: Pull) -> None:
    """Every message is delivered although the server dies twice while they are pulled."""
    await put(nc, 600)
    seen: set[int] = set()
    for kill_at in (100, 300, None):
        while len(seen) < 600 and (kill_at is None or len(seen) < kill_at):
            for message in await pull.fetch(50, 1):
                seen.add(message.seq)
                await message.ack()
        if kill_at:
            await asyncio.to_thread(nats_server.restart, kill=True)
    assert seen == set(range(1, 601))


async def test_a_fetch_that_waits_survives_a_kill(nats_server: NatsServer, nc: Client, pull: Pull) -> None:
    """A fetch that was already waiting when the server died gets what comes after the server is back."""
    waiting = asyncio.create_task(pull.fetch(10, 60))
    await until(lambda: pull._open)
    await asyncio.to_thread(nats_server.restart, kill=True)
    await until(lambda: nc.is_connected)
    await put(nc)
    began = time.monotonic()
    assert [m.subject for m in await waiting] == ["job.0"]
    assert time.monotonic() - began < 20


async def test_a_deleted_consumer_is_told(nc: Client, pull: Pull) -> None:
    """A waiting fetch learns that its consumer was deleted; so does one that asks afterwards."""
    waiting = asyncio.create_task(pull.fetch(10, 10))
    await until(lambda: pull._open)
    await nc.jetstream().delete_consumer("J", "worker")
    with pytest.raises(ConsumerGoneError, match="consumer not found"):
        await waiting
    with pytest.raises(ConsumerGoneError):
        await pull.fetch(1, 10)
    await ensure_consumer(nc, "J", CONSUMER)
    await put(nc)
    assert await pull.fetch(1, 5)


async def test_a_deleted_stream_is_told(nc: Client, pull: Pull) -> None:
    """A waiting fetch learns that its stream is gone."""
    waiting = asyncio.create_task(pull.fetch(10, 10))
    await until(lambda: pull._open)
    await nc.jetstream().delete_stream("J")
    with pytest.raises(ConsumerGoneError, match="stream not found"):
        await waiting


async def test_a_silent_server_is_asked_again(nats_server: NatsServer, nc: Client, pull: Pull) -> None:
    """A request that the server forgot, seen by missing heartbeats, is made again within seconds."""
    waiting = asyncio.create_task(pull.fetch(10, 20))
    await until(lambda: pull._open)
    first = pull._number
    nats_server.freeze()
    await until(lambda: pull._number > first, 6)
    nats_server.thaw()
    await put(nc)
    assert [m.subject for m in await waiting] == ["job.0"]


async def test_a_reader_that_cannot_resume_ends_at_any_interruption(
    nats_server: NatsServer, nc: Client, pull: Pull
) -> None:
    """With `resume=False` a reconnect raises, so that the owner starts again behind its position."""
    assert pull
    fragile = Pull(nc, "J", "worker", resume=False)
    waiting = asyncio.create_task(fragile.fetch(10, 20))
    await until(lambda: fragile._open)
    await asyncio.to_thread(nats_server.restart, kill=True)
    with pytest.raises(ConsumerGoneError, match="reconnected"):
        await waiting


async def test_a_consumer_is_created_once_and_updated(nc: Client, pull: Pull) -> None:
    """Ensuring twice changes nothing, a changed field is applied, a refused one is an error."""
    assert pull
    await ensure_consumer(nc, "J", CONSUMER)
    await ensure_consumer(nc, "J", {**CONSUMER, "max_ack_pending": 7})
    assert (await nc.jetstream().consumer_info("J", "worker")).config.max_ack_pending == 7
    with pytest.raises(EventLogError, match="refused"):
        await ensure_consumer(nc, "J", {**CONSUMER, "deliver_policy": "new"})


@pytest.mark.alone
async def test_trickling_messages_are_prompt_and_idling_is_free(nats_server: NatsServer, pull: Pull) -> None:
    """Half of the single messages arrive within 5 ms, and a second of waiting costs under 30 ms of CPU."""
    sender = await connect(nats_server.url, name="sender")
    delays: list[float] = []
    for _ in range(100):
        waiting = asyncio.create_task(pull.fetch(10, 5))
        await until(lambda: pull._open, every=0.001)
        began = time.perf_counter()
        await sender.publish("job.x", b"")
        (message,) = await waiting
        delays.append(time.perf_counter() - began)
        await message.ack()
    assert statistics.median(delays) < 0.005
    cpu = time.process_time()
    assert await pull.fetch(10, 1) == []
    assert time.process_time() - cpu < 0.03
    await sender.close()
