"""Rows a second of a CSV import through the running planner on SQLite and on PostgreSQL, and what it costs the others.

The import parses, checks every address, hashes it under the pepper, looks for duplicates, joins contact and list, and
keeps its place for a restart. The yardstick puts the same rows into one table of the same database, a thousand in a
transaction, address as the key: by `sqlite3.executemany`, or by COPY. Meanwhile commands are given one after the other;
a line also says how long they took, how long the longest writing transaction was open, how much memory the planner had
at a tenth, at half and at the end of the file, and how fast the same people (the first 200,000 of them) come in again,
unchanged and changed.
"""

import asyncio
import contextlib
import csv
import re
import sqlite3
import tempfile
import time
import urllib.request
from collections.abc import AsyncIterator, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import asyncpg

from shared.contracts import commands
from shared.ids import new_id
from tests.benchmark import shop
from tests.benchmark.outcome import Outcome, Yardstick, emit, note
from tests.benchmark.plant import Plant
from tests.benchmark.usage import Meter
from tests.harness.postgres import PostgresServer

ROWS = 200_000
_TRANSACTION = 1_000
_COLUMNS = ("email", "name", "first", "company", "code")
_TABLE = "create table people (email text primary key, name text, first text, company text, code text)"
_BUCKET = re.compile(r'^posthaste_write_transaction_seconds_bucket{le="([^"]+)"} (\S+)', re.MULTILINE)
_EVERY = 0.05
_LIMIT_S = 0.2


async def run(rows: int = ROWS) -> None:
    """Measure and print, one database after the other."""
    await _measure("sqlite", rows, "")
    server = await asyncio.to_thread(PostgresServer, durable=True)
    try:
        await _measure("postgresql", rows, await asyncio.to_thread(server.create))
    finally:
        await asyncio.to_thread(server.stop)


