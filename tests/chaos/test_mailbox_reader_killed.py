"""The tracker dies by kill -9, again and again, while it takes in a large mailbox of mixed mails.

The small form of it, with two trackers, is always tried: `test_two_trackers_take_turns`.
"""

import asyncio
import random
from pathlib import Path

import pytest
from nats.aio.client import Client

from tests.benchmark.usage import peak_mib
from tests.harness import toll
from tests.harness.imap import ImapServer
from tests.harness.mailbag import KINDS, mixed
from tests.harness.nats import NatsServer
from tests.harness.office import Office
from tests.harness.tracker import TrackerProcess
from tests.harness.waiting import until

MAILS = 5_000
KILLS = 3
GROWTH_MIB = 12.0
"""How much a tracker may grow from a tenth of a mailbox to its end: what the allocator does not give back at once."""
QUICK = {"POSTHASTE_MAILBOX_SECONDS": "7", "POSTHASTE_MAILBOX_LEASE": "8"}


@pytest.mark.one_server
@pytest.mark.drawn("mailbox", 0)
async def test_a_large_mailbox_is_taken_in_once_through_every_kill(
    log_streams: NatsServer, nc: Client, dice: random.Random, tmp_path: Path
) -> None:
    """Of 5,000 bounces, complaints, answers and letters none is lost and none doubled, in flat memory."""
    server, office = ImapServer().start(), Office(nc)
    tracker = await TrackerProcess(log_streams.url, tmp_path / "tracker", QUICK).start()
    try:
        await asyncio.to_thread(server.deliver, mixed(MAILS))
        await office.add("m1", server.port)
        for moment in sorted(dice.sample(range(MAILS // 10, MAILS * 6 // 10), KILLS)):
            await _taken(office, moment)
            toll.strike()
            tracker.kill()
            assert (await office.reading("m1")).taken < MAILS
            await tracker.start()
        before = (await office.reading("m1")).taken
        await _taken(office, before + MAILS // 10)
        early = peak_mib(tracker.pid)
        await _taken(office, MAILS)
        await office.has(MAILS - MAILS // KINDS)
        late = peak_mib(tracker.pid)
        assert late < early + GROWTH_MIB, f"{early} MiB after {before + MAILS // 10} mails, {late} MiB in the end"
    finally:
        tracker.kill()
        server.stop()


async def _taken(office: Office, count: int) -> None:
    async def there() -> bool:
        return (await office.reading("m1")).taken >= count

    await until(there, 240, every=0.1)
