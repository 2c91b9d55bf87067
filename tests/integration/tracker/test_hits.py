"""Opens and clicks: recorded before the answer, led on by the token alone, nothing for what does not verify."""

import asyncio
import time

import pytest

from shared.keys import KeyRing
from shared.tokens import Signer
from tests.harness.tracker import PEPPER, RING, SECRET, SIGNER, TrackerProcess, click, pixel, unsubscribe
from tests.integration.tracker.conftest import Written

TARGET = "https://shop.example.com/offer?a=1&b=%C3%A9#top"


async def test_an_open_is_in_the_log_when_the_pixel_is_answered(tracker: TrackerProcess, written: Written) -> None:
    """The GIF of 43 bytes comes uncached, and its hit can be read at once."""
    reply = await tracker.web.get(pixel("m7", 3, 5))
    assert (reply.status, len(reply.body), reply.headers["content-type"]) == (200, 43, "image/gif")
    assert "no-store" in reply.headers["cache-control"]
    (hit,) = await written.hits()
    assert (hit.kind, hit.mailing, hit.n, hit.index, hit.link, hit.method) == ("open", "m7", 3, 5, None, "GET")
    assert (hit.agent, hit.network) == ("desktop", "127.0.0.0/24")


@pytest.mark.feature("B10")
async def test_a_click_leads_on_and_is_in_the_log(tracker: TrackerProcess, written: Written) -> None:
    """302 to exactly the signed target, uncached and without referrer."""
    reply = await tracker.web.get(click(TARGET, "m7", 3, 5, link=4))
    assert (reply.status, reply.headers["location"], reply.body) == (302, TARGET, b"")
    assert reply.headers["cache-control"] == "no-store, private"
    assert reply.headers["referrer-policy"] == "no-referrer"
    (hit,) = await written.hits()
    assert (hit.kind, hit.mailing, hit.n, hit.index, hit.link) == ("click", "m7", 3, 5, 4)


async def test_head_and_options_are_hits_that_tell_their_method(tracker: TrackerProcess, written: Written) -> None:
    """A scanner's HEAD gets the headers of a GET without body; OPTIONS gets no redirect; both are kept as they were."""
    head = await tracker.web.ask("HEAD", click(TARGET))
    options = await tracker.web.ask("OPTIONS", click(TARGET))
    gif = await tracker.web.ask("HEAD", pixel())
    assert (head.status, head.headers["location"]) == (302, TARGET)
    assert options.status == 204
    assert "location" not in options.headers
    assert (gif.status, gif.body) == (200, b"")
    assert sorted(hit.method for hit in await written.hits()) == ["HEAD", "HEAD", "OPTIONS"]


async def test_a_prefetch_is_kept_as_one(tracker: TrackerProcess, written: Written) -> None:
    """What says of itself that nobody looks is told apart by its class."""
    await tracker.web.get(click(TARGET), sec_purpose="prefetch;prerender")
    assert [hit.agent for hit in await written.hits()] == ["prefetch"]


async def test_the_same_hit_many_times_in_a_second_is_one_fact(tracker: TrackerProcess, written: Written) -> None:
    """46 identical requests make no more facts than seconds passed."""
    began = int(time.time())
    await asyncio.gather(*(tracker.web.get(click(TARGET)) for _ in range(46)))
    passed = int(time.time()) - began + 1
    hits = await written.hits()
    seconds = {int(hit.at.timestamp()) for hit in hits}
    assert len({hit.id for hit in hits}) == len(seconds) <= passed


async def test_anonymous_hits_name_nobody(tracker: TrackerProcess, written: Written) -> None:
    """Where recipients are not told apart, two opens are two facts of the mailing, without network."""
    path = f"/o/{SIGNER.anonymous('m9')}.gif"
    await asyncio.gather(tracker.web.get(path), tracker.web.get(path))
    hits = await written.hits()
    assert [(hit.mailing, hit.n, hit.index, hit.network) for hit in hits] == [("m9", -1, -1, "")] * 2
    assert hits[0].id != hits[1].id


