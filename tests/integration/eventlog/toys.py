"""Two small views that show every mistake a projector can make, and a history for them.

`Pauses` counts and chains: a commit applied twice, left out or out of order changes its rows. `Rates` is a second view
in the same transaction that handles another type.
"""

import hashlib
import random
from collections.abc import Callable, Sequence
from typing import ClassVar

from sqlalchemy import Column, Index, Integer, MetaData, String, Table, select, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from shared.bulk import insert_into
from shared.clock import now
from shared.contracts import subjects
from shared.contracts.account import Limits
from shared.contracts.envelope import Commit, DomainEvent, Origin
from shared.contracts.mailing import MailingPaused, MailingResumed, RateChanged
from shared.database import reading
from shared.eventlog.projector import Projector
from shared.eventlog.rebuild import table_hash
from shared.eventlog.store import EventLog
from shared.eventlog.views import View
from shared.ids import new_id

META = MetaData()
PAUSES = Table(
    "pauses",
    META,
    Column("mailing", String, primary_key=True),
    Column("events", Integer, nullable=False),
    Column("last_reason", String, nullable=False),
    Column("chain", String, nullable=False),
    Index("pauses_by_reason", "last_reason"),
)
RATES = Table(
    "rates",
    META,
    Column("mailing", String, primary_key=True),
    Column("changes", Integer, nullable=False),
    Column("chain", String, nullable=False),
)


class Crash(BaseException):
    """Stands for the end of the process: nothing catches it."""


def _chain(before: str, commit: Commit, index: int) -> str:
    return hashlib.sha256(f"{before}|{commit.seq}|{index}".encode()).hexdigest()[:16]


class Pauses:
    """Counts pauses and resumes of each mailing. `spoil` may raise on a commit, as a bug would."""

    name = "pauses"
    version = 1
    tables: ClassVar = [PAUSES]
    handles = frozenset({MailingPaused.TYPE, MailingResumed.TYPE})

    def __init__(self, spoil: Callable[[Commit], None] = lambda _commit: None) -> None:
        self.spoil = spoil

    async def apply(self, conn: AsyncConnection, commits: Sequence[Commit]) -> None:
        """Fold each commit into its row."""
        for commit in commits:
            mailing = commit.subject.rpartition(".")[2]
            row = (await conn.execute(select(PAUSES).where(PAUSES.c.mailing == mailing))).one_or_none()
            events, reason, chain = (row.events, row.last_reason, row.chain) if row else (0, "", "")
            for record in commit.events:
                events += 1
                chain = _chain(chain, commit, record.index)
                reason = record.event.reason if isinstance(record.event, MailingPaused) else reason
            values = {"events": events, "last_reason": reason, "chain": chain}
            await conn.execute(
                insert_into(conn.dialect, PAUSES)
                .values(mailing=mailing, **values)
                .on_conflict_do_update(index_elements=["mailing"], set_=values)
            )
            self.spoil(commit)


class Rates:
    """Counts changes of the rate of each mailing."""

    name = "rates"
    version = 1
    tables: ClassVar = [RATES]
    handles = frozenset({RateChanged.TYPE})

    async def apply(self, conn: AsyncConnection, commits: Sequence[Commit]) -> None:
        """Fold each commit into its row."""
        for commit in commits:
            mailing = commit.subject.rpartition(".")[2]
            row = (await conn.execute(select(RATES).where(RATES.c.mailing == mailing))).one_or_none()
            if row is None:
                await conn.execute(RATES.insert().values(mailing=mailing, changes=0, chain=""))
            changes, chain = (row.changes, row.chain) if row else (0, "")
            for record in commit.events:
                changes, chain = changes + 1, _chain(chain, commit, record.index)
            await conn.execute(update(RATES).where(RATES.c.mailing == mailing).values(changes=changes, chain=chain))


def some_events(rng: random.Random) -> list[DomainEvent]:
    """Return the events of one commit."""
    return rng.choices(
        [
            MailingPaused(reason=f"reason {rng.randrange(100)}"),
            MailingResumed(),
            RateChanged(limits=Limits(per_hour=rng.randrange(1, 1000))),
        ],
        k=rng.randint(1, 3),
    )


async def write(log: EventLog, count: int, *, seed: int = 1, mailings: int = 7) -> int:
    """Append `count` commits to some mailings; return the sequence of the last."""
    rng = random.Random(seed)
    seq = 0
    for _ in range(count):
        subject = subjects.mailing(f"m{rng.randrange(mailings)}")
        seq = await append(log, some_events(rng), subject)
    return seq


async def append(log: EventLog, events: Sequence[DomainEvent], subject: str = "evt.mailing.m0") -> int:
    """Append one commit."""
    return await log.append_journal(subject, events, origin=Origin(new_id(), "test", now()))


def projector(log: EventLog, engine: AsyncEngine, *views: View, **options: object) -> Projector:
    """Return a projector of all mailings for `views`, by default both toys."""
    chosen = list(views) or [Pauses(), Rates()]
    return Projector(log, engine, chosen, durable="toys", filters=[subjects.ALL_MAILINGS], **options)  # type: ignore[arg-type]


async def content(engine: AsyncEngine, *tables: Table) -> str:
    """Return the hash of the tables, by default of both toys."""
    async with reading(engine).connect() as conn:
        return await table_hash(conn, tables or (PAUSES, RATES))
