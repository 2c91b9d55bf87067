"""The same commits give the same rows, however they are cut into transactions."""

import random
from collections.abc import Iterable

import pytest
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncEngine

from services.reporting import tables
from services.reporting.views import VIEWS
from shared.contracts import outcomes
from shared.database import reading
from shared.eventlog.rebuild import table_hash
from shared.eventlog.views import tables_of
from tests.harness.databases import KINDS
from tests.integration.reporting.tales import project, tale


async def hashes(engine: AsyncEngine) -> dict[str, str]:
    """Return the hash of each view's tables."""
    async with reading(engine).connect() as conn:
        return {view.name: await table_hash(conn, tables_of(view)) for view in VIEWS}


@pytest.mark.parametrize(
    ("database", "seed"),
    [(kind, seed) for kind in KINDS for seed in range(12 if kind == KINDS[0] else 4)],
    indirect=["database"],
)
async def test_any_batching_gives_the_same_rows(seed: int, engine: AsyncEngine) -> None:
    """All at once, one by one and at random places: equal hashes of every view; a few of them on the other database."""
    commits = tale(seed).commits
    chance = random.Random(seed + 1000)
    found = []
    ways: tuple[Iterable[int], ...] = ([], range(len(commits)), chance.sample(range(len(commits)), 20))
    for cuts in ways:
        await project(engine, commits, cuts)
        found.append(await hashes(engine))
        async with engine.begin() as conn:
            for table in tables.metadata.sorted_tables:
                await conn.execute(table.delete())
    assert found[0] == found[1]
    assert found[0] == found[2]


@pytest.mark.parametrize("seed", range(6))
async def test_progress_and_recipients_agree(seed: int, engine: AsyncEngine) -> None:
    """Two views that know nothing of each other count the same."""
    await project(engine, tale(seed, steps=300).commits, range(0, 900, 7))
    recipient = tables.recipients.c
    async with reading(engine).connect() as conn:
        for mailing in ("m1", "m2", "t1"):
            row = (await conn.execute(select(tables.mailings).where(tables.mailings.c.mailing == mailing))).one()
            counts = [0] * 8
            query = (
                select(recipient.outcome, recipient.evidence.is_not(None).label("sign"), func.count())
                .where(recipient.mailing == mailing)
                .group_by(recipient.outcome, "sign")
            )
            for outcome, sign, count in await conn.execute(query):
                counts[outcomes.ACCEPTED if outcome == outcomes.IN_DOUBT and sign else outcome] += count
            assert [getattr(row, name) for name in outcomes.NAMES[1:]] == counts[1:]
            assert sum(counts) == row.planned


async def test_a_chunk_without_its_plan_is_refused(engine: AsyncEngine) -> None:
    """The view raises, so the projector pauses it instead of counting nonsense."""
    commits = [commit for commit in tale(1).commits if not commit.subject.startswith("evt.plan.")]
    with pytest.raises(ValueError, match="never planned"):
        await project(engine, commits, views=VIEWS[:1])
