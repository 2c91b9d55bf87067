"""What came back for mailings, read from the view: counts for the status, who it was for the pages.

A mailing counts people, and only what is proven to be about a mail of it. A complaint that was taken back is none.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, and_, func, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from services.reporting import tables

NUMBERS = {"bounce": "bounced", "complaint": "complained", "reply": "replied", "auto-reply": "auto_replied"}
"""Kind -> the count of people in the status of a mailing."""

FILTERS = {"bounced": "bounce", "complained": "complaint", "replied": "reply"}
"""What recipients may be asked for -> kind."""

_MOST_INDEXES = 10_000

Data = dict[str, Any]


def _stands() -> ColumnElement[bool]:
    """Whether nothing took it back."""
    came, back = tables.returns.c, tables.returns.alias("back").c
    same = (back.mailing == came.mailing, back.n == came.n, back.idx == came.idx)
    taken_back = select(back.id).where(*same, back.kind == "not-spam", back.seq > came.seq).exists()
    return and_(came.n.is_not(None), ~and_(came.kind == "complaint", taken_back))


async def counts(conn: AsyncConnection, mailings: Sequence[str]) -> dict[str, Data]:
    """Return the numbers of each of the mailings of which something came back."""
    came = tables.returns.c
    person = (came.n * _MOST_INDEXES + came.idx).distinct()
    mine = (came.mailing.in_(mailings), came.kind.in_(NUMBERS), _stands())
    found: dict[str, Data] = {}
    rows = await conn.execute(
        select(came.mailing, came.kind, func.count(person)).where(*mine).group_by(came.mailing, came.kind)
    )
    for mailing, kind, many in rows:
        found.setdefault(mailing, {})[NUMBERS[kind]] = int(many)
    rows = await conn.execute(
        select(came.mailing, came.reason, func.count(person))
        .where(came.mailing.in_(list(found)), came.kind == "bounce", came.n.is_not(None))
        .group_by(came.mailing, came.reason)
        .order_by(came.reason)
    )
    for mailing, reason, many in rows:
        found[mailing].setdefault("bounce_reasons", {})[reason] = int(many)
    return found


def numbers(counted: Data | None) -> Data:
    """Return the fields of a status, nothing counted included."""
    empty: Data = dict.fromkeys(NUMBERS.values(), 0)
    return empty | {"bounce_reasons": {}} | (counted or {})


def happened(filter_name: str, mailing: Any, n: Any, idx: Any) -> ColumnElement[bool]:  # noqa: ANN401 - columns
    """Return the condition that it happened to a recipient, given by three columns."""
    came = tables.returns.c
    same = (came.mailing == mailing, came.n == n, came.idx == idx, came.kind == FILTERS[filter_name])
    return select(came.id).where(*same, _stands()).exists()


async def of_recipients(
    conn: AsyncConnection, mailing: str, keys: Sequence[tuple[int, int]]
) -> dict[tuple[int, int], Data]:
    """Return what came back of some recipients: why it bounced, whether they complained or answered, and the words."""
    came, note = tables.returns.c, tables.notes.c
    query = (
        select(came.n, came.idx, came.kind, came.reason, note.text)
        .outerjoin_from(tables.returns, tables.notes, note.key == came.note)
        .where(
            came.mailing == mailing,
            tuple_(came.n, came.idx).in_(keys),
            came.kind.in_((*NUMBERS, "answer-sent")),
            _stands(),
        )
        .order_by(came.seq)
    )
    found: dict[tuple[int, int], Data] = {}
    for n, idx, kind, reason, text in await conn.execute(query) if keys else ():
        one = found.setdefault((n, idx), dict(NOTHING))
        match kind:
            case "bounce":
                one["bounced"] = reason
            case "complaint":
                one["complained"] = True
            case "reply":
                one |= {"replied": True, "reply": text or one["reply"]}
            case "answer-sent":
                one |= {"answered": text or "yes"}
    return found


NOTHING: Data = {"bounced": "", "complained": False, "replied": False, "reply": "", "answered": ""}
