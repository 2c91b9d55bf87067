"""How a slice of an import finds the contacts that are known: by their index, however new the table is."""

import pytest
from sqlalchemy.ext.asyncio import AsyncConnection

from services.planner.contacts import contacts, lists
from services.planner.contacts.incoming import Incoming, incoming
from services.planner.schema import METADATA
from shared.database import create_tables, is_postgresql
from tests.harness.databases import Database

_READ = "SELECT seq_tup_read FROM pg_stat_xact_user_tables WHERE relid = 'contacts'::regclass"


def people(first: int, behind: int) -> list[Incoming]:
    """Return contacts with address keys that sort otherwise than they come."""
    return [incoming(f"p{n}@x.example", f"{n % 7}{n:015d}", f"P {n}", {}) for n in range(first, behind)]


async def read_row_by_row(conn: AsyncConnection) -> int:
    """Return how many contacts this transaction read without an index (SQLite: would have, by its plan)."""
    if is_postgresql(conn):
        return int((await conn.exec_driver_sql(_READ)).scalar_one())
    plan = await conn.exec_driver_sql("EXPLAIN QUERY PLAN " + contacts.known_sql(conn.dialect), ("[]",))
    return sum("SCAN contacts" in str(row.detail) for row in plan)


async def test_known_addresses_are_looked_up_by_their_index_before_there_are_statistics(database: Database) -> None:
    """The plan of an empty table reads all of it, slice after slice, until somebody counts its rows a minute later."""
    engine = await database.fresh("planner")
    await create_tables(engine, METADATA)
    for start in range(0, 4_000, 500):
        async with engine.begin() as conn:
            assert (await contacts.upsert(conn, people(start, start + 500))).added == 500
            assert await read_row_by_row(conn) == 0
    async with engine.begin() as conn:
        taken = await contacts.upsert(conn, people(3_900, 4_100))
        assert (taken.added, taken.unchanged) == (100, 100)
        assert await read_row_by_row(conn) == 0
    await engine.dispose()


@pytest.mark.parametrize("again", [False, True])
async def test_new_and_known_contacts_get_on_a_list_together(database: Database, *, again: bool) -> None:
    """New ones are on no list yet and go another way; whoever is on it stays, once."""
    engine = await database.fresh("planner")
    await create_tables(engine, METADATA)
    async with engine.begin() as conn:
        first, other = await lists.ensure(conn, "first"), await lists.ensure(conn, "other")
        taken = await contacts.upsert(conn, people(0, 20))
        await lists.add_members(conn, first, taken.known.values(), taken.new.values())
    async with engine.begin() as conn:
        taken = await contacts.upsert(conn, people(10, 40))
        assert len(taken.new) == 20
        await lists.add_members(conn, first if again else other, taken.known.values(), taken.new.values())
        counts = {row["name"]: row["members"] for row in await lists.overview(conn)}
    assert counts == ({"first": 40, "other": 0} if again else {"first": 20, "other": 30})
    await engine.dispose()
