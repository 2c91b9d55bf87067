"""Does a mailing end when the forecast says? Real mailings of a whole installation, foreseen right before their start.

Four of them: at a rate, in windows that close in between, with a lane that is slower than the rest, and two that share
one account. The error is that of the time from the start to the last mail, in percent of the real one.
"""

import csv
import tempfile
import time
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from shared import clock
from shared.contracts import commands
from tests.benchmark import shop
from tests.benchmark.outcome import Outcome, Yardstick, emit, note
from tests.benchmark.plant import Plant
from tests.harness.waiting import until

RECIPIENTS = 300
PER_SECOND = 10
CONNECTIONS = 4
_PATIENCE = 240.0


def _contacts(path: Path, count: int) -> Path:
    """Write contacts of whom every fifth is at one large provider."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(shop.HEADER)
        for place, row in enumerate(shop.people(count)):
            writer.writerow((row[0].replace("example.org", "gmail.com"), *row[1:]) if place % 5 == 0 else row)
    return path


async def _drafted(plant: Plant, account: str, per_second: int | None) -> str:
    campaign = await plant.ask(commands.OpenCampaign(name=f"c{time.monotonic_ns()}", lists=["people"]))
    limits = {"per_hour": per_second * 3600} if per_second else {}
    wanted = {"campaign": campaign["campaign"], "name": "m", "account": account, "sender_address": shop.SENDER}
    written = {"subject": shop.SUBJECT, "html": shop.html(), "limits": limits}
    mailing = str((await plant.ask(commands.DraftMailing.model_validate(wanted | written)))["mailing"])
    await plant.ask(commands.FreezeAudience(mailing=mailing))
    return mailing


async def _account(plant: Plant, **limits: object) -> str:
    wanted = {"name": "sink", "host": "127.0.0.1", "port": plant.sink.port, "tls": "none", "senders": [shop.SENDER]}
    command = commands.AddAccount.model_validate(wanted | {"connections": CONNECTIONS} | limits)
    account = str((await plant.ask(command))["account"])
    await plant.ask(commands.TestAccount(account=account))
    return account


async def _ended(plant: Plant, mailing: str) -> dict[str, Any]:
    async def completed() -> dict[str, Any] | None:
        status = await plant.ask(commands.Status(mailing=mailing))
        return status if status["status"] == "Completed" else None

    found: dict[str, Any] | None = await until(completed, _PATIENCE, every=0.2)
    if found is None or found["accepted"] != found["total"]:
        raise RuntimeError(f"the mailing did not end: {found}")
    return found


async def _sending(plant: Plant, mailing: str) -> None:
    async def begun() -> bool:
        return bool((await plant.ask(commands.Status(mailing=mailing)))["status"] == "Sending")

    await until(begun, _PATIENCE, every=0.05)


async def _measured(plant: Plant, name: str, mailings: list[str], hours: dict[str, Any] | None = None) -> None:
    """Start mailings together, foresee them a moment later, and emit the worst error."""
    at = clock.now()
    for mailing in mailings:
        wanted = {"mailing": mailing, "hours": hours}
        await plant.ask(commands.ScheduleMailing.model_validate(wanted))
    for mailing in mailings:
        await _sending(plant, mailing)
    foreseen = [await plant.ask(commands.Forecast(mailing=mailing)) for mailing in mailings]
    statuses = [await _ended(plant, mailing) for mailing in mailings]
    errors, real, said = [], 0.0, 0.0
    for found, status in zip(foreseen, statuses, strict=True):
        real = (datetime.fromisoformat(status["last_sent"]) - at).total_seconds()
        said = (datetime.fromisoformat(found["finishes_at"]) - at).total_seconds()
        errors.append(abs(said - real) / real)
        note(f"forecast {name}: {said:.1f} s foreseen, {real:.1f} s in fact, {found['sharing']} others")
    more = {"foreseen_s": round(said, 1), "real_s": round(real, 1), "mailings": len(mailings)}
    emit(Outcome(f"forecast_{name}", round(100 * max(errors), 1), "% off", Yardstick("most", 10), more=more))


async def run(recipients: int = RECIPIENTS) -> None:
    """Run all four."""
    with tempfile.TemporaryDirectory(prefix="posthaste-forecast-") as folder:
        async with Plant(Path(folder)) as plant:
            await plant.contacts(_contacts(Path(folder) / "people.csv", recipients), "people")
            free = await _account(plant)
            await _measured(plant, "rate", [await _drafted(plant, free, PER_SECOND)])
            now = clock.now()
            part = timedelta(seconds=recipients / PER_SECOND / 2)
            spans = [(now - timedelta(minutes=1), now + part), (now + 2 * part, now + 20 * part)]
            first, second = ({"start": begin.time(), "end": end.time()} for begin, end in spans)
            hours = {**first, "more": [second]}
            await _measured(plant, "windows", [await _drafted(plant, free, PER_SECOND)], hours)
            slow = await _account(plant, providers={"gmail": {"per_second": 2}})
            await _measured(plant, "lanes", [await _drafted(plant, slow, PER_SECOND)])
            shared = await _account(plant, limits={"per_second": PER_SECOND})
            await _measured(plant, "shared", [await _drafted(plant, shared, None) for _ in range(2)])
