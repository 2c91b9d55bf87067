"""Seconds in which rules count a million contacts, on SQLite and on PostgreSQL.

Contacts have six fields each and lie in the tables of the planner, as an import leaves them. The yardstick is what the
database does with the same rows by itself: `count(*)` of the contacts whose name is not "", by its driver, which has to
read each row once. A line also names each rule with its seconds, the best of three, and how long the longest one took.
"""

import asyncio
import contextlib
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from datetime import date
from itertools import islice
from pathlib import Path
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from services.planner.contacts import lists
from services.planner.contacts.contacts import CONTACTS, contact_ids
from services.planner.contacts.incoming import pack_fields
from services.planner.contacts.lists import MEMBERS
from services.planner.contacts.search import SEARCH, searched
from services.planner.schema import METADATA, FairEngine
from services.planner.segments import dynamic
from services.planner.segments.dynamic import Known
from shared.bulk import append_rows
from shared.database import create_tables, is_postgresql, open_engine, reading
from tests.benchmark.outcome import Outcome, Yardstick, emit, note
from tests.harness.postgres import PostgresServer

CONTACTS_MANY = 1_000_000
_TODAY = date(2026, 11, 28)
_ROUNDS = 3
_AT_ONCE = 5_000
_CITIES = ("Athens", "Roma", "Berlin", "Köln", "Lyon", "Łódź", "Porto", "Αθήνα")
_BARE = "SELECT count(*) FROM contacts WHERE name <> ''"
RULES = (
    "city = 'Athens'",
    "points >= 500",
    "city in ('athens', 'KÖLN') and birthday <= today - 18 years",
    "city = 'Roma' or points > 900 or company contains 'umbrella'",
    "language = 'el' and not (city = 'Porto' or points < 10) and phone is empty",
    "company starts with 'acme' and birthday >= 1980-01-01 and birthday < 1990-01-01 and points != 7",
    "domain in ('a.example', 'b.example', 'c.example', 'd.example', 'e.example', 'example.org')",
    "on list 'Half' and city != 'Lyon'",
)


async def run(contacts: int = CONTACTS_MANY) -> None:
    """Measure and print, one database after the other."""
    with tempfile.TemporaryDirectory(prefix="posthaste-bench-") as folder:
        await _measure("sqlite", f"sqlite:///{Path(folder) / 'planner.sqlite3'}", contacts)
    server = await asyncio.to_thread(PostgresServer, durable=True)
    try:
        await _measure("postgresql", await asyncio.to_thread(server.create), contacts)
    finally:
        await asyncio.to_thread(server.stop)


@contextlib.asynccontextmanager
async def _filled(url: str, contacts: int) -> AsyncIterator[AsyncEngine]:
    engine = FairEngine(open_engine(url, "planner"))
    async with engine.begin() as conn:
        if is_postgresql(engine):
            await conn.exec_driver_sql("CREATE SCHEMA planner")
    await create_tables(engine, METADATA)
    half = lists.id_of("Half")
    ids = contact_ids(0)
    for first in range(0, contacts, _AT_ONCE):
        numbers = range(first, min(first + _AT_ONCE, contacts))
        async with engine.begin() as conn:
            await lists.ensure(conn, "Half")
            these = list(islice(ids, len(numbers)))
            rows = list(_rows(numbers, these))
            await append_rows(conn, CONTACTS, rows)
            await append_rows(conn, SEARCH, [(row[0], searched(row[1], row[4], row[5])) for row in rows])
            await append_rows(conn, MEMBERS, [(half, of) for of in these[::2]])
    if is_postgresql(engine):
        async with engine.execution_options(isolation_level="AUTOCOMMIT").connect() as conn:
            await conn.execute(text("VACUUM ANALYZE"))
    yield engine
    await engine.dispose()


def _rows(numbers: Sequence[int], ids: Sequence[str]) -> Iterator[tuple[Any, ...]]:
    for i, of in zip(numbers, ids, strict=True):
        mixed = i * 2654435761 & 0xFFFFFFFF
        fields = {
            "city": _CITIES[mixed % 8],
            "company": ("Acme & Sons", "Globex GmbH", "Umbrella Ltd", "Café Central")[mixed // 8 % 4],
            "points": str(mixed // 32 % 1000),
            "birthday": f"{1940 + mixed % 77}-{1 + mixed % 12:02}-{1 + mixed % 28:02}",
            "language": ("el", "it", "de", "en")[mixed // 64 % 4],
            "code": f"W26-{mixed:08X}",
        }
        address, packed = f"user{i:07d}@example.org", pack_fields(fields)
        yield of, address, f"{mixed:08x}{i:08x}", "", f"Jürgen {i}", packed, i // 256, 200, 0, 0


async def _measure(kind: str, url: str, contacts: int) -> None:
    took: dict[str, float] = {}
    found: dict[str, int] = {}
    async with _filled(url, contacts) as engine:
        bare = await _bare(engine)
        for rule in RULES:
            for _ in range(_ROUNDS):
                began = time.perf_counter()
                async with reading(engine).connect() as conn:
                    asked = await dynamic.known(conn, rule, _TODAY)
                    assert isinstance(asked, Known), asked
                    found[rule] = await dynamic.count(conn, asked)
                seconds = time.perf_counter() - began
                took[rule] = min(took.get(rule, seconds), seconds)
            note(f"{kind}: {took[rule]:.2f} s, {found[rule]} found: {rule}")
        bare = (bare + await _bare(engine)) / 2
        began = time.perf_counter()
        async with reading(engine).connect() as conn:
            asked = await dynamic.known(conn, RULES[2], _TODAY)
            assert isinstance(asked, Known), asked
            await dynamic.page(conn, asked, "", 20)
        page = time.perf_counter() - began
    mean = sum(took.values()) / len(took)
    more: dict[str, object] = {"database": kind, "contacts": contacts, "longest_s": max(took.values())}
    more |= {"page_s": page, "rules": took, "found": found}
    emit(Outcome("segments", mean, "s", Yardstick("count(*) of all rows by the driver", bare), bare / mean, {}, more))


async def _bare(engine: AsyncEngine) -> float:
    best = float("inf")
    for _ in range(_ROUNDS):
        async with reading(engine).connect() as conn:
            began = time.perf_counter()
            await conn.exec_driver_sql(_BARE)
            best = min(best, time.perf_counter() - began)
    return best