async def _measure(kind: str, rows: int, url: str) -> None:
    with tempfile.TemporaryDirectory(prefix="posthaste-bench-") as name:
        folder = Path(name)
        await asyncio.to_thread(folder.chmod, 0o755)  # the sink gives up root
        file = shop.write_csv(folder / "contacts.csv", rows)
        before = await yardstick(file, folder, url)
        async with Plant(folder, extra={"POSTHASTE_DATABASE_URL": url}) as plant:
            await plant.contacts(shop.write_csv(folder / "few.csv", 100), "contacts")  # there is a list to ask about
            meter = Meter.start({name: pid for name, pid in plant.pids().items() if name in {"planner", "nats"}})
            async with _asked(plant) as took, _watched(plant.pids()["planner"]) as memory:
                seconds = await plant.contacts(file, "contacts")
            spent, others = meter.spent(), meter.others()
            seen = await _seen(plant)
            known = file if rows <= ROWS else shop.write_csv(folder / "known.csv", ROWS)
            again = await plant.contacts(known, "contacts")
            changed = await plant.contacts(await asyncio.to_thread(_renamed, known), "contacts")
            longest, slow = await asyncio.to_thread(_transactions, plant)
        bare = (before + await yardstick(file, folder, url)) / 2
    took.sort()
    more: dict[str, object] = {
        "database": kind,
        "rows": rows,
        "unchanged_rows_per_second": min(rows, ROWS) / again,
        "changed_rows_per_second": min(rows, ROWS) / changed,
        "transaction_longest_s_under": longest,
        "transactions_over_200_ms": slow,
        "commands": len(took),
        "command_p50_s": took[len(took) // 2],
        "command_p99_s": took[int(len(took) * 0.99)],
        "command_longest_s": took[-1],
        "rss_mib_at_tenth_half_end": [memory[int((len(memory) - 1) * part)] for part in (0.1, 0.5, 1.0)],
        "rules_see_all_after_s": seen,
        "others_cpu_s": others,
    }
    how = "csv.reader + COPY" if url else "csv.reader + sqlite3"
    note(f"import of {rows} rows, {kind}: {seconds:.1f} s")
    emit(Outcome("import", rows / seconds, "rows/s", Yardstick(how, rows / bare), bare / seconds, spent, more))


async def _seen(plant: Plant) -> float:
    """Return after how many seconds rules see everybody."""
    began = time.perf_counter()
    everybody = commands.CountSegment(rule="email is not empty", limit=0)
    while (await plant.ask(everybody))["behind"]:  # an answer takes its time: there is no need to wait between two
        pass
    return time.perf_counter() - began


def _renamed(file: Path) -> Path:
    """Return a file with the same people, all of whom have married."""
    other = file.with_name("renamed.csv")
    other.write_text(file.read_text(encoding="utf-8").replace("Müller", "Meier"), encoding="utf-8")
    return other


@contextlib.asynccontextmanager
async def _asked(plant: Plant) -> AsyncIterator[list[float]]:
    """Give commands that write, one every twentieth of a second; yield the seconds each took."""
    took: list[float] = []

    async def ask() -> None:
        while True:
            began = time.perf_counter()
            await plant.ask(commands.OpenCampaign(name=f"Meanwhile {new_id()}", lists=["contacts"]))
            took.append(time.perf_counter() - began)
            await asyncio.sleep(_EVERY)

    task = asyncio.create_task(ask())
    try:
        yield took
    finally:
        task.cancel()
        await asyncio.wait([task])
    if not task.cancelled() and (error := task.exception()):
        raise error


@contextlib.asynccontextmanager
async def _watched(pid: int) -> AsyncIterator[list[float]]:
    """Yield the memory of a process, in MiB, every quarter of a second."""
    seen: list[float] = []

    def look() -> None:
        status = Path(f"/proc/{pid}/status").read_text()
        seen.append(int(status.partition("VmRSS:")[2].split()[0]) / 1024)

    async def watch() -> None:
        while True:
            look()
            await asyncio.sleep(0.25)

    task = asyncio.create_task(watch())
    try:
        yield seen
    finally:
        task.cancel()
        look()


def _transactions(plant: Plant) -> tuple[float, list[int]]:
    """Return the bound that all writing transactions are under, and how many were over 200 ms, of how many."""
    url = f"http://127.0.0.1:{plant.local.ports.ops_planner}/metrics"
    with urllib.request.urlopen(url, timeout=5) as answer:
        counted = {float(bound): int(float(count)) for bound, count in _BUCKET.findall(answer.read().decode())}
    whole = counted[float("inf")]
    return next(bound for bound, count in counted.items() if count == whole), [whole - counted[_LIMIT_S], whole]


async def yardstick(file: Path, folder: Path, url: str) -> float:
    """Put the rows into a table with nothing else; return the seconds."""
    if url:
        return await _copied(file, url)
    return await asyncio.to_thread(_executed, file, folder / f"yardstick-{new_id()}.sqlite3")


def _parts(file: Path) -> Iterator[list[list[str]]]:
    with file.open(encoding="utf-8", newline="") as source:
        rows = csv.reader(source)
        next(rows)
        while part := list(islice(rows, _TRANSACTION)):
            yield part


def _executed(file: Path, database: Path) -> float:
    base = sqlite3.connect(database, isolation_level=None)
    base.execute("pragma journal_mode = wal")
    base.execute("pragma synchronous = normal")
    base.execute(_TABLE)
    began = time.perf_counter()
    for part in _parts(file):
        base.execute("begin")
        base.executemany("insert into people values (?, ?, ?, ?, ?)", part)
        base.execute("commit")
    seconds = time.perf_counter() - began
    base.close()
    return seconds


async def _copied(file: Path, url: str) -> float:
    base: Any = await asyncpg.connect(url)
    await base.execute(f"drop table if exists people; {_TABLE}")
    began = time.perf_counter()
    for part in _parts(file):
        async with base.transaction():
            await base.copy_records_to_table("people", records=part, columns=_COLUMNS)
    seconds = time.perf_counter() - began
    await base.close()
    note(f"COPY: {seconds:.1f} s")
    return seconds
