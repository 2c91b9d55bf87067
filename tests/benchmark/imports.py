"""Rows a second of a CSV import through the running planner, beside `csv.reader` and `sqlite3` and nothing else.

The import parses, checks every address, hashes it under the pepper, looks for duplicates, joins contact and list, and
keeps its place for a restart. The yardstick puts the same rows into one table by `executemany`, a thousand in a
transaction, address as the key.
"""

import asyncio
import csv
import sqlite3
import tempfile
import time
from itertools import islice
from pathlib import Path

from tests.benchmark import shop
from tests.benchmark.outcome import Outcome, Yardstick, emit
from tests.benchmark.plant import Plant
from tests.benchmark.usage import Meter

ROWS = 200_000
_TRANSACTION = 1_000
_TABLE = "create table people (email text primary key, name text, first text, company text, code text)"


async def run(rows: int = ROWS) -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory(prefix="posthaste-bench-") as name:
        folder = Path(name)
        await asyncio.to_thread(folder.chmod, 0o755)  # the sink gives up root
        file = shop.write_csv(folder / "contacts.csv", rows)
        before = yardstick(file, folder / "before.sqlite3")
        async with Plant(folder) as plant:
            meter = Meter.start({name: pid for name, pid in plant.pids().items() if name in {"planner", "nats"}})
            seconds = await plant.contacts(file, "contacts")
            spent, others = meter.spent(), meter.others()
            again = await plant.contacts(file, "contacts")
        bare = (before + yardstick(file, folder / "after.sqlite3")) / 2
    more: dict[str, object] = {"rows": rows, "unchanged_rows_per_second": rows / again, "others_cpu_s": others}
    emit(
        Outcome(
            "import",
            rows / seconds,
            "rows/s",
            Yardstick("csv.reader + sqlite3", rows / bare),
            bare / seconds,
            spent,
            more,
        )
    )


def yardstick(file: Path, database: Path) -> float:
    """Put the rows into a table by the standard library; return the seconds."""
    base = sqlite3.connect(database, isolation_level=None)
    base.execute("pragma journal_mode = wal")
    base.execute("pragma synchronous = normal")
    base.execute(_TABLE)
    began = time.perf_counter()
    with file.open(encoding="utf-8", newline="") as source:
        rows = csv.reader(source)
        next(rows)
        while part := list(islice(rows, _TRANSACTION)):
            base.execute("begin")
            base.executemany("insert into people values (?, ?, ?, ?, ?)", part)
            base.execute("commit")
    seconds = time.perf_counter() - began
    base.close()
    return seconds
