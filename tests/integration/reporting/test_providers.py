"""How providers fare, by account and hour."""

from datetime import UTC, datetime

from sqlalchemy.ext.asyncio import AsyncEngine

from services.reporting.views.providers import ProvidersView, health
from shared.contracts import subjects
from shared.contracts.envelope import Commit, DomainEvent, EventRecord
from shared.contracts.relay import ProviderSlowed, ProviderSuspended
from shared.contracts.sending import ChunkPlanned, Group, RecipientsSettled

T = datetime(2026, 11, 27, 21, 30, tzinfo=UTC)
NEXT = datetime(2026, 11, 27, 22, 5, tzinfo=UTC)


def _commit(seq: int, subject: str, event: DomainEvent, at: datetime = T) -> Commit:
    record = EventRecord(f"e{seq}", event, subject, seq, 0, at, at)
    return Commit(subject=subject, seq=seq, recorded_at=at, events=(record,))


def _settled(seq: int, at: datetime, *groups: Group) -> Commit:
    base = int(at.timestamp() * 1000)
    return _commit(seq, subjects.chunk("m1", 0), RecipientsSettled(groups=list(groups), base=base), at)


async def test_replies_are_counted_by_the_lane_of_their_chunk_and_by_hour(engine: AsyncEngine) -> None:
    """Also where the plan came in a batch before; what no relay said does not count; troubles stand beside it."""
    plan = ChunkPlanned(
        mailing="m1",
        n=0,
        account="a1",
        lane="gmail",
        contacts=["c"] * 9,
        digests="",
        checked=0,
        content="h",
        token_key="k",
    )
    slow = ProviderSlowed(provider="gmail", rule="r", since=T, per_hour=10, full=100, step=60)
    held = ProviderSuspended(provider="", rule="r", since=T, until=NEXT)
    first = [
        _commit(1, subjects.plan("m1", "a1", "gmail", 0), plan),
        _settled(
            2,
            T,
            Group(outcome="accepted", indexes="0-4", code=250),
            Group(outcome="deferred", indexes="5-6", code=421, until=NEXT),
            Group(outcome="released", indexes="7"),
        ),
        _commit(3, subjects.relay("a1"), slow),
        _commit(4, subjects.relay("a1"), held),
    ]
    second = [
        _settled(
            5, NEXT, Group(outcome="accepted", indexes="5", code=250), Group(outcome="rejected", indexes="6", code=550)
        ),
        _settled(6, NEXT, Group(outcome="accepted", indexes="7", code=250)),
    ]
    view = ProvidersView()
    async with engine.begin() as conn:
        await view.apply(conn, first)
    async with engine.begin() as conn:
        await view.apply(conn, second)
        rows = await health(conn, "a1", 0)
        assert await health(conn, "other", 0) == []
        assert len(await health(conn, "", int(NEXT.timestamp() * 1000))) == 1
    counts = [(row["provider"], *(row[name] for name in ("accepted", "deferred", "rejected"))) for row in rows]
    assert counts == [("gmail", 2, 0, 1), ("", 0, 0, 0), ("gmail", 5, 2, 0)]
    assert [(row["slowed"], row["suspended"]) for row in rows] == [(0, 0), (0, 1), (1, 0)]
