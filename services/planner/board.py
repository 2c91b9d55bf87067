"""Reading the facts: which mailings move, what of them is open, what is still to be planned, what has gone quiet.

Only reads, each in a snapshot of its own. The marks of what the process manager did (retries it published) are the one
thing written here; losing them repeats a retry, which does no harm.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from operator import attrgetter

import orjson
from sqlalchemy import BigInteger, Column, ColumnElement, String, Table, and_, case, func, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from services.planner.accounts.account import Account
from services.planner.audience.frozen_rows import PIECES
from services.planner.consent.returns import RETURNS
from services.planner.facts import ACCOUNTS, CHUNKS, DOUBTS, MAILINGS
from services.planner.mailings.mailing import FINAL, Mailing
from services.planner.mailings.thresholds import Tried
from services.planner.planning.fan_out import Piece
from services.planner.planning.openings import EVERYTHING, Leave
from services.planner.schema import METADATA, insert
from shared.contracts.sending import SINGLE
from shared.contracts.subjects import ChunkRef
from shared.database import reading
from shared.instants import from_millis

MARKS = Table(
    "process_marks",
    METADATA,
    Column("of", String(32), primary_key=True),
    Column("retried", BigInteger, nullable=False),
)
ACTIVE = ("scheduled", "sending", "waiting")
_LONG_QUIET = 5


@dataclass(frozen=True, slots=True)
class MailingFact:
    """A mailing as the facts have it."""

    id: str
    state: Mailing
    resumed: int
    retry: int
    seq: int


@dataclass(frozen=True, slots=True)
class AccountFact:
    """An account as the facts have it; `paused`: why its senders hold it."""

    id: str
    state: Account
    paused: str


class Board:
    """Reads the facts."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._reading = reading(engine)

    async def mailing(self, mailing: str) -> MailingFact | None:
        """Return one mailing."""
        m = MAILINGS.c
        async with self._reading.connect() as conn:
            row = (await conn.execute(select(m.state, m.resumed, m.retry, m.seq).where(m.id == mailing))).one_or_none()
        if row is None:
            return None
        return MailingFact(mailing, Mailing.model_validate_json(row[0]), int(row[1]), int(row[2]), int(row[3]))

    async def live(self) -> list[str]:
        """Return the mailings that are not at their end."""
        async with self._reading.connect() as conn:
            return list(await conn.scalars(select(MAILINGS.c.id).where(MAILINGS.c.status.not_in(FINAL))))

    async def active(self) -> list[str]:
        """Return the mailings that move by themselves, or owe retries."""
        m = MAILINGS.c
        owes = and_(m.retry > 0, or_(MARKS.c.retried.is_(None), MARKS.c.retried < m.retry))
        query = select(m.id).outerjoin(MARKS, MARKS.c.of == m.id).where(or_(m.status.in_(ACTIVE), owes))
        async with self._reading.connect() as conn:
            return list(await conn.scalars(query))

    async def accounts(self) -> list[AccountFact]:
        """Return all accounts."""
        a = ACCOUNTS.c
        async with self._reading.connect() as conn:
            rows = await conn.execute(select(a.id, a.state, a.paused).order_by(a.id))
            return [AccountFact(row[0], Account.model_validate_json(row[1]), row[2]) for row in rows]

    async def account(self, account: str) -> Account:
        """Return one account; an empty state where there is none."""
        async with self._reading.connect() as conn:
            state = await conn.scalar(select(ACCOUNTS.c.state).where(ACCOUNTS.c.id == account))
        return Account() if state is None else Account.model_validate_json(state)

    async def pause_of(self, account: str) -> str:
        """Return why senders hold an account, "" where they do not."""
        async with self._reading.connect() as conn:
            return str(await conn.scalar(select(ACCOUNTS.c.paused).where(ACCOUNTS.c.id == account)) or "")

    async def open_pieces(self, mailing: str, audience: int, zones: Collection[str] | None = None) -> list[Piece]:
        """Return the planned chunks whose first pass is open, of these zones where zones matter."""
        p, c = PIECES.c, CHUNKS.c
        query = select(c.n, c.lane, c.size).where(
            and_(c.mailing == mailing, c.finished.is_(False), c.passed.is_(False))
        )
        if zones is not None:
            query = query.join(PIECES, and_(p.audience == audience, p.n == c.n)).where(p.zone.in_(zones))
        async with self._reading.connect() as conn:
            return [Piece(int(n), lane, int(size)) for n, lane, size in await conn.execute(query)]

    async def left(self, mailing: str, audience: int, *, sample: bool | None = None) -> dict[tuple[str, str], int]:
        """Return how many recipients are not sent to yet, by lane and time zone; those of the sample, or the rest."""
        p, c = PIECES.c, CHUNKS.c
        answered = func.coalesce(c.accepted + c.bounced + c.refused, 0)
        query = (
            select(p.lane, p.zone, func.sum(p.size - answered))
            .outerjoin(CHUNKS, and_(c.mailing == mailing, c.n == p.n))
            .where(and_(p.audience == audience, or_(c.finished.is_(None), c.finished.is_(False))))
            .group_by(p.lane, p.zone)
        )
        if sample is not None:
            query = query.where(p.version != "" if sample else p.version == "")
        async with self._reading.connect() as conn:
            return {(lane, zone): int(count) for lane, zone, count in await conn.execute(query)}

    async def planned_since(self, mailing: str, since: int) -> list[tuple[int, int]]:
        """Return when (milliseconds) and how many recipients were planned after `since`, in order of time."""
        c = CHUNKS.c
        query = select(c.planned_at, c.size).where(and_(c.mailing == mailing, c.planned_at > since))
        async with self._reading.connect() as conn:
            return [(int(at), int(size)) for at, size in await conn.execute(query.order_by(c.planned_at))]

    async def sampled(self, mailing: str, audience: int) -> bool:
        """Tell whether everybody of the sample was tried."""
        p, c = PIECES.c, CHUNKS.c
        query = (
            select(func.count())
            .select_from(PIECES)
            .outerjoin(CHUNKS, and_(c.mailing == mailing, c.n == p.n))
            .where(p.audience == audience, p.version != "", or_(c.passed.is_(None), c.passed.is_(False)))
        )
        async with self._reading.connect() as conn:
            return not await conn.scalar(query)

    async def unplanned(
        self, mailing: str, audience: int, lanes: Iterable[str], limit: int, may: Leave = EVERYTHING
    ) -> list[Piece]:
        """Return the next chunks of each lane that have no plan and may have one, in order of their numbers."""
        p, c = PIECES.c, CHUNKS.c
        planned = and_(c.mailing == mailing, c.n == p.n)
        query = (
            select(p.n, p.lane, p.size, p.zone, p.version)
            .outerjoin(CHUNKS, planned)
            .where(and_(p.audience == audience, or_(c.n.is_(None), c.size == 0)))
            .order_by(p.n)
            .limit(limit)
        )
        if may.zones is not None:
            query = query.where(p.zone.in_(may.zones))
        if may.sample:
            query = query.where(p.version != "")
        async with self._reading.connect() as conn:
            rows = [row for lane in lanes for row in await conn.execute(query.where(p.lane == lane))]
        return sorted((Piece(int(row[0]), row[1], int(row[2]), *row[3:]) for row in rows), key=attrgetter("n"))

    async def finished(self, mailing: str, chunks: int) -> tuple[int, list[dict[str, int]]]:
        """Return how many of `chunks` are not finished, and the totals of all where none is left."""
        c = CHUNKS.c
        ended = and_(c.mailing == mailing, c.finished.is_(True))
        async with self._reading.connect() as conn:
            many = int(await conn.scalar(select(func.count()).select_from(CHUNKS).where(ended)) or 0)
            if many < chunks:
                return chunks - many, []
            return 0, [orjson.loads(totals) for totals in await conn.scalars(select(c.totals).where(ended))]

    async def tried(self, mailing: str, since: int) -> Tried:
        """Return how the mails fared that were planned after `since`, what came back later included."""
        c = CHUNKS.c
        sums = (func.coalesce(func.sum(column), 0) for column in (c.accepted, c.bounced, c.refused))
        query = select(*sums).where(and_(c.mailing == mailing, c.planned_seq > since))
        async with self._reading.connect() as conn:
            accepted, bounced, refused = map(int, (await conn.execute(query)).one())
            late = await _late(conn, mailing, since)
        bounces, refusals = late.get("bounced", 0), late.get("refused", 0)
        left = max(accepted - bounces - refusals, 0)
        return Tried(left, bounced + bounces, refused + refusals, late.get("complaint", 0))

    async def parked(self, mailing: str, since: int) -> str:
        """Return why a chunk was parked after `since`, "" where none was."""
        c = CHUNKS.c
        query = select(c.n, c.parked).where(and_(c.mailing == mailing, c.finished.is_(False), c.parked_seq > since))
        async with self._reading.connect() as conn:
            row = (await conn.execute(query.order_by(c.n).limit(1))).one_or_none()
        return "" if row is None else f"chunk {row[0]}: {row[1]}"

    async def known(self, mailing: str, n: int) -> bool:
        """Tell whether a chunk is planned."""
        c = CHUNKS.c
        async with self._reading.connect() as conn:
            return await conn.scalar(select(c.n).where(and_(c.mailing == mailing, c.n == n, c.size > 0))) is not None

    async def owed(self, mailing: str) -> list[ChunkRef]:
        """Return the chunks that shall look again since the last retry: unfinished ones and those of a decision."""
        c, d = CHUNKS.c, DOUBTS.c
        async with self._reading.connect() as conn:
            since = await conn.scalar(select(MARKS.c.retried).where(MARKS.c.of == mailing)) or 0
            decided = select(d.n).where(and_(d.mailing == mailing, d.seq > since))
            query = select(c.account, c.lane, c.mailing, c.n).where(
                and_(c.mailing == mailing, c.size > 0, or_(c.finished.is_(False), c.n.in_(decided)))
            )
            return [ChunkRef(*row) for row in await conn.execute(query)]

    async def sendable(self) -> list[ChunkRef]:
        """Return the chunks of which a mail may still go out: unfinished ones, and those with a recipient in doubt."""
        c = CHUNKS.c
        query = select(c.account, c.lane, c.mailing, c.n, c.finished, c.totals)
        query = query.where(and_(c.size > 0, or_(c.finished.is_(False), c.totals.contains("in_doubt"))))
        async with self._reading.connect() as conn:
            rows = list(await conn.execute(query))
        return [ChunkRef(*row[:4]) for row in rows if not row[4] or orjson.loads(row[5]).get("in_doubt")]

    async def mark(self, of: str) -> int:
        """Return up to which sequence retries were published for a mailing or an account."""
        async with self._reading.connect() as conn:
            return int(await conn.scalar(select(MARKS.c.retried).where(MARKS.c.of == of)) or 0)

    async def set_mark(self, of: str, seq: int) -> None:
        """Note up to which sequence retries were published."""
        async with self._engine.begin() as conn:
            statement = insert(conn, MARKS).values(of=of, retried=seq)
            moved = {"retried": statement.excluded.retried}
            await conn.execute(statement.on_conflict_do_update(index_elements=["of"], set_=moved))

    async def owed_accounts(self) -> list[tuple[str, int]]:
        """Return the accounts that were released since the last retry, and when."""
        a = ACCOUNTS.c
        behind = or_(MARKS.c.retried.is_(None), MARKS.c.retried < a.retry)
        query = select(a.id, a.retry).outerjoin(MARKS, MARKS.c.of == a.id).where(and_(a.retry > 0, behind))
        async with self._reading.connect() as conn:
            return [(str(row[0]), int(row[1])) for row in await conn.execute(query)]

    async def unfinished_of_account(self, account: str) -> list[ChunkRef]:
        """Return the chunks of an account that are not finished and whose mailing goes on."""
        c = CHUNKS.c
        query = select(c.account, c.lane, c.mailing, c.n).outerjoin(MAILINGS, MAILINGS.c.id == c.mailing)
        query = query.where(and_(c.account == account, c.finished.is_(False), _goes_on()))
        async with self._reading.connect() as conn:
            return [ChunkRef(*row) for row in await conn.execute(query)]

    async def quiet(self, before: int, now: int, limit: int = 1000) -> Sequence[ChunkRef]:
        """Return unfinished chunks without an event since `before` (milliseconds) and not known to be due later.

        Those of a paused account or a suspended provider wait for their release: nobody takes their jobs, which would
        pile up. One that was never started is only waiting for its turn while others of its lane move; it counts when
        it has waited for long all the same.
        """
        c = CHUNKS.c
        lanes = select(c.account, c.lane).where(and_(c.started.is_(True), c.last_at >= before)).distinct()
        query = (
            select(c.account, c.lane, c.mailing, c.n, c.started, c.planned_at)
            .outerjoin(MAILINGS, MAILINGS.c.id == c.mailing)
            .outerjoin(ACCOUNTS, ACCOUNTS.c.id == c.account)
            .where(and_(c.finished.is_(False), c.size > 0, c.last_at < before, c.due_at < before, _goes_on()))
            .where(or_(ACCOUNTS.c.paused.is_(None), ACCOUNTS.c.paused == ""))
            .order_by(c.last_at)
            .limit(limit)
        )
        async with self._reading.connect() as conn:
            moving = {(row[0], row[1]) for row in await conn.execute(lanes)}
            rows = list(await conn.execute(query))
            at = from_millis(now)
            states = {account.id: account.state for account in await self.accounts()}
        rows = [row for row in rows if row[0] not in states or not states[row[0]].waits(row[1], at)]
        long = now - _LONG_QUIET * (now - before)
        return [ChunkRef(*row[:4]) for row in rows if row[4] or (row[0], row[1]) not in moving or row[5] < long]


async def _late(conn: AsyncConnection, mailing: str, since: int) -> dict[str, int]:
    """Return how many recipients bounced, were refused or complained after their mail was accepted."""
    r, c = RETURNS.c, CHUNKS.c
    kind = case((r.what.in_(("hard", "soft")), "bounced"), else_=r.what).label("kind")
    each = (
        select(kind, r.n, r.idx)
        .join(CHUNKS, and_(c.mailing == r.mailing, c.n == r.n))
        .where(r.mailing == mailing, r.what.in_(("hard", "soft", "refused", "complaint")), c.planned_seq > since)
        .distinct()
        .subquery()
    )
    rows = await conn.execute(select(each.c.kind, func.count()).group_by(each.c.kind))
    return {row[0]: int(row[1]) for row in rows}


def _goes_on() -> ColumnElement[bool]:
    """Tell of an unfinished chunk whether it may move; in a completed mailing, a decision had some sent again."""
    return or_(MAILINGS.c.status.in_(("sending", "cancelled", "completed")), CHUNKS.c.kind.in_(SINGLE))
