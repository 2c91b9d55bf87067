"""The tables of a service to a file and back, on both kinds of database and from one to the other."""

from pathlib import Path

import pytest
from sqlalchemy import insert, select

from services.planner.contacts.contacts import CONTACTS
from services.planner.memories import MEMORIES
from shared.database_dump import DumpError, dump, load
from shared.migrations import migrate
from tests.harness.databases import KINDS, Database, database_of

PACKAGE = "services.planner.migrations"
ROWS = [{"who": f"w{place}", "incarnation": "a", "seq": 2**40 + place, "event_id": "é"} for place in range(1203)]


async def _filled(database: Database) -> None:
    engine = database.engine("planner")
    await migrate(engine, PACKAGE)
    async with engine.begin() as conn:
        await conn.execute(insert(MEMORIES), ROWS)
    await engine.dispose()


@pytest.mark.parametrize("source", KINDS)
@pytest.mark.parametrize("target", KINDS)
async def test_what_is_loaded_is_what_was_dumped(source: str, target: str, tmp_path: Path) -> None:
    """Every row of every table; once more into the same database is refused."""
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    path = tmp_path / "planner.jsonl"
    with database_of(source, tmp_path / "one") as one, database_of(target, tmp_path / "two") as two:
        await _filled(one)
        engine = one.engine("planner")
        assert await dump(engine, path) == len(ROWS)
        await engine.dispose()
        engine = two.engine("planner")
        await migrate(engine, PACKAGE)
        assert await load(engine, path) == len(ROWS)
        async with engine.connect() as conn:
            rows = [dict(row) for row in (await conn.execute(select(MEMORIES))).mappings()]
            assert (await conn.execute(select(CONTACTS))).all() == []
        assert sorted(rows, key=lambda row: row["seq"]) == ROWS
        with pytest.raises(DumpError, match="holds rows"):
            await load(engine, path)
        await engine.dispose()


async def test_a_dump_of_another_revision_is_refused(tmp_path: Path) -> None:
    """The message names both."""
    database = Database(tmp_path)
    await _filled(database)
    engine = database.engine("planner")
    path = tmp_path / "planner.jsonl"
    await dump(engine, path)
    path.write_bytes(path.read_bytes().replace(b'"revision":"', b'"revision":"9', 1))
    with pytest.raises(DumpError, match="revision 9"):
        await load(engine, path)
    await engine.dispose()