def _forgeries() -> dict[str, str]:
    """Links that must not work, by what is wrong with them."""
    good = click(TARGET)
    recipient, link = good.removeprefix("/c/").split("/")
    stranger = Signer(KeyRing.of("another-tenants-secret-0123456789abcdef", PEPPER))
    return {
        "unknown path": "/nothing/here",
        "truncated": good[:-1],
        "no link": f"/c/{recipient}",
        "flipped": good[:-3] + ("AAA" if not good.endswith("AAA") else "BBB"),
        "other index": good.replace(".0.0.", ".0.1.", 1),
        "link of another mailing": f"/c/{recipient}/{SIGNER.link('m2', 0, TARGET)}",
        "unknown key id": good.replace(f"/c/{SIGNER.kid}.", "/c/zzzz.", 1),
        "other tenant": f"/c/{stranger.recipient('m1', 0, 0)}/{stranger.link('m1', 0, TARGET)}",
        "own target": f"/c/{recipient}/0.aHR0cHM6Ly9ldmlsLmV4YW1wbGU.{link.rpartition('.')[2]}",
        "query target": f"/c/{recipient}?url=https://evil.example",
        "signed but no target": f"/c/{recipient}/{SIGNER.link('m1', 0, 'javascript:alert(1)')}",
        "forged pixel": pixel()[:-5] + "x.gif",
        "recipient as unsubscribe": f"/u/{recipient}",
        "forged unsubscribe": unsubscribe(["list1"])[:-2] + "zz",
        "dots": "/c/../o/x.gif",
        "trailing slash": good + "/",
        "huge": "/c/" + "a" * 7000,
        "null byte": "/c/%00/%0d%0aLocation:%20https://evil.example",
    }


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "OPTIONS"])
async def test_what_does_not_verify_is_one_and_the_same_404(
    tracker: TrackerProcess, written: Written, method: str
) -> None:
    """Forged, truncated, foreign and unknown get the same bytes: no redirect, no event, no oracle."""
    replies = {name: await tracker.web.ask(method, path) for name, path in _forgeries().items()}
    shapes = set()
    for name, reply in replies.items():
        assert reply.status == 404, name
        assert "location" not in reply.headers, name
        shapes.add((reply.body, tuple(sorted((k, v) for k, v in reply.headers.items() if k != "date"))))
    assert len(shapes) == 1
    assert await written.hits() == []
    assert await written.consent() == []


async def test_a_proxy_is_believed_only_where_it_is_trusted(tracker: TrackerProcess, written: Written) -> None:
    """Without a trusted network, X-Forwarded-For is what any client may claim."""
    await tracker.web.get(pixel(), x_forwarded_for="203.0.113.9")
    tracker.kill()
    tracker.environment["POSTHASTE_TRUSTED_PROXIES"] = "127.0.0.0/8, 10.0.0.0/8"
    await tracker.start()
    await tracker.web.get(pixel(), x_forwarded_for="198.51.100.7, 203.0.113.9, 10.1.2.3")
    assert [hit.network for hit in await written.hits()] == ["127.0.0.0/24", "203.0.113.0/24"]


async def test_old_links_work_after_a_rotation_of_keys(tracker: TrackerProcess, written: Written) -> None:
    """A new key in front of the ring leaves the old one good for what was signed with it."""
    tracker.kill()
    tracker.environment["POSTHASTE_SECRET_KEYS"] = f"brand-new-secret-0123456789abcdefghijkl,{SECRET}"
    await tracker.start()
    assert RING.active == SIGNER.kid
    assert (await tracker.web.get(click(TARGET))).status == 302
    assert len(await written.hits()) == 1


async def test_sigterm_answers_what_is_under_way(tracker: TrackerProcess, written: Written) -> None:
    """Requests that were accepted are answered and in the log; the process ends with 0."""
    asked = [asyncio.ensure_future(tracker.web.get(pixel(index=index))) for index in range(50)]
    await asyncio.wait(asked, return_when=asyncio.FIRST_COMPLETED)
    assert await tracker.stop() == 0
    replies = await asyncio.gather(*asked, return_exceptions=True)
    answered = sum(1 for reply in replies if not isinstance(reply, BaseException) and reply.status == 200)
    assert answered > 0
    assert len({hit.id for hit in await written.hits()}) >= answered
