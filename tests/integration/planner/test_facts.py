"""The planner's facts: the same log gives the same tables, however it is cut into batches."""

import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine

from services.planner.facts import CHUNKS, MAILINGS, SUPPRESSION, TABLES, Facts
from services.planner.schema import METADATA
from shared.contracts import subjects
from shared.contracts.account import AccountAdded, AccountTested
from shared.contracts.consent import AddressSuppressed, OptedIn, OptedOut
from shared.contracts.envelope import Commit, DomainEvent
from shared.contracts.mailing import DoubtDecided, MailingPaused, MailingResumed, MailingScheduled
from shared.contracts.relay import AccountPaused, AccountReleased
from shared.contracts.sending import ChunkFinished, ChunkParked, ChunkPassed, ChunkPlanned, ChunkStarted
from shared.database import create_tables
from shared.eventlog.rebuild import table_hash
from tests.harness.databases import Database
from tests.harness.story import Story

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


def chunk_events(chance: random.Random, n: int) -> list[tuple[str, DomainEvent]]:
    """Return what may happen to chunk `n`, in order."""
    plan = ChunkPlanned(
        mailing="m1", n=n, account="a1", lane="rest", contacts=["c"], digests="", checked=1, content="", token_key="k"
    )
    told: list[tuple[str, DomainEvent]] = [(subjects.plan("m1", "a1", "rest", n), plan)]
    rest: list[DomainEvent] = [
        ChunkStarted(job=1, worker="w"),
        ChunkPassed(deferred=1, until=NOON + timedelta(hours=1)),
        ChunkParked(reason="x"),
        ChunkStarted(job=2, worker="v"),
        ChunkFinished(totals={"accepted": 1}),
    ]
    return told + [(subjects.chunk("m1", n), event) for event in rest[: chance.randrange(6)]]


def told(seed: int) -> list[Commit]:
    """Tell a log in which everything the planner listens to happens, mixed."""
    chance, story = random.Random(seed), Story()
    story.started("m1", 10, chunks=10)
    others: list[tuple[str, DomainEvent]] = [
        (subjects.mailing("m1"), MailingScheduled(at=NOON)),
        (subjects.account("a1"), AccountAdded(name="a", host="h", port=25, senders=["a@x.example"])),
        (subjects.account("a1"), AccountTested(working=True, detail="")),
        (subjects.relay("a1"), AccountPaused(reason="535")),
        (subjects.mailing("m1"), MailingPaused()),
        (subjects.mailing("m1"), MailingResumed()),
        (subjects.relay("a1"), AccountReleased()),
        (subjects.mailing("m1"), DoubtDecided(n=3, indexes="0", decision="accepted")),
    ]
    for at in range(20):
        key = f"{at % 4:016x}"
        act = chance.choice(
            [
                OptedOut(address_key=key, scope="l1", how="page"),
                OptedIn(address_key=key, scope="l1", how="page"),
                AddressSuppressed(address_key=key, scope="*", reason="r"),
            ]
        )
        others.append((subjects.consent(subjects.partition(key)), act))
    lines = [others, *(chunk_events(chance, n) for n in range(6))]
    while any(lines):
        line = chance.choice([line for line in lines if line])
        subject, event = line.pop(0)
        story.tell(subject, event)
    return story.commits


async def facts_of(engine: AsyncEngine, commits: Sequence[Commit], batches: Sequence[int]) -> str:
    """Apply the commits in batches of these sizes and return the hash of the tables."""
    view = Facts()
    await create_tables(engine, METADATA)
    rest = list(commits)
    for size in batches:
        async with engine.begin() as conn:
            await view.apply(conn, [c for c in rest[:size] if any(r.event.TYPE in view.handles for r in c.events)])
        rest = rest[size:]
    async with engine.connect() as conn:
        found = await table_hash(conn, list(TABLES))
        chunks = (await conn.execute(select(CHUNKS))).all()
        assert len(chunks) == 6
        assert all(chunk.size == 1 for chunk in chunks)
        mailing = (await conn.execute(select(MAILINGS))).one()
        assert mailing.resumed > 0
        for row in (await conn.execute(select(SUPPRESSION))).all():
            acts = [c for c in commits if c.subject.startswith("evt.consent")]
            last = [r.event for c in acts for r in c.events if _scope(r.event) == (row.address_key, row.scope)][-1]
            assert bool(row.blocked) == isinstance(last, OptedOut | AddressSuppressed)
    await engine.dispose()
    return found


def _scope(event: DomainEvent) -> tuple[object, object]:
    return getattr(event, "address_key", None), getattr(event, "scope", None)


@pytest.mark.parametrize("seed", range(5))
async def test_any_batches_give_the_same_facts(seed: int, database: Database) -> None:
    """One by one, all at once, and cut at random; the last act on an address and scope decides."""
    commits, chance = told(seed), random.Random(seed)
    cuts = [chance.randrange(1, 9) for _ in commits]
    one = await facts_of(await database.fresh("one"), commits, [1] * len(commits))
    assert await facts_of(await database.fresh("whole"), commits, [len(commits)]) == one
    assert await facts_of(await database.fresh("cut"), commits, cuts) == one
