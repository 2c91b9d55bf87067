"""How long a start takes: from the answer to `mailing.schedule` to the first mail at the sink, 50 mailings one by one.

The whole installation, one sender, one account; half of the starts find the connection closed because it idled, as
it is for people who send now and then. There is nobody to compare with: the yardstick is the second we promise.
"""

import asyncio
import statistics
import tempfile
import time
from pathlib import Path

from shared.contracts import commands
from tests.benchmark import shop
from tests.benchmark.outcome import Outcome, Yardstick, emit, note
from tests.benchmark.plant import Plant
from tests.harness.waiting import until

STARTS = 50
PROMISED = 1.0
IDLE = 11.5
"""Seconds after which a connection was closed."""


async def run(starts: int = STARTS) -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory(prefix="posthaste-starts-") as name:
        folder = Path(name)
        await asyncio.to_thread(folder.chmod, 0o755)  # the sink gives up root
        async with Plant(folder) as plant:
            append_ms = await plant.append_ms()
            account = await plant.account(4)
            await plant.contacts(shop.write_csv(folder / "few.csv", 20), "few")
            took: list[float] = []
            for number in range(starts):
                mailing, recipients = await plant.mailing(account, "few")
                if number % 2:
                    await asyncio.sleep(IDLE if starts == STARTS else 0)
                taken = plant.sink.taken()
                await plant.ask(commands.ScheduleMailing(mailing=mailing))
                began = time.perf_counter()
                await until(lambda taken=taken: plant.sink.taken() > taken, 60, every=0.002)
                took.append(time.perf_counter() - began)
                await until(lambda taken=taken, all_=recipients: plant.sink.taken() - taken >= all_, 60, every=0.01)
                note(f"start {number + 1}: {took[-1]:.3f} s")
    ordered = sorted(took)
    p99 = ordered[-(-99 * len(ordered) // 100) - 1]
    emit(
        Outcome(
            "starts",
            p99,
            "s (p99)",
            Yardstick("promised", PROMISED),
            PROMISED / p99,
            more={
                "starts": len(took),
                "median_s": statistics.median(took),
                "p90_s": ordered[-(-90 * len(ordered) // 100) - 1],
                "warm_median_s": statistics.median(took[::2]),
                "cold_median_s": statistics.median(took[1::2]),
                "append_ms": append_ms,
            },
        )
    )
