"""Statuses are set: what became of mails moves the statuses of customers, as their campaign maps it.

By level: of each campaign that maps anything it is noted up to which change of a chunk its statuses are set, and by
which mapping; another mapping looks at all of it again. What to set follows from the facts, and is appended to
`evt.statuses.<campaign>` only behind what they hold: of two planners one wins, the other looks again, and a crash
anywhere sets nothing twice. Each round goes up to what had changed when it began, for every campaign: while mails go
out there is always more. Opened and clicked is what a person did, by the rules of reports.
"""

import asyncio
import hashlib
import logging
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Collection, Sequence
from itertools import islice
from typing import NamedTuple

import orjson
from sqlalchemy import BigInteger, Column, String, Table, func, select, tuple_
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from services.planner.audience import outcomes
from services.planner.audience.outcome_facts import TOUCHED
from services.planner.audience.outcomes import RESULTS
from services.planner.contacts.claims import CLAIMS
from services.planner.contacts.sources import SAID
from services.planner.schema import METADATA, insert, rows_in
from services.planner.statuses.moving import Change, Fate, Known, Said, Stand, changes, rank
from services.planner.statuses.status_facts import MAPPINGS, OF_CAMPAIGN, STATUSES
from shared import clock
from shared.contracts import subjects
from shared.contracts.envelope import Commit, Origin
from shared.contracts.statuses import CustomerOutcome, StatusesSet
from shared.database import reading
from shared.eventlog.errors import EventLogError, WrongVersionError
from shared.eventlog.store import EventLog
from shared.ids import new_id
from shared.steps import step

logger = logging.getLogger(__name__)

MARKS = Table(
    "status_marks",
    METADATA,
    Column("campaign", String(24), primary_key=True),
    Column("mapping", String(16), nullable=False),
    Column("seq", BigInteger, nullable=False),
)
"""Up to which sequence of `facts_touched` the statuses of a campaign are set; losing it looks at all again."""

MOST = 5_000
"""Customers in one event."""
_EVENTS = 8
_CHUNKS = 20
_FACTS_S = 30.0
_PAUSE_S = 1.0
_SHARE = 4
"""It rests so many times as long as it worked: while mails go out their chunks change all the time."""
_WAKES = ("evt.chunk.", "evt.engagement.", "evt.consent.", "evt.feedback.", "evt.campaign.", "evt.mailing.")


class Mapping(NamedTuple):
    """What a campaign maps."""

    campaign: str
    statuses: dict[CustomerOutcome, str]
    digest: str


class StatusSetter:
    """Sets statuses, until cancelled."""

    def __init__(self, engine: AsyncEngine, log: EventLog, facts_at: Callable[[int, float], Awaitable[None]]) -> None:
        self._engine = engine
        self._reading = reading(engine)
        self._log = log
        self._facts_at = facts_at
        self._wake = asyncio.Event()

    async def on_applied(self, _seq: int, commits: Sequence[Commit]) -> None:
        """Look again when something happened to a mail or to a mapping."""
        if any(commit.subject.startswith(_WAKES) for commit in commits):
            self._wake.set()

    async def run(self) -> None:
        """Set statuses for ever."""
        while True:
            self._wake.clear()
            began = time.monotonic()
            try:
                await self.settle()
            except (SQLAlchemyError, EventLogError, OSError, TimeoutError) as error:  # away: from the marks on again
                logger.warning("statuses of customers wait: %s", error)
                self._wake.set()
            await asyncio.sleep(max(_PAUSE_S, _SHARE * (time.monotonic() - began)))
            await self._wake.wait()

    async def settle(self) -> None:
        """Set what is due now; what changes meanwhile is for the next time."""
        async with self._reading.connect() as conn:
            bound = int(await conn.scalar(select(func.max(TOUCHED.c.seq))) or 0)
        await self._facts_at(bound, _FACTS_S)  # after one view alone was made anew it lacks mailings of these chunks
        for mapping in await self._mappings():
            while await self._slice(mapping, bound):
                pass

    async def _mappings(self) -> list[Mapping]:
        m = MAPPINGS.c
        async with self._reading.connect() as conn:
            rows = await conn.execute(select(m.campaign, m.statuses).where(m.statuses != "{}"))
        digests = ((campaign, text, hashlib.sha256(text.encode()).hexdigest()[:16]) for campaign, text in rows)
        return [Mapping(campaign, orjson.loads(text), digest) for campaign, text, digest in digests]

    async def _slice(self, mapping: Mapping, bound: int) -> bool:
        """Look at the chunks that changed next; False where all that had changed up to `bound` was looked at."""
        async with self._reading.connect() as conn:
            mark = (await conn.execute(select(MARKS).where(MARKS.c.campaign == mapping.campaign))).one_or_none()
            since = int(mark.seq) if mark is not None and mark.mapping == mapping.digest else 0
            if since >= bound:
                return False
            upto, chunks = await _touched(conn, mapping.campaign, since)
        if chunks:
            await outcomes.freshen(self._engine, upto)
        try:
            for start in range(0, len(chunks), _CHUNKS):
                await self._set(mapping, chunks[start:][:_CHUNKS])
        except WrongVersionError:  # another planner was faster: look again
            return True
        async with self._engine.begin() as conn:
            row = {"campaign": mapping.campaign, "mapping": mapping.digest, "seq": upto if chunks else bound}
            await conn.execute(
                insert(conn, MARKS).values(row).on_conflict_do_update(index_elements=["campaign"], set_=row)
            )
        step("statuses.marked")
        return True

    async def _set(self, mapping: Mapping, chunks: Sequence[tuple[str, int]]) -> None:
        """Set what the mails of some chunks lead to, behind all that was set before."""
        subject = subjects.statuses(mapping.campaign)
        last = await self._log.last_seq(subject)
        await self._facts_at(last, _FACTS_S)
        async with self._reading.connect() as conn:
            fates = await _fates(conn, chunks)
            known = await _known(conn, mapping.campaign, {fate.contact for fate in fates})
        events = iter(_events(changes(mapping.statuses, fates, known)))
        while some := list(islice(events, _EVENTS)):
            origin = Origin(new_id(20), "planner", clock.now(), mapping.campaign)
            last = await self._log.append(subject, some, expected=last, origin=origin)
            step("statuses.appended")


