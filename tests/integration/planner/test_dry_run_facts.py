"""Dry runs as rows, where two change them at once."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import orjson
import pytest
from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import AsyncEngine

from services.planner.mailings import dry_run_facts as facts
from services.planner.mailings.dry_run_facts import FOUND, Seen
from services.planner.schema import METADATA
from shared.database import create_tables, is_postgresql
from tests.harness.databases import Database
from tests.harness.waiting import until

WANTED: dict[str, Any] = {
    "mailing": "m1",
    "run": "r1",
    "object": "o",
    "content": "c",
    "principal": "p",
    "kept": True,
    "date": 1,
    "recipients": 2,
    "chunks": 2,
}
SEEN = Seen(0, bytes(16), [0, 0], {})


@asynccontextmanager
async def _tables(database: Database) -> AsyncIterator[AsyncEngine]:
    engine = await database.fresh("planner")
    await create_tables(engine, METADATA)
    yield engine
    await engine.dispose()


async def _begun(engine: AsyncEngine, **other: object) -> tuple[str, str]:
    async with engine.begin() as conn:
        return await facts.begin(conn, WANTED | other)


@pytest.mark.feature("B13")
async def test_what_is_found_while_another_run_begins_is_not_part_of_it(database: Database) -> None:
    """The other one waits for it and then drops it, so that its own first chunk can be added."""
    async with _tables(database) as engine:
        assert await _begun(engine) == ("r1", "running")
        async with engine.begin() as conn:
            row = await facts.of(conn, "m1")
            assert row is not None
            assert await facts.add(conn, row, SEEN)
            another = asyncio.create_task(_begun(engine, run="r2", object="other"))
            if is_postgresql(engine):
                waits = text("SELECT count(*) FROM pg_locks WHERE NOT granted")

                async def waiting() -> bool:
                    async with engine.connect() as other:
                        return bool(await other.scalar(waits))

                await until(waiting, 15)
        assert await another == ("r2", "running")
        async with engine.begin() as conn:
            assert not await conn.scalar(select(func.count()).select_from(FOUND))
            row = await facts.of(conn, "m1")
            assert row is not None
            assert row.old == '[["r1",2]]'
            assert await facts.add(conn, row, SEEN)


@pytest.mark.feature("B13")
async def test_of_two_runs_that_begin_at_once_none_is_forgotten(database: Database) -> None:
    """The same is begun once; of different ones each but the last is still to be erased."""
    async with _tables(database) as engine:
        same = await asyncio.gather(*(_begun(engine, run=f"r{n}") for n in range(4)))
        assert len(set(same)) == 1
        others = await asyncio.gather(*(_begun(engine, run=f"s{n}", object=f"o{n}") for n in range(4)))
        assert sorted(run for run, _ in others) == ["s0", "s1", "s2", "s3"]
        async with engine.connect() as conn:
            row = await facts.of(conn, "m1")
        assert row is not None
        begun = {same[0][0], *(run for run, _ in others)}
        assert {row.run, *(run for run, _ in orjson.loads(row.old))} == begun
