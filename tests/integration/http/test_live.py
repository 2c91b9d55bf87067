"""Live streams: what there is, what changes within a second, nothing lost over a reconnect."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

import httpx
import pytest

from services.reporting.changes import Changes
from shared import clock
from shared.contracts import commands, subjects
from shared.contracts.account import Limits
from shared.contracts.envelope import Origin
from shared.contracts.mailing import RateChanged
from shared.ids import new_id
from shared.messaging.http_client import LiveEvent, RefusedLiveError
from tests.harness.story import Story
from tests.harness.waiting import until
from tests.integration.http.conftest import House


@pytest.fixture
def http_settings() -> dict[str, Any]:
    """Return settings with few listeners."""
    return {"http_rate": 10_000, "http_burst": 10_000, "http_listeners": 3}


async def change(house: House, mailing: str, per_hour: int) -> int:
    """Write that the rate of a mailing changed, as the planner does."""
    subject = subjects.mailing(mailing)
    expected = await house.log.last_seq(subject)
    event = RateChanged(limits=Limits(per_hour=per_hour))
    return await house.log.append(subject, [event], expected=expected, origin=Origin(new_id(), "test", clock.now()))


async def next_of(events: AsyncIterator[LiveEvent]) -> LiveEvent:
    """Return the next event, soon."""
    async with asyncio.timeout(10):
        return await anext(events)


async def test_numbers_are_live_within_a_second_of_the_log(house: House) -> None:
    """Each change comes with the position that holds it, less than a second after its append was acknowledged."""
    mailing = await house.draft()
    async with house.client() as client, aclosing(client.live(mailing)) as events:
        first = await next_of(events)
        assert (first.kind, first.data["mailing"], first.data["status"]) == ("mailing", mailing, "Planned")
        lags = []
        for per_hour in range(1, 11):
            position = await change(house, mailing, per_hour)
            start = time.monotonic()
            event = await next_of(events)
            lags.append(time.monotonic() - start)
            assert event.data["limits"]["per_hour"] == per_hour
            assert event.position >= position
    assert sorted(lags)[-2] < 1, lags


async def test_a_reconnect_brings_what_changed_since_and_no_more(house: House) -> None:
    """With the id of the last event only what came later is told; a position from the future gets everything."""
    one, two = await house.draft(), await house.draft()
    async with house.client() as client:
        seen: dict[str, Any] = {}
        async with aclosing(client.live()) as events:
            while len(seen) < 4:
                event = await next_of(events)
                seen[event.data.get("mailing") or event.data["campaign"]] = event
            last = event.position
        assert last > 0
        assert {one, two} < set(seen)
        position = await change(house, two, 7)
        async with aclosing(client.live(last=last)) as events:
            event = await next_of(events)
            assert (event.data["mailing"], event.data["limits"]["per_hour"]) == (two, 7)
            assert event.position >= position
            await change(house, one, 8)
            assert (await next_of(events)).data["mailing"] == one
        async with aclosing(client.live(one, last=10**9)) as events:
            assert (await next_of(events)).data["mailing"] == one


async def test_a_stream_goes_on_over_a_restart(house: House) -> None:
    """The client comes again by itself and misses nothing that happened meanwhile."""
    mailing = await house.draft()
    async with house.client() as client, aclosing(client.live(mailing)) as events:
        await next_of(events)
        house.services[1].stop()
        await change(house, mailing, 5)
        told = asyncio.ensure_future(anext(events))
        await house.restart_reporting()
        event = await asyncio.wait_for(told, 20)
        while event.data["limits"]["per_hour"] != 5:
            event = await next_of(events)


async def test_listeners_are_counted_and_bounded(house: House) -> None:
    """One too many is told to come later; who leaves makes room."""
    url, headers = f"{house.urls['reporting']}/v1/live", {"Authorization": f"Bearer {house.token}"}
    async with httpx.AsyncClient(trust_env=False, headers=headers, timeout=20) as http:
        opened, lines = [], []  # an iterator that is dropped closes its stream
        for _ in range(3):
            stream = http.stream("GET", url)
            reply = await stream.__aenter__()
            assert reply.status_code == 200
            assert reply.headers["Content-Type"] == "text/event-stream; charset=utf-8"
            lines.append(reply.aiter_lines())
            assert await anext(lines[-1]) == "retry: 2000"
            opened.append(stream)
        async with http.stream("GET", url) as refused:
            assert refused.status_code == 503
            assert "too_many_listeners" in (await refused.aread()).decode()
        await opened.pop().__aexit__(None, None, None)

        async def room() -> bool:
            async with http.stream("GET", url) as reply:
                return reply.status_code == 200

        await until(room, 10)
        for stream in opened:
            await stream.__aexit__(None, None, None)


async def test_nobody_listens_to_a_mailing_that_is_none(house: House) -> None:
    """The client ends with the refusal instead of asking for ever."""
    async with house.client() as client, aclosing(client.live("nope")) as events:
        with pytest.raises(RefusedLiveError, match="mailing_unknown"):
            await anext(events)
        assert not (await client.query(commands.Status(mailing="nope"))).ok


async def test_changes_that_were_forgotten_are_known_to_be() -> None:
    """Beyond what memory holds the answer is that everything may have changed, never that nothing did."""
    story, changes = Story(), Changes(most=3)
    changes.begin(0)
    for n in range(5):
        await changes.note(n + 1, [story.mailing(f"m{n}", RateChanged(limits=Limits()))])
    assert (changes.floor, changes.position) == (2, 5)
    assert changes.since(1) is None
    assert changes.since(2) == [("mailing", "m4"), ("mailing", "m3"), ("mailing", "m2")]
    assert changes.since(5) == []
    await changes.note(5, story.commits[2:4])  # told again after a retry
    assert changes.since(4) == [("mailing", "m4")]
    assert not await changes.beyond(5, 0.01)
    assert await changes.beyond(4, 0.01)
