"""Progress: campaigns, mailings with their status and counts, and one row a chunk that holds its recipients' outcomes.

A batch loads the rows it touches once, folds them in memory (`counts`) and writes them back, so a mail costs a fraction
of a microsecond here. Tests are mailings of their own (`test_of` names whose). A chunk's event without its plan raises:
the log is not what it should be, the view pauses and says so.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import astuple, fields
from typing import ClassVar, TypeVar

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from services.reporting import tables
from services.reporting.bulk import Upsert
from services.reporting.counts import COUNTED, Chunk, Counts, chunk_of, entity_of
from services.reporting.mailing import Mailing
from shared.contracts import outcomes
from shared.contracts.campaign import EVENTS as CAMPAIGN
from shared.contracts.consent import OptedOut
from shared.contracts.engagement import HitsRecorded
from shared.contracts.envelope import Commit, EventRecord
from shared.contracts.feedback import EVENTS as FEEDBACK
from shared.contracts.feedback import AutoReplyReceived, BounceReceived, ComplaintReceived, ReplyReceived
from shared.contracts.mailing import DoubtDecided, TestSent
from shared.contracts.sending import ChunkFinished, ChunkParked, ChunkPlanned, RecipientsSettled

_MAILING = tuple(item.name for item in fields(Mailing))
_SAVE_MAILINGS = Upsert(tables.mailings, _MAILING, dict.fromkeys(_MAILING[1:], "replace"))
_CHUNK = ("mailing", "n", "states", "unsettled", "finished", "parked", "version")
_SAVE_CHUNKS = Upsert(tables.chunks, _CHUNK, dict.fromkeys(_CHUNK[2:], "replace"))
_CAMPAIGN = (
    *("campaign", "name", "kind", "lists", "starts_on", "ends_on", "status", "opened_at", "approval", "statuses"),
    "utm",
)
_SAVE_CAMPAIGNS = Upsert(tables.campaigns, _CAMPAIGN, dict.fromkeys(_CAMPAIGN[1:], "replace"))
_PAGE = 500
_OF_NOBODY = (OptedOut, *FEEDBACK, *CAMPAIGN)
"""Of no mailing here, or of nobody in it."""

T = TypeVar("T", str, int)


class ProgressView:
    """The view, as the projector runs it."""

    name = "progress"
    version = 1
    tables: ClassVar = [tables.campaigns, tables.mailings, tables.chunks]
    handles = COUNTED

    async def apply(self, conn: AsyncConnection, commits: Sequence[Commit]) -> None:
        """Load what the commits touch, fold, write back."""
        records = [record for commit in commits for record in commit.events if record.event.TYPE in COUNTED]
        touched, counts = _Touched(), Counts()
        for record in records:
            touched.add(record)
        await touched.load(conn, counts)
        for record in records:
            counts.add(record)
        counts.sum_up()
        await _save(conn, counts)


class _Touched:
    """The rows a batch needs: those it will surely write, and chunks where a sign of life may matter."""

    def __init__(self) -> None:
        self._mailings: set[str] = set()
        self._worked: defaultdict[str, set[int]] = defaultdict(set)
        self._signs: defaultdict[str, set[int]] = defaultdict(set)

    def add(self, record: EventRecord) -> None:
        """Note what one event touches."""
        match record.event:
            case HitsRecorded(hits=hits):
                for hit in hits:
                    self._signs[hit.mailing].add(hit.n)
            case (
                OptedOut(mailing=mailing, n=int(n))
                | BounceReceived(mailing=mailing, n=int(n))
                | ComplaintReceived(mailing=mailing, n=int(n))
                | ReplyReceived(mailing=mailing, n=int(n))
                | AutoReplyReceived(mailing=mailing, n=int(n))
            ):
                self._signs[mailing].add(n)
            case _ if isinstance(record.event, _OF_NOBODY):
                pass
            case ChunkPlanned(mailing=mailing):
                self._mailings.add(mailing)
            case RecipientsSettled() | ChunkParked() | ChunkFinished():
                mailing, n = chunk_of(record.subject)
                self._worked[mailing].add(n)
            case DoubtDecided(n=n):
                self._worked[entity_of(record.subject)].add(n)
            case TestSent(test=test):
                self._mailings.add(test)
            case _:
                self._mailings.add(entity_of(record.subject))

    async def load(self, conn: AsyncConnection, counts: Counts) -> None:
        """Read the rows into `counts`."""
        table = tables.chunks
        columns = (table.c.n, table.c.states, table.c.unsettled, table.c.finished, table.c.parked, table.c.version)
        for mailing in sorted(self._worked.keys() | self._signs.keys()):
            worked = self._worked[mailing]
            for page in _pages(worked | self._signs[mailing]):
                query = select(*columns).where(table.c.mailing == mailing, table.c.n.in_(page))
                for row in await conn.execute(query):
                    if row.unsettled or row.n in worked:
                        chunk = Chunk(bytearray(row.states), row.finished, row.parked, row.version)
                        counts.loaded((mailing, row.n), chunk)
        self._mailings |= {mailing for mailing, _ in counts.chunks}
        for names in _pages(self._mailings):
            for row in await conn.execute(select(tables.mailings).where(tables.mailings.c.mailing.in_(names))):
                counts.mailings[row.mailing] = Mailing(**row._mapping)  # noqa: SLF001 - SQLAlchemy's public name


def _pages(keys: Iterable[T]) -> Iterable[list[T]]:
    ordered = sorted(keys)
    return (ordered[start : start + _PAGE] for start in range(0, len(ordered), _PAGE))


async def _save(conn: AsyncConnection, counts: Counts) -> None:
    await _SAVE_MAILINGS.run(conn, [astuple(row) for row in counts.mailings.values()])
    rows = [
        (mailing, n, bytes(chunk.states), outcomes.unsettled(chunk.states), chunk.finished, chunk.parked, chunk.version)
        for (mailing, n), chunk in counts.chunks.items()
    ]
    await _SAVE_CHUNKS.run(conn, rows)
    await _SAVE_CAMPAIGNS.run(conn, list(counts.campaigns.values()))
    table = tables.campaigns
    for name, values in counts.changed.items():
        await conn.execute(table.update().where(table.c.campaign == name).values(**values))