def _events(changed: Sequence[Change]) -> list[StatusesSet]:
    """Return the changes as columns: one event for each mailing, outcome and status, in parts."""
    groups: defaultdict[tuple[str, CustomerOutcome, str], list[Change]] = defaultdict(list)
    for change in changed:
        groups[change.mailing, change.outcome, change.status].append(change)
    found: list[StatusesSet] = []
    for (mailing, outcome, status), those in groups.items():
        for start in range(0, len(those), MOST):
            some = those[start:][:MOST]
            base = min(change.at for change in some)
            contacts, at = [change.contact for change in some], [change.at - base for change in some]
            found.append(
                StatusesSet(mailing=mailing, outcome=outcome, status=status, contacts=contacts, base=base, at=at)
            )
    return found


async def _touched(conn: AsyncConnection, campaign: str, since: int) -> tuple[int, list[tuple[str, int]]]:
    """Return the chunks of a campaign's mailings that changed next, and up to which sequence."""
    t, o = TOUCHED.c, OF_CAMPAIGN.c
    ours = (t.mailing.in_(select(o.mailing).where(o.campaign == campaign)), t.seq > since)
    few = select(t.seq).where(*ours).order_by(t.seq).limit(_CHUNKS).subquery()
    upto = int(await conn.scalar(select(func.max(few.c.seq))) or 0)
    rows = await conn.execute(select(t.mailing, t.n).where(*ours, t.seq <= upto))
    return upto, [(str(mailing), int(n)) for mailing, n in rows]


async def _fates(conn: AsyncConnection, chunks: Sequence[tuple[str, int]]) -> list[Fate]:
    r = RESULTS.c
    columns = (r.contact, r.mailing, r.outcome, r.settled_at, r.opened_at, r.clicked_at)
    query = select(*columns, r.unsubscribed_at, r.bounced_at, r.complained_at)
    rows = await conn.execute(query.where(tuple_(r.mailing, r.n).in_(list(chunks)), r.contact != ""))
    return [Fate(*row) for row in rows]


async def _known(conn: AsyncConnection, campaign: str, contacts: Collection[str]) -> Known:
    """Return what is known of these contacts and of the other addresses of their records."""
    c, s = CLAIMS.c, STATUSES.c
    firsts = {
        row[0]: str(row[1])
        for row in await rows_in(
            conn, select(c.contact, func.min(c.record)).group_by(c.contact), c.contact, sorted(contacts)
        )
    }
    beside = await rows_in(conn, select(c.record, c.contact), c.record, sorted(set(firsts.values())))
    customers: dict[str, str] = {str(contact): str(record) for record, contact in beside} | firsts
    everybody = sorted({*contacts, *customers})
    query = select(s.contact, s.outcome, s.status, s.at).where(s.campaign == campaign)
    stands: dict[str, Stand] = {}
    for contact, *stood in await rows_in(conn, query, s.contact, everybody):
        customer, stand = customers.get(contact, contact), Stand(*stood)
        before = stands.get(customer)
        if before is None or rank(stand.outcome) > rank(before.outcome):
            stands[customer] = stand
    said = await rows_in(
        conn, select(SAID.c.record, SAID.c.status, SAID.c.at), SAID.c.record, sorted(set(firsts.values()))
    )
    return Known(customers, stands, {str(record): Said(status, int(at)) for record, status, at in said})
