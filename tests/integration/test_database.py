"""What PostgreSQL must do for us that SQLite does by having one writer; and what both say when they are away."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import Column, Integer, MetaData, String, Table, func, select, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from shared.bulk import among, append_rows, insert_absent
from shared.database import alone, create_tables, in_turn, is_away, open_engine, reading
from shared.sqlite import connect
from tests.harness.databases import Database
from tests.harness.postgres import shared_server
from tests.harness.waiting import until

META = MetaData()
THINGS = Table("things", META, Column("id", Integer, primary_key=True), Column("name", String(8), nullable=False))
on_postgresql = pytest.mark.parametrize("database", ["postgresql"], indirect=True)


@pytest.fixture
async def engine(database: Database) -> AsyncIterator[AsyncEngine]:
    """Yield an engine for one empty table."""
    engine = await database.fresh("things")
    await create_tables(engine, META)
    yield engine
    await engine.dispose()


async def count(engine: AsyncEngine) -> int:
    """Return how many rows there are."""
    async with reading(engine).connect() as conn:
        return int(await conn.scalar(select(func.count()).select_from(THINGS)) or 0)


async def test_who_reads_and_then_writes_takes_turns(engine: AsyncEngine) -> None:
    """Ten that each make one row more than they found make ten rows, one after the other."""

    async def one_more() -> None:
        async with engine.begin() as conn:
            await in_turn(conn, "things")
            found = int(await conn.scalar(select(func.count()).select_from(THINGS)) or 0)
            await conn.execute(THINGS.insert().values(id=found, name="x"))

    await asyncio.gather(*(one_more() for _ in range(10)))
    assert await count(engine) == 10


async def test_a_reader_sees_one_state(engine: AsyncEngine) -> None:
    """What is written while somebody reads is not seen half."""
    async with reading(engine).connect() as conn:
        before = await conn.scalar(select(func.count()).select_from(THINGS))
        async with engine.begin() as writing:
            await writing.execute(THINGS.insert().values(id=1, name="x"))
        assert await conn.scalar(select(func.count()).select_from(THINGS)) == before
    assert await count(engine) == 1


@pytest.mark.parametrize("rows", [0, 1, 3000])
async def test_many_rows_at_once_are_rows(engine: AsyncEngine, rows: int) -> None:
    """Appended rows are part of the transaction, and absent ones are those that were not there."""
    given = [(at, f"n{at}") for at in range(rows)]
    async with engine.begin() as conn:
        await conn.execute(THINGS.delete())
        await append_rows(conn, THINGS, given)
        await conn.rollback()
    assert await count(engine) == 0
    async with engine.begin() as conn:
        await conn.execute(THINGS.delete())
        await append_rows(conn, THINGS, given)
        await insert_absent(conn, THINGS, ("id", "name"), [*given, (rows, "new"), (rows, "again")])
    assert await count(engine) == rows + 1
    async with reading(engine).connect() as conn:
        assert await conn.scalar(select(THINGS.c.name).where(THINGS.c.id == rows)) == "new"


@pytest.mark.parametrize("count", [0, 1, 100_000])
async def test_any_number_of_keys_is_one_parameter(engine: AsyncEngine, count: int) -> None:
    """Those that are there are found, whatever stands in them; none finds nothing, and a longer one nobody."""
    odd = ["o'x", '"', "\\", "é", "%", ""]
    async with engine.begin() as conn:
        await append_rows(conn, THINGS, list(enumerate(["n0", *odd, "12345678"])))
        keys = [f"n{at}" for at in range(count)]
        found = await conn.scalars(select(THINGS.c.name).where(among(conn, THINGS.c.name, keys)))
        assert list(found) == ["n0"][:count]
        found = await conn.scalars(select(THINGS.c.name).where(among(conn, THINGS.c.name, odd)).order_by(THINGS.c.id))
        assert list(found) == odd
        assert await conn.scalar(select(THINGS.c.name).where(among(conn, THINGS.c.name, ["123456789"]))) is None


@on_postgresql
async def test_one_process_at_a_time_has_the_right(engine: AsyncEngine, database: Database) -> None:
    """Another one, on connections of its own, gets it when the first has finished, or when its connection ended."""
    other = database.engine("things")
    async with alone(engine, "work") as ours:
        assert ours
        async with alone(other, "work") as theirs, alone(other, "other work") as free:
            assert (theirs, free) == (False, True)
        end = "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND database = "
        end += f"(SELECT oid FROM pg_database WHERE datname = '{engine.url.database}');"  # noqa: S608 - our own name
        await asyncio.to_thread(shared_server().sql, end)

        async def passed_on() -> bool:  # the server ends a connection in its own time
            async with alone(other, "work") as theirs:
                return theirs

        await until(passed_on, 10)
    async with alone(engine, "work") as ours:
        assert ours
    await other.dispose()


@on_postgresql
async def test_a_connection_that_ended_while_idle_is_replaced(engine: AsyncEngine) -> None:
    """Whoever comes next does not notice that the server was restarted, and nobody asks each time whether it was."""
    whose = text("SELECT pg_backend_pid()")
    async with engine.connect() as conn:
        ended = await conn.scalar(whose)
    await asyncio.to_thread(shared_server().sql, f"SELECT pg_terminate_backend({ended}, 5000);")
    async with engine.connect() as conn:
        assert await conn.scalar(whose) != ended


@on_postgresql
async def test_schemas_do_not_hinder_each_other(engine: AsyncEngine, database: Database) -> None:
    """The right to do the same in another service's schema is another right."""
    other = await database.fresh("others")
    async with alone(engine, "work") as ours, alone(other, "work") as theirs:
        assert ours
        assert theirs
    await other.dispose()


