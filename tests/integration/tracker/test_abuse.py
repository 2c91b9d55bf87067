"""What may be done to a public address: slow clients, floods, heads without end; people are served beside all of it.

And what may be done with one link that is valid: whoever has a mail has one.
"""

import asyncio
import contextlib
import secrets
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from services.tracker.allowance import AT_ONCE
from services.tracker.webhooks.providers import Postmark
from shared.contracts.consent import OptedIn, OptedOut
from tests.benchmark.usage import peak_mib
from tests.harness.flood import flooding
from tests.harness.nats import NatsServer
from tests.harness.tracker import RING, SIGNER, TrackerProcess, click, opt_in, pixel, unsubscribe
from tests.harness.waiting import until
from tests.harness.web import Reply
from tests.harness.webhooks import POSTMARK_LOGIN, postmark
from tests.integration.tracker.conftest import Written
from tests.integration.tracker.hooks import site

TARGET = "https://shop.example.com/"
PATIENCE = 1.5
SLOW = 600
FLOOD_SECONDS = 2.0


@pytest.fixture
async def tracker(log_streams: NatsServer, tmp_path: Path) -> AsyncIterator[TrackerProcess]:
    """Yield a tracker that waits for nobody longer than a second and a half."""
    environment = {"POSTHASTE_REQUEST_PATIENCE": str(PATIENCE), "POSTHASTE_POSTMARK_LOGINS": POSTMARK_LOGIN}
    process = await TrackerProcess(log_streams.url, tmp_path / "tracker", environment).start()
    yield process
    process.kill()


def _slow_starts() -> list[bytes]:
    """Return beginnings of requests after which nothing comes."""
    proof = postmark({}).headers["Authorization"]
    return [
        b"",
        b"GET",
        b"GET /o/x.gif HTTP/1.1\r\nHost: x\r\nX-Slow: ",
        f"POST /hooks/postmark HTTP/1.1\r\nHost: x\r\nAuthorization: {proof}\r\nContent-Length: 99\r\n\r\n{{".encode(),
        f"POST /hooks/postmark HTTP/1.1\r\nHost: x\r\nAuthorization: {proof}\r\n"
        "Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n".encode(),
    ]


async def _held(port: int, start: bytes) -> tuple[float, bytes]:
    """Begin a request, send a byte now and then, and wait for the end; return how long it took and what came."""
    began = time.monotonic()
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(start)
    ended = asyncio.ensure_future(reader.read())
    while not ended.done():
        await asyncio.wait({ended}, timeout=0.5)
        with contextlib.suppress(RuntimeError):  # uvloop's word for a door that closed meanwhile
            writer.write(b"y" if start.startswith(b"GET /o/") else b"")
    writer.close()
    answer = b"" if ended.exception() is not None else ended.result()  # a byte of ours may meet a closed door
    return time.monotonic() - began, answer


@pytest.mark.alone
async def test_hundreds_of_slow_clients_hold_nobody_up(tracker: TrackerProcess, written: Written) -> None:
    """Each is let go when its time is up, however it trickles; a person who clicks meanwhile is led on."""
    starts = _slow_starts()
    slow = [asyncio.ensure_future(_held(tracker.port, starts[place % len(starts)])) for place in range(SLOW)]
    await asyncio.sleep(PATIENCE / 3)
    assert sum(each.done() for each in slow) == 0
    replies = [await tracker.web.get(click(TARGET, index=index)) for index in range(20)]
    assert {reply.status for reply in replies} == {302}
    assert max(reply.seconds for reply in replies) < PATIENCE / 2
    ended = await asyncio.gather(*slow)
    assert max(seconds for seconds, _ in ended) < 3 * PATIENCE
    told = {start: {answer[:12] for _, answer in ended[place :: len(starts)]} for place, start in enumerate(starts)}
    assert [told[start] <= {b"", b"HTTP/1.1 408"} for start in starts] == [True] * len(starts)
    assert [told[start] for start in starts[3:]] == [{b"HTTP/1.1 408"}] * 2
    assert len(await written.hits()) == 20


async def test_a_slow_webhook_is_answered_408() -> None:
    """Whoever has the password as well; nothing of it is told to anybody, and nothing of it stays in memory."""
    async with site({"postmark": Postmark([POSTMARK_LOGIN])}) as found:
        found.hooks._seconds = 0.2
        _, answer = await _held(found.web.port, _slow_starts()[3])
        assert answer.startswith(b"HTTP/1.1 408")
        assert (found.desk.calls, found.hooks._rooms["postmark"].held) == (0, 0)


HEADS = (
    b"X-Long: " + b"y" * 200_000,
    b"\r\n".join(b"X-%d: y" % number for number in range(500)),
    b"Cookie: " + b"y" * 100_000 + b"\r\n" + b"X: " + b"y" * 100_000,
)


