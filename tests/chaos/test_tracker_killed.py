"""People unsubscribe by the button of their mail program while the tracker, or the log behind it, is killed."""

import asyncio
import random
import re
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from shared.contracts import commands
from tests.harness.installations import running
from tests.harness.smtp import Accepted
from tests.harness.system import System, people
from tests.harness.waiting import until

COUNT = 600
EVERY = 4
"""Each fourth recipient unsubscribes as soon as the mail is there."""


@pytest.mark.drawn("system", 3)
@pytest.mark.parametrize("service", ["tracker", "nats"])
async def test_an_opt_out_that_was_confirmed_is_never_lost(service: str, dice: random.Random, tmp_path: Path) -> None:
    """Every one that was answered 200 is counted in the end, whatever died in between."""
    async with running(tmp_path / "data") as system:
        mailing = await system.start(people(COUNT))
        crowd = asyncio.create_task(unsubscribe(system))
        for moment in sorted(dice.sample(range(COUNT // 10, COUNT * 8 // 10), 2)):
            await system.reached(moment)
            await system.fell(service)
        await system.ended(mailing)
        left = await crowd
        await system.account_for(mailing, doubts=0)

        async def counted() -> bool:
            return bool((await system.ask(commands.Status(mailing=mailing)))["unsubscribed"] == left)

        await until(counted, 30)


async def unsubscribe(system: System) -> int:
    """Let every so many-th recipient unsubscribe, patiently; return how many there were."""
    wanted = COUNT // EVERY
    gate = asyncio.Semaphore(8)

    async def leave(mail: Accepted) -> None:
        url = re.findall(rb"<(http[^>]+)>", mail.content.replace(b"\r\n ", b"").partition(b"\r\n\r\n")[0])[0].decode()
        async with gate:
            await until(lambda: asyncio.to_thread(_answered, url), 60, every=0.1)

    tasks: list[asyncio.Task[None]] = []
    while len(tasks) < wanted:
        place = (len(tasks) + 1) * EVERY
        await system.reached(place)
        tasks.append(asyncio.create_task(leave(system.relay.accepted[place - 1])))
    await asyncio.gather(*tasks)
    return wanted


def _answered(url: str) -> bool:
    request = urllib.request.Request(url, b"List-Unsubscribe=One-Click")  # noqa: S310 - our own tracker
    try:
        with urllib.request.urlopen(request, timeout=5) as answer:  # noqa: S310 - the same
            return bool(answer.status == 200)
    except (OSError, urllib.error.URLError):  # not there, or not kept: the mail program asks again
        return False