@on_postgresql
async def test_what_passes_is_told_from_what_would_come_again(engine: AsyncEngine) -> None:
    """Lines that broke, locks and rivals pass; wrong SQL, wrong rows and values that do not fit do not."""
    refused = [
        "SELECT nothing FROM nowhere",
        "INSERT INTO things VALUES (1, 'far too long for it')",
        "INSERT INTO things VALUES (1, NULL)",
        "SELECT 1 / 0",
    ]
    passing = [
        "SELECT pg_terminate_backend(pg_backend_pid())",
        "DO $$ BEGIN RAISE SQLSTATE '40P01'; END $$",
        "DO $$ BEGIN RAISE SQLSTATE '40001'; END $$",
        "DO $$ BEGIN RAISE SQLSTATE '55P03'; END $$",
        "DO $$ BEGIN RAISE SQLSTATE '53300'; END $$",
    ]
    for statements, away in ((refused, False), (passing, True)):
        for statement in statements:
            with pytest.raises(SQLAlchemyError) as failed:
                async with engine.begin() as conn:
                    await conn.execute(text(statement))
            assert is_away(failed.value) == away, statement
    with pytest.raises(SQLAlchemyError) as failed:
        async with engine.begin() as conn:
            await conn.execute(THINGS.insert().values(id=2**40, name="x"))
    assert not is_away(failed.value)


async def test_nobody_there_is_away() -> None:
    """A server that does not listen, or does not answer, passes."""
    engine = open_engine("postgresql://nobody@127.0.0.1:1/nothing")
    with pytest.raises(OSError, match="Connect") as failed:
        async with engine.connect():
            pass
    assert is_away(failed.value)


def test_another_kind_of_database_is_refused() -> None:
    """Nothing is tried on what was never tested."""
    with pytest.raises(ValueError, match="only sqlite and postgresql"):
        open_engine("mysql://x/y")


async def test_a_connection_that_is_stopped_while_it_closes_ends(tmp_path: Path) -> None:
    """As it comes when a service is told to end in the middle of a query: nobody waits for a thread that is gone."""
    conn = await connect(str(tmp_path / "x.sqlite3"))
    closing = asyncio.create_task(conn.close())
    await asyncio.sleep(0)
    conn.stop()
    closing.cancel()
    done, _ = await asyncio.wait([closing], timeout=5)
    assert done
