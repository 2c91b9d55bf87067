"""What a flood of the public address costs the sending: mails a second with it, beside those without in the same run.

A whole installation, as for `pipeline`. All that sends runs on all processors but the last; tracker and flood have the
last one, as they would have machines or limits of their own, with the flood and without. The flood asks for as much as
it is answered: forged tokens, and pixels that were fetched before, which are recorded in the log that the sending needs
as well. Rounds with and without take turns.
"""

import asyncio
import os
import statistics
import tempfile
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from shared.keys import KeyRing
from shared.tokens import Signer
from tests.benchmark import shop
from tests.benchmark.outcome import Outcome, Yardstick, emit, note
from tests.benchmark.pipeline import send
from tests.benchmark.plant import Plant
from tests.harness.flood import flooding

RECIPIENTS = 30_000
ROUNDS = 3
_CONNECTIONS = 16
_PATHS = 200


async def run(recipients: int = RECIPIENTS, rounds: int = ROUNDS) -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory(prefix="posthaste-flood-") as name:
        folder = Path(name)
        await asyncio.to_thread(folder.chmod, 0o755)  # the sink gives up root
        async with Plant(folder) as plant:
            account = await plant.account(_CONNECTIONS)
            await plant.contacts(shop.write_csv(folder / "contacts.csv", recipients), "all")
            pids = plant.pids()
            *most, last = sorted(os.sched_getaffinity(0))
            _keep(pids.pop("tracker"), [last])
            for pid in pids.values():
                _keep(pid, most or [last])
            await send(plant, account, "all")
            quiet, flooded, answers = list[float](), list[float](), list[float]()
            for number in range(rounds):
                quiet.append((await send(plant, account, "all")).rate)
                with flooding(plant.local.ports.tracker, _paths(plant)) as flood:
                    _keep(flood.pid, [last])
                    flooded.append((await send(plant, account, "all")).rate)
                answers.append(flood.rate)
                note(
                    f"round {number + 1}: {quiet[-1]:.0f} mails/s, {flooded[-1]:.0f} beside {answers[-1]:.0f} requests"
                )
    emit(
        Outcome(
            "flood",
            statistics.median(flooded),
            "mails/s",
            Yardstick("the same without the flood", statistics.median(quiet)),
            statistics.median(flooded) / statistics.median(quiet),
            more={
                "requests_s": statistics.median(answers),
                "rounds": flooded,
                "without": quiet,
                "recipients": recipients,
            },
        )
    )


def _paths(plant: Plant) -> list[str]:
    environment = plant.local.env("tracker")
    signer = Signer(KeyRing.of(environment["POSTHASTE_SECRET_KEYS"], environment["POSTHASTE_ADDRESS_PEPPER"]))
    right = [f"/o/{signer.recipient('flood', 0, index)}.gif" for index in range(_PATHS // 2)]
    return [path for one in right for path in (one, one[:-6] + "AA.gif")]


def _keep(pid: int, processors: Iterable[int]) -> None:
    """Keep a process, all its threads and those that they start, on some processors."""
    for task in Path(f"/proc/{pid}/task").iterdir():
        with suppress(ProcessLookupError):  # a thread that just ended
            os.sched_setaffinity(int(task.name), processors)
