"""A tracker dies between any two effects of its work; what it had answered is in the log when the next one is up."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from nats.aio.client import Client

from shared.contracts.consent import OptedOut
from shared.steps import TRACKER
from tests.harness.nats import NatsServer
from tests.harness.toll import strike
from tests.harness.tracker import TrackerProcess, click, unsubscribe
from tests.harness.waiting import until
from tests.integration.tracker.conftest import Written

MANY = 12
ASIDE = {"spool.written": 9, "spool.synced": 9, "spool.replayed": 5, "spool.removed": 1}
"""The how manieth time of each step of the spool it dies."""


@pytest.fixture
async def tracker(log_streams: NatsServer, tmp_path: Path) -> AsyncIterator[TrackerProcess]:
    """Yield a tracker that is not started yet."""
    process = TrackerProcess(log_streams.url, tmp_path / "tracker")
    yield process
    process.kill()


@pytest.mark.drawn("tracker", 2)
@pytest.mark.parametrize("step", TRACKER)
async def test_what_was_answered_is_not_lost(
    step: str, tracker: TrackerProcess, log_streams: NatsServer, nc: Client
) -> None:
    """Clicks that led on and opt-outs that were confirmed: each is there, none counts twice."""
    tracker.environment["POSTHASTE_CRASH_AT"] = f"{step}:{ASIDE.get(step, 9)}"
    await tracker.start()
    if step in ASIDE:
        await asyncio.to_thread(log_streams.stop)
    clicks, left = await answered(tracker)
    if step in ASIDE:
        await asyncio.to_thread(log_streams.start)
    assert await tracker.ended() == 137, f"it never came to {step}"
    strike()
    del tracker.environment["POSTHASTE_CRASH_AT"]
    await tracker.start()
    await until(tracker.spool_is_empty, 20)
    written = Written(nc)
    facts = {hit.id: hit.index for hit in await written.hits()}
    assert clicks <= set(facts.values())
    assert len(facts) == len(set(facts.values())), "one click became two facts"
    out = {act.index for act in await written.consent() if isinstance(act, OptedOut)}
    assert left <= out


async def answered(tracker: TrackerProcess) -> tuple[set[int], set[int]]:
    """Click and unsubscribe for as long as it answers; return who was led on and who was confirmed."""
    clicks: set[int] = set()
    left: set[int] = set()
    for index in range(MANY):
        try:
            if (await tracker.web.get(click("https://shop.example.com/", index=index))).status == 302:
                clicks.add(index)
            leaving = unsubscribe(["lista"], address=f"ann{index}@example.com", index=index)
            if (await tracker.web.post(leaving, b"List-Unsubscribe=One-Click")).status == 200:
                left.add(index)
        except (OSError, ValueError):  # it died
            break
    return clicks, left
