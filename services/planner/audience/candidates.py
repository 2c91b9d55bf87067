"""Everybody whom the sources of a mailing name, and who of them is left out for what, in two temporary tables.

They live in the transaction of the freezer, so nothing of them is left behind and no other writer waits for them. The
first reason that applies holds: removed by hand, on an exclusion list, not on the helper list, written to too often;
whoever was added by hand is left out by none of the last three. What people want (consent) is looked at afterwards.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Column as Col
from sqlalchemy import (
    ColumnElement,
    CompoundSelect,
    MetaData,
    Select,
    String,
    Table,
    Text,
    and_,
    func,
    literal,
    or_,
    select,
)
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from services.planner.audience.choosing import Chosen
from services.planner.audience.frozen_rows import ROWS
from services.planner.audience.outcomes import RESULTS
from services.planner.contacts.activities import participants
from services.planner.contacts.lists import MEMBERS
from services.planner.schema import insert
from shared.bulk import insert_absent
from shared.contracts.sources import Cap, OfMailing, OutcomeGroup
from shared.database import is_postgresql, reading

_SCRATCH = MetaData()
CHOSEN = Table(
    "chosen",
    _SCRATCH,
    Col("contact", String(12), primary_key=True),
    Col("list", Text, primary_key=True),
    prefixes=["TEMPORARY"],
    postgresql_on_commit="DROP",
    sqlite_with_rowid=False,
)
"""Contacts by what gives them: a list, or the lists (with commas) from which an earlier mailing had them."""
LEFT_OUT = Table(
    "left_out",
    _SCRATCH,
    Col("contact", String(12), primary_key=True),
    Col("reason", String(24), nullable=False),
    prefixes=["TEMPORARY"],
    postgresql_on_commit="DROP",
    sqlite_with_rowid=False,
)
_A_DAY = 86_400


@dataclass(frozen=True, slots=True)
class Combined:
    """What to combine.

    Attributes:
        scope: List whose opt-outs count for contacts that no list gives.
        activities: Those that are a source.
        audiences: Mailing -> its frozen audience in the cache, of those that are a source.
        now: Seconds since 1970.
        found: Ids under which stand whom rules of lists find -> their list.
    """

    chosen: Chosen
    lists: Sequence[str]
    scope: str
    now: int
    found: Mapping[str, str] = field(default_factory=dict)
    audiences: Mapping[str, int] = field(default_factory=dict)
    activities: Sequence[str] = ()

    def standing(self, lists: Sequence[str]) -> list[str]:
        """Return the ids under which members of these lists stand."""
        return [*lists, *(under for under, of in self.found.items() if of in lists)]


@asynccontextmanager
async def scratch(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    """Open a snapshot in which temporary tables may be made."""
    snapshot = engine.execution_options(isolation_level="REPEATABLE READ") if is_postgresql(engine) else None
    async with (snapshot or reading(engine)).connect() as conn:
        await conn.run_sync(_SCRATCH.drop_all)  # a connection of SQLite keeps them
        await conn.run_sync(_SCRATCH.create_all)
        yield conn


def members(lists: Sequence[str]) -> Select[Any]:
    """Return the query for list and contact of everybody on these lists."""
    return select(MEMBERS.c.contact, MEMBERS.c.list).where(MEMBERS.c.list.in_(lists))


async def combine(conn: AsyncConnection, wanted: Combined) -> None:
    """Fill both tables."""
    sources = wanted.chosen.sources
    scope = literal(wanted.scope)
    await _take(conn, members(wanted.standing(wanted.lists)))
    for source in sources.mailings:
        await _take(conn, recipients(source, wanted.audiences.get(source.mailing, 0), scope))
    for activity in wanted.activities:
        await _take(conn, participants(activity, scope))
    helper = sources.helper
    if helper is not None and helper.mode == "add":
        await _take(conn, members(wanted.standing([helper.list])))
    await insert_absent(conn, CHOSEN, ("contact", "list"), [(one, wanted.scope) for one in wanted.chosen.added])
    await insert_absent(conn, LEFT_OUT, ("contact", "reason"), [(one, "removed") for one in wanted.chosen.removed])
    by_hand = CHOSEN.c.contact.not_in(wanted.chosen.added) if wanted.chosen.added else None
    await _leave_out(conn, "excluded", _on(wanted.standing(sources.exclude)) if sources.exclude else None, by_hand)
    if helper is not None and helper.mode == "only":
        await _leave_out(conn, "not_on_helper_list", ~_on(wanted.standing([helper.list])), by_hand)
    if sources.cap is not None:
        await _leave_out(conn, "frequency_cap", CHOSEN.c.contact.in_(_often(sources.cap, wanted.now)), by_hand)


def recipients(source: OfMailing, audience: int, scope: ColumnElement[str]) -> Select[Any]:
    """Return the query for contact and lists of an outcome group."""
    if source.group == "all":
        return select(ROWS.c.contact, ROWS.c.lists).where(ROWS.c.audience == audience)
    r, a = RESULTS.c, ROWS.c
    same = and_(a.audience == audience, a.n == r.n, a.idx == r.idx)
    query = select(r.contact, func.coalesce(a.lists, scope)).outerjoin_from(RESULTS, ROWS, same)
    return query.where(r.mailing == source.mailing, in_group(source.group))


def in_group(group: OutcomeGroup) -> ColumnElement[bool]:
    """Return the condition on a row of `RESULTS`; whoever clicked has read it, images or not."""
    r = RESULTS.c
    seen = or_(r.opened_at.is_not(None), r.clicked_at.is_not(None))
    match group:
        case "all":
            return r.outcome.is_not(None)
        case "sent":
            return r.outcome == "accepted"
        case "read":
            return seen
        case "clicked":
            return r.clicked_at.is_not(None)
        case "not_opened":
            return and_(r.outcome == "accepted", ~seen, r.bounced_at.is_(None))
        case "bounced":
            return r.bounced_at.is_not(None)
        case "in_doubt":
            return r.outcome == "in_doubt"
        case "failed":
            return r.outcome.in_(("rejected", "skipped", "expired", "cancelled", "in_doubt"))


def _on(lists: Sequence[str]) -> ColumnElement[bool]:
    return CHOSEN.c.contact.in_(select(MEMBERS.c.contact).where(MEMBERS.c.list.in_(lists)))


def _often(cap: Cap, now: int) -> Select[Any]:
    r = RESULTS.c
    recent = select(r.contact).where(r.outcome == "accepted", r.settled_at > now - cap.days * _A_DAY)
    return recent.group_by(r.contact).having(func.count() >= cap.mails)


async def _take(conn: AsyncConnection, query: Select[Any] | CompoundSelect[Any]) -> None:
    await conn.execute(insert(conn, CHOSEN).from_select(["contact", "list"], query).on_conflict_do_nothing())


async def _leave_out(
    conn: AsyncConnection, reason: str, which: ColumnElement[bool] | None, unless: ColumnElement[bool] | None
) -> None:
    if which is None:
        return
    query = select(CHOSEN.c.contact, literal(reason)).where(which).distinct()
    if unless is not None:
        query = query.where(unless)
    await conn.execute(insert(conn, LEFT_OUT).from_select(["contact", "reason"], query).on_conflict_do_nothing())
