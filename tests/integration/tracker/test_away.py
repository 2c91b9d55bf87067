"""The broker away: every click leads on at once, every hit and every unsubscribe is in the log when it is back."""

import asyncio
import resource
import time
from pathlib import Path

import pytest

from shared.contracts.consent import OptedIn, OptedOut
from tests.harness.nats import NatsServer
from tests.harness.tracker import TrackerProcess, click, unsubscribe
from tests.harness.waiting import until
from tests.harness.web import Reply
from tests.integration.tracker.conftest import Written

TARGET = "https://shop.example.com/"
ONE_CLICK = b"List-Unsubscribe=One-Click"
REDIRECT_SECONDS = 0.05


async def _click(tracker: TrackerProcess, first: int, count: int) -> list[Reply]:
    """Follow `count` links one after the other."""
    return [await tracker.web.get(click(TARGET, index=index)) for index in range(first, first + count)]


async def _all_arrived(written: Written, count: int) -> bool:
    return {hit.index for hit in await written.hits()} >= set(range(count))


def _median(replies: list[Reply]) -> float:
    return sorted(reply.seconds for reply in replies)[len(replies) // 2]


@pytest.mark.feature("B10")
@pytest.mark.alone
async def test_clicks_lead_on_while_the_broker_is_stopped(
    tracker: TrackerProcess, written: Written, log_streams: NatsServer
) -> None:
    """Before, during and after: 302 within 50 ms, and all hits are in the log after the return."""
    replies = await _click(tracker, 0, 10)
    await asyncio.to_thread(log_streams.stop)
    replies += await _click(tracker, 10, 60)
    assert {reply.status for reply in replies} == {302}
    assert max(reply.seconds for reply in replies) < REDIRECT_SECONDS * 2, "one stall of the machine may be forgiven"
    assert sum(reply.seconds < REDIRECT_SECONDS for reply in replies) >= len(replies) - 1
    await asyncio.to_thread(log_streams.start)
    await until(tracker.spool_is_empty, 20)
    assert await _all_arrived(written, 70)
    facts = [hit.id for hit in await written.hits()]
    assert len(facts) == len(set(facts)) == 70


@pytest.mark.alone
async def test_clicks_lead_on_while_the_broker_hangs(
    tracker: TrackerProcess, written: Written, log_streams: NatsServer
) -> None:
    """A server that keeps its connections and answers nothing costs the first clicks the patience, others nothing."""
    log_streams.freeze()
    replies = await _click(tracker, 0, 30)
    assert {reply.status for reply in replies} == {302}
    assert sum(reply.seconds < REDIRECT_SECONDS for reply in replies) >= len(replies) - 1
    assert _median(replies) < REDIRECT_SECONDS / 2
    log_streams.thaw()
    await until(tracker.spool_is_empty, 20)
    assert await _all_arrived(written, 30)


async def test_a_crash_with_a_full_spool_loses_nothing(
    tracker: TrackerProcess, written: Written, log_streams: NatsServer
) -> None:
    """Killed while the broker is away, started while it is still away: what was answered is in the log in the end."""
    await asyncio.to_thread(log_streams.kill)
    await _click(tracker, 0, 20)
    assert (await tracker.web.post(unsubscribe(["lista"]), ONE_CLICK)).status == 200
    tracker.kill()
    await tracker.start(broker="away")
    replies = await _click(tracker, 20, 20)
    assert {reply.status for reply in replies} == {302}
    await asyncio.to_thread(log_streams.start)
    await until(tracker.spool_is_empty, 20)
    assert await _all_arrived(written, 40)
    assert [type(act) for act in await written.consent()] == [OptedOut]


async def test_consent_keeps_its_order_through_the_spool(
    tracker: TrackerProcess, written: Written, log_streams: NatsServer
) -> None:
    """Out while the broker is away, in as soon as it is back: the log says out, then in."""
    link = unsubscribe(["lista"])
    await asyncio.to_thread(log_streams.stop)
    assert (await tracker.web.post(link, b"action=unsubscribe&comment=bye")).status == 200
    starting = asyncio.to_thread(log_streams.start)
    back, _ = await asyncio.gather(tracker.web.post(link, b"action=stay&after=out&list0=1"), starting)
    assert back.status == 200
    await until(tracker.spool_is_empty, 20)
    assert [type(act) for act in await written.consent()] == [OptedOut, OptedIn]


async def test_a_damaged_spool_is_set_aside_and_the_rest_goes_on(
    tracker: TrackerProcess, written: Written, log_streams: NatsServer
) -> None:
    """A torn last line, a flipped byte, an empty file: the readable lines arrive, the others wait for an operator."""
    await asyncio.to_thread(log_streams.stop)
    await _click(tracker, 0, 10)
    tracker.kill()
    folder = tracker.data_dir / "tracker-spool"
    (spool,) = folder.glob("*.spool")
    lines = spool.read_bytes().splitlines(keepends=True)
    lines[4] = lines[4].replace(b'"index":', b'"jndex":')
    spool.write_bytes(b"".join(lines) + lines[0][:30])
    (folder / "zero.spool").touch()
    await asyncio.to_thread(log_streams.start)
    await tracker.start()
    await until(tracker.spool_is_empty, 20)
    assert len({hit.id for hit in await written.hits()}) == 9
    assert len(_lines(folder, "*.damaged")) == 2
    assert list(folder.glob("*.spool")) == []


def _lines(folder: Path, pattern: str) -> list[bytes]:
    return [line for path in folder.glob(pattern) for line in path.read_bytes().splitlines()]


async def test_a_full_spool_drops_hits_but_keeps_consent(
    tracker: TrackerProcess, written: Written, log_streams: NatsServer
) -> None:
    """The limit holds for hits, which are counted as lost; redirects go on, an unsubscribe uses the reserve."""
    tracker.kill()
    tracker.environment["POSTHASTE_SPOOL_BYTES"] = "3000"
    await tracker.start()
    await asyncio.to_thread(log_streams.stop)
    replies = await _click(tracker, 0, 30)
    assert {reply.status for reply in replies} == {302}
    assert (await tracker.web.post(unsubscribe(["lista"]), ONE_CLICK)).status == 200
    await asyncio.to_thread(log_streams.start)
    await until(tracker.spool_is_empty, 20)
    assert 0 < len(await written.hits()) < 30
    assert [type(act) for act in await written.consent()] == [OptedOut]


async def test_an_unsubscribe_that_nothing_can_keep_is_not_promised(
    tracker: TrackerProcess, log_streams: NatsServer
) -> None:
    """Broker away and spool full: 503, so that the machine or the person tries again."""
    tracker.kill()
    tracker.environment["POSTHASTE_SPOOL_BYTES"] = "1024"
    await tracker.start()
    await asyncio.to_thread(log_streams.stop)
    links = [unsubscribe(["lista"], mailing=f"m{number}") for number in range(12)]
    replies = [await tracker.web.post(link, ONE_CLICK) for link in links]
    assert (replies[0].status, replies[-1].status) == (200, 503)
    assert "retry-after" in replies[-1].headers


async def test_a_disk_that_takes_no_more_costs_counted_hits_and_no_promise(
    tracker: TrackerProcess, written: Written, log_streams: NatsServer
) -> None:
    """Broker away and disk full: clicks lead on, an unsubscribe is not promised; with room again all is kept."""
    await asyncio.to_thread(log_streams.stop)
    await _click(tracker, 0, 5)
    (spool,) = (tracker.data_dir / "tracker-spool").glob("*.spool")
    full = spool.stat().st_size + 100
    before = resource.prlimit(tracker.pid, resource.RLIMIT_FSIZE, (full, resource.RLIM_INFINITY))
    assert {reply.status for reply in await _click(tracker, 5, 10)} == {302}
    assert (await tracker.web.post(unsubscribe(["lista"]), ONE_CLICK)).status == 503
    resource.prlimit(tracker.pid, resource.RLIMIT_FSIZE, before)
    assert (await tracker.web.post(unsubscribe(["lista"]), ONE_CLICK)).status == 200
    await _click(tracker, 15, 5)
    await asyncio.to_thread(log_streams.start)
    await until(tracker.spool_is_empty, 20)
    assert sorted(hit.index for hit in await written.hits()) == [*range(5), *range(15, 20)]
    assert [type(act) for act in await written.consent()] == [OptedOut]


async def test_two_trackers_share_a_folder(tracker: TrackerProcess, written: Written, log_streams: NatsServer) -> None:
    """A second process leaves the living one's spool alone and hands over its own."""
    other = TrackerProcess(log_streams.url, tracker.data_dir)
    await asyncio.to_thread(log_streams.stop)
    await _click(tracker, 0, 5)
    await other.start(broker="away")
    try:
        await _click(other, 5, 5)
        await asyncio.to_thread(log_streams.start)
        await until(tracker.spool_is_empty, 20)
        await until(other.spool_is_empty, 20)
        assert sorted(hit.index for hit in await written.hits()) == list(range(10))
    finally:
        other.kill()


@pytest.mark.alone
async def test_a_slow_sender_of_a_body_is_cut_off(tracker: TrackerProcess) -> None:
    """A client that sends its body by drops gets 408 after ten seconds, while others are served."""
    body = b"List-Unsubscribe=One"
    head = f"POST {unsubscribe(['lista'])} HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n".encode()
    reader, writer = await asyncio.open_connection("127.0.0.1", tracker.port)
    writer.write(head + body)
    started = time.monotonic()
    assert (await tracker.web.get(click(TARGET))).status == 302
    answer = await asyncio.wait_for(reader.readline(), 20)
    assert b" 408 " in answer
    assert time.monotonic() - started < 15
    writer.close()


async def test_what_was_answered_survives_a_crash_under_load(tracker: TrackerProcess, written: Written) -> None:
    """Killed in the middle of a burst: every answered hit is in the log, for the ack came before the answer."""
    answered: set[int] = set()
    under_way = asyncio.Semaphore(200)

    async def ask(index: int) -> None:
        try:
            async with under_way:
                reply = await tracker.web.get(click(TARGET, n=index // 1000, index=index % 1000))
        except (OSError, ValueError, IndexError):  # cut off by the crash: not answered, nothing promised
            return
        assert reply.status == 302
        answered.add(index)
        if len(answered) == 300:
            tracker.kill()

    await asyncio.gather(*(ask(index) for index in range(2000)))
    await tracker.start()
    await until(tracker.spool_is_empty, 20)
    kept = {hit.n * 1000 + hit.index for hit in await written.hits()}
    assert answered <= kept
    assert len(answered) < 2000
