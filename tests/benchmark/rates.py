"""Are limits kept? 500 an hour and an interval of three seconds, by three senders, over restarts, seen at the sink.

A real nats-server, real senders, the scripted relay in this process; what counts is when MAIL FROM arrives. At a
quarter of the time one sender is killed and replaced, at half of it another one is restarted. The automatic test
(tests/integration/sender/test_rates.py) does the same with a shorter hour.
"""

import asyncio
import itertools
import signal
import tempfile
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

from deploy.apply import apply
from shared.contracts.account import Limits
from shared.contracts.subjects import ChunkRef
from shared.eventlog.connection import connect
from tests.benchmark.outcome import Outcome, Yardstick, emit, note
from tests.harness.nats import NatsServer
from tests.harness.sending import Sending
from tests.harness.smtp import ScriptedSmtp

HOUR = 3600.0
PER_HOUR = 500
BETWEEN = 3.0
SENDERS = 3
CHUNK = 8


@dataclass(frozen=True)
class Kept:
    """What the sink saw of one limit."""

    mails: int
    seconds: float
    most: int
    least_gap: float


def seen(relay: ScriptedSmtp, period: float) -> Kept:
    """Return what `relay` saw, with the most mails in any half-open window of `period`."""
    times = sorted(at for at, _ in relay.mails)
    first = most = 0
    for count, at in enumerate(times, 1):
        while at - times[first] >= period:
            first += 1
        most = max(most, count - first)
    least = min((later - earlier for earlier, later in itertools.pairwise(times)), default=0.0)
    return Kept(len(times), times[-1] - times[0] if times else 0.0, most, least)


async def planned(rig: Sending, mailing: str, limits: Limits, mails: int) -> list[ChunkRef]:
    """Start a mailing and plan its chunks."""
    await rig.add_account()
    await rig.start_mailing(mailing, limits=limits)
    names = [f"{mailing}-{n}@example.com" for n in range(mails)]
    return [await rig.plan(mailing, n, names[first : first + CHUNK]) for n, first in enumerate(range(0, mails, CHUNK))]


async def run(seconds: float = HOUR) -> None:
    """Send for so long and emit what was kept."""
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="posthaste-rates-")))
        server = await asyncio.to_thread(NatsServer.started, folder / "nats")
        stack.callback(server.stop)
        nc = await connect(server.url, name="rates")
        stack.push_async_callback(nc.close)
        await apply(nc)
        relays = [await ScriptedSmtp().start() for _ in range(2)]
        for relay in relays:
            stack.push_async_callback(relay.stop)
        rigs = [Sending(nc, server.url, relay.port, folder, account=f"acc{n}") for n, relay in enumerate(relays, 1)]
        stack.callback(rigs[0].stop)
        environment = {"POSTHASTE_ACK_WAIT": "15"}
        for _ in range(SENDERS):
            rigs[0].start_sender(**environment)
        await planned(rigs[0], "m1", Limits(per_hour=PER_HOUR), int(PER_HOUR * seconds / HOUR))
        await planned(rigs[1], "m2", Limits(seconds_between=BETWEEN), int(seconds / BETWEEN))
        began = time.monotonic()
        for part in range(1, 21):
            await asyncio.sleep(max(0.0, began + part * seconds / 20 - time.monotonic()))
            note(f"rates: {part * 5} %: {[seen(relay, HOUR) for relay in relays]}")
            if part == 5:
                rigs[0].senders[0].kill()
                rigs[0].start_sender(**environment)
            if part == 10:
                rigs[0].senders[1].kill(signal.SIGTERM)
                rigs[0].start_sender(**environment)
        hourly, apart = (seen(relay, HOUR) for relay in relays)
        spread = seen(relays[0], HOUR / 10).most
    emit(
        Outcome(
            "rate_per_hour",
            hourly.most,
            "mails in an hour",
            Yardstick("limit", PER_HOUR),
            more={"mails": hourly.mails, "most_in_six_minutes": spread, "seconds": round(hourly.seconds, 1)},
        )
    )
    emit(
        Outcome(
            "seconds_between",
            round(apart.least_gap, 4),
            "s",
            Yardstick("limit", BETWEEN),
            more={"mails": apart.mails, "seconds": round(apart.seconds, 1)},
        )
    )