async def test_a_head_is_bounded(tracker: TrackerProcess, written: Written) -> None:
    """Too long or of too many fields is refused before anything is done; cookies of a parent domain are not."""
    for head in HEADS:
        raw = f"GET {click(TARGET)} HTTP/1.1\r\nHost: x\r\n".encode() + head + b"\r\n\r\n"
        with contextlib.suppress(ConnectionError):
            assert (await tracker.web.ask("GET", "/", raw=raw)).status in (400, 431)
    assert await written.hits() == []
    cookies = "; ".join(f"c{number}={'v' * 500}" for number in range(32))
    assert (await tracker.web.get(click(TARGET + "a" * 1_900), cookie=cookies)).status == 302


@pytest.mark.alone
async def test_people_are_served_in_a_flood(tracker: TrackerProcess, written: Written) -> None:
    """Forged tokens by the thousand a second: what a person asks for comes, is recorded, and memory stays flat."""
    forged = [click(TARGET)[:-20] + secrets.token_urlsafe(15) for _ in range(20)]
    forged += [f"/o/{SIGNER.kid}.m1.0.{index}.{secrets.token_urlsafe(15)}.gif" for index in range(20)]
    before = peak_mib(tracker.pid)
    replies: list[Reply] = []
    with flooding(tracker.port, forged) as flood:
        began = time.monotonic()
        while time.monotonic() - began < FLOOD_SECONDS:
            replies.append(await tracker.web.get(pixel(index=len(replies))))
            await asyncio.sleep(0.02)
    assert flood.rate > 1_000
    assert {reply.status for reply in replies} == {200}
    assert sorted(reply.seconds for reply in replies)[len(replies) // 2] < 0.25
    assert len(await written.hits()) == len(replies)
    assert peak_mib(tracker.pid) - before < 40


ONE_CLICK = b"List-Unsubscribe=One-Click"
FORMS = 120
OTHERS = 20
MOST = FORMS / 3
"""Acts of one link; how many exactly depends on the minutes that pass meanwhile, and one click adds one in 5 s."""


async def _sent(tracker: TrackerProcess, link: str, form: str, count: int) -> list[Reply]:
    """Send a form many times, each time as another page (`{}`), twenty at once."""
    bodies = [form.format(f"p{number}").encode() for number in range(count)]
    replies: list[Reply] = []
    for start in range(0, count, 20):
        replies += await asyncio.gather(*(tracker.web.post(link, body) for body in bodies[start : start + 20]))
    return replies


async def _acts(written: Written, address: str = "ann@example.com") -> list[OptedOut | OptedIn]:
    """Return what the log holds of one person."""
    acts = [act for act in await written.consent() if isinstance(act, OptedOut | OptedIn)]
    return [act for act in acts if act.address_key == RING.address_key(address)]


async def _others_leave(tracker: TrackerProcess) -> set[int]:
    links = [unsubscribe([], f"other{number}@example.com", index=number) for number in range(1, OTHERS + 1)]
    return {(await tracker.web.post(link, ONE_CLICK)).status for link in links}


async def test_one_valid_link_writes_a_bounded_number_of_acts(tracker: TrackerProcess, written: Written) -> None:
    """Whatever the forms say; beyond it is 429 with the page, and one click still lets the person leave."""
    link = unsubscribe(["lista"])
    form = "action=unsubscribe&page={}&comment=" + "x" * 2_000
    replies = await _sent(tracker, link, form, FORMS)
    assert {reply.status for reply in replies} == {200, 429}
    refused = next(reply for reply in replies if reply.status == 429)
    assert refused.headers["retry-after"] == "60"
    assert b"try again in a minute" in refused.body
    assert AT_ONCE <= len(await _acts(written)) < MOST
    await _sent(tracker, link, "action=stay&after=out&list0=on&page={}", FORMS)
    assert len(await _acts(written)) < MOST
    assert (await tracker.web.post(link, ONE_CLICK)).status == 200
    assert (await _acts(written))[-1].how == "one-click"
    assert await _others_leave(tracker) == {200}
    await _sent(tracker, opt_in(["lista"], "eve@example.com"), "action=confirm&page={}", FORMS)
    assert AT_ONCE <= len(await _acts(written, "eve@example.com")) < MOST
    assert len(await written.consent()) <= 2 * MOST + OTHERS


async def test_one_valid_link_cannot_fill_the_spool(
    tracker: TrackerProcess, written: Written, log_streams: NatsServer
) -> None:
    """With the broker away: forms and one click without end leave the reserve to others, and no opt-out is lost."""
    tracker.kill()
    tracker.environment["POSTHASTE_SPOOL_BYTES"] = "40000"
    await tracker.start()
    await asyncio.to_thread(log_streams.stop)
    link = unsubscribe([])  # of no list: while the broker is away names of lists are waited for
    replies = await _sent(tracker, link, "action=unsubscribe&page={}&comment=" + "x" * 2_000, FORMS)
    assert {reply.status for reply in replies} == {200, 429}
    assert {reply.status for reply in await _sent(tracker, link, ONE_CLICK.decode(), FORMS)} == {200}
    assert await _others_leave(tracker) == {200}
    await asyncio.to_thread(log_streams.start)
    await until(tracker.spool_is_empty, 20)
    assert AT_ONCE < len(await _acts(written)) < MOST
    assert len(await written.consent()) - len(await _acts(written)) == OTHERS
