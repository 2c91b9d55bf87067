"""Long answers, page by page: recipients, doubts, log lines; and consent acts. `next` is the `after` of the next page.

Names, addresses and notes come from the directory; whoever was erased there stands without them.
"""

import re
from collections import Counter
from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, and_, literal, literal_column, or_, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from services.reporting import returned, tables
from services.reporting.queries import Data, iso
from shared.contracts import outcomes
from shared.contracts.verdicts import APPLE, OPENS, Judged

FILTERS = (*outcomes.NAMES, *outcomes.STATUS, "opened", "clicked", "machines", "unsubscribed", *returned.FILTERS)
"""What `Recipients.outcome` may be, besides "", in small letters or not."""

_NOTHING_SAID = ("", "")
_MOST_OUTCOMES = 1_500  # three addresses for each of 500 ids
_TOLD = (
    "contact",
    "status",
    "outcome",
    "code",
    "enhanced",
    "text",
    "at",
    "attempts",
    "opens",
    "clicks",
    "unsubscribed",
    "bounced",
    "complained",
    "replied",
)
_CURSOR = re.compile(r"[0-9]{1,18}\.[0-9]{1,9}")
_R = tables.recipients.c
_DOUBTFUL = and_(_R.outcome == outcomes.IN_DOUBT, _R.evidence.is_(None))


class UnknownFilterError(ValueError):
    """There is no such outcome."""


class BadCursorError(ValueError):
    """`after` is none of those that were given out."""


def _cursor(after: str) -> tuple[int, int] | None:
    if not after:
        return None
    if not _CURSOR.fullmatch(after):
        raise BadCursorError(after)
    first, _, second = after.partition(".")
    return int(first), int(second)


def _outcome(name: str) -> ColumnElement[bool]:
    """Return the condition for one outcome, evidence taken into account."""
    if name == "in_doubt":
        return _DOUBTFUL
    if name == "accepted":
        proven = and_(_R.outcome == outcomes.IN_DOUBT, _R.evidence.is_not(None))
        return or_(_R.outcome == outcomes.ACCEPTED, proven)
    return _R.outcome == outcomes.CODES[name]


def wanted(name: str) -> list[ColumnElement[bool]]:
    """Return the conditions for one filter; those on failures can use the index that holds only them."""
    if name not in FILTERS:
        raise UnknownFilterError(name)
    if name in ("opened", "clicked", "machines"):
        hit = tables.hits.c
        its = select(hit.id).where(hit.mailing == _R.mailing, hit.n == _R.n, hit.idx == _R.idx)
        of_people = its.where(or_(hit.verdict == "human", and_(hit.verdict == "proxy", hit.reason != APPLE)))
        if name == "machines":
            return [its.exists(), ~of_people.exists()]
        return [of_people.where(hit.link == OPENS if name == "opened" else hit.link != OPENS).exists()]
    if name == "unsubscribed":
        act = tables.consent_acts.c
        same = (act.mailing == _R.mailing, act.n == _R.n, act.idx == _R.idx, act.act == "opted_out")
        return [select(act.id).where(*same).exists()]
    if name in returned.FILTERS:
        return [returned.happened(name, _R.mailing, _R.n, _R.idx)]
    names = outcomes.STATUS.get(name, (name,))
    any_of = or_(*(_outcome(part) for part in names))
    rare = not {"pending", "accepted"} & set(names)
    return [any_of, _R.outcome > literal_column("1")] if rare else [any_of]


def _recipients(mailing: str, after: str, limit: int) -> Select[Any]:
    people, replies = tables.people.c, tables.replies.c
    query = (
        select(tables.recipients, people.address, people.name, people.slot)
        .add_columns(replies.host, replies.code, replies.enhanced, replies.text)
        .outerjoin_from(tables.recipients, tables.people, people.contact == _R.contact)
        .outerjoin(tables.replies, replies.reply == _R.reply)
        .where(_R.mailing == mailing)
    )
    cursor = _cursor(after)
    if cursor is not None:
        query = query.where(tuple_(_R.n, _R.idx) > tuple_(*cursor))
    return query.order_by(_R.n, _R.idx).limit(limit)


async def recipients(
    conn: AsyncConnection, mailing: str, outcome: str, after: str, limit: int, *, search: str = ""
) -> Data:
    """Return recipients in the order of their chunks; with `search` those with it in address or name.

    Raises:
        UnknownFilterError: `outcome` is none of `FILTERS`.
        BadCursorError: `after` is no cursor.
    """
    query = _recipients(mailing, after, limit)
    if outcome:
        query = query.where(*wanted(outcome.lower()))
    if search:
        people = tables.people.c
        query = query.where(
            or_(
                people.address.icontains(search, autoescape=True),
                people.name.icontains(search, autoescape=True),
            )
        )
    rows = (await conn.execute(query)).all()
    return {"rows": await _whole(conn, mailing, rows), "next": _next([(row.n, row.idx) for row in rows], limit)}


async def _whole(conn: AsyncConnection, mailing: str, rows: Sequence[Row[Any]]) -> list[Data]:
    """Return rows of recipients with what they did."""
    keys = [(row.n, row.idx) for row in rows]
    hits = await _hits(conn, mailing, keys)
    left = await _leaving(conn, mailing, keys)
    back = await returned.of_recipients(conn, mailing, keys)
    return [
        {
            **_recipient(row),
            **_did(hits.get((row.n, row.idx), ())),
            "unsubscribed": (row.n, row.idx) in left,
            "reason": left.get((row.n, row.idx), _NOTHING_SAID)[0],
            "comment": left.get((row.n, row.idx), _NOTHING_SAID)[1],
            **back.get((row.n, row.idx), returned.NOTHING),
        }
        for row in rows
    ]


async def outcomes_of(conn: AsyncConnection, mailing: str, source: str, ids: Sequence[str]) -> Data:
    """Return what became of the contacts of a source, as far as the directory knows whose they are."""
    people = tables.people.c
    found = select(people.contact, people.external).where(people.source == source, people.external.in_(ids))
    owners = {row.contact: row.external for row in await conn.execute(found)}
    query = _recipients(mailing, "", _MOST_OUTCOMES).where(_R.contact.in_(owners))
    rows = await _whole(conn, mailing, (await conn.execute(query)).all())
    told = [{"id": owners[row["contact"]], **{name: row[name] for name in _TOLD}} for row in rows]
    place = {external: at for at, external in enumerate(ids)}
    known = {row["id"] for row in told}
    return {
        "rows": sorted(told, key=lambda row: place[row["id"]]),
        "unknown": [external for external in place if external not in known],
    }


def _recipient(row: Row[Any]) -> Data:
    name = outcomes.NAMES[row.outcome]
    if name == "in_doubt" and row.evidence:
        name = "accepted"
    return {
        "contact": row.contact,
        "address": row.address or "",
        "name": row.name or "",
        "slot": row.slot or "first",
        "n": row.n,
        "index": row.idx,
        "status": outcomes.STATUS_OF[name],
        "outcome": name,
        "code": row.code or 0,
        "enhanced": row.enhanced or "",
        "text": row.text or "",
        "host": row.host or "",
        "queue_id": row.queue_id or "",
        "at": iso(row.at),
        "attempts": row.attempts,
        "cause": row.cause or "",
        "until": iso(row.until),
        "evidence": row.evidence or "",
    }


def _next(keys: list[tuple[int, int]], limit: int) -> str:
    return "{}.{}".format(*keys[-1]) if len(keys) == limit else ""


Hit = tuple[int, int, Judged]
"""Link, time and verdict."""


async def _hits(conn: AsyncConnection, mailing: str, keys: list[tuple[int, int]]) -> dict[tuple[int, int], list[Hit]]:
    hit = tables.hits.c
    query = select(hit.n, hit.idx, hit.link, hit.at, hit.verdict, hit.reason).where(
        hit.mailing == mailing, tuple_(hit.n, hit.idx).in_(keys)
    )
    found: dict[tuple[int, int], list[Hit]] = {}
    for n, idx, link, at, verdict, reason in await conn.execute(query) if keys else ():
        found.setdefault((n, idx), []).append((link, at, Judged(verdict, reason)))
    return found


def _did(hits: Sequence[Hit]) -> Data:
    """Return what one recipient did, as far as a person did it, and why the rest is no person's."""
    opens = [at for link, at, judged in hits if judged.counts and link == OPENS]
    clicks = [at for link, at, judged in hits if judged.counts and link != OPENS]
    others = Counter(judged.reason for _, _, judged in hits if not judged.counts)
    return {
        "opens": len(opens),
        "clicks": len(clicks),
        "opened_at": iso(min(opens, default=None)),
        "clicked_at": iso(min(clicks, default=None)),
        "machines": dict(sorted(others.items())),
    }


async def _leaving(
    conn: AsyncConnection, mailing: str, keys: list[tuple[int, int]]
) -> dict[tuple[int, int], tuple[str, str]]:
    """Return who opted out by this mail, with the reason the person chose and what the person wrote."""
    act, note = tables.consent_acts, tables.notes
    query = (
        select(act.c.n, act.c.idx, act.c.reason, note.c.text)
        .outerjoin_from(act, note, note.c.key == act.c.comment)
        .where(act.c.mailing == mailing, act.c.act == "opted_out", act.c.n.in_({n for n, _ in keys}))
        .order_by(act.c.seq)
    )
    found: dict[tuple[int, int], tuple[str, str]] = {}
    for n, idx, reason, text in await conn.execute(query) if keys else ():
        before = found.get((n, idx), _NOTHING_SAID)
        found[n, idx] = (reason or before[0], text or before[1])
    return found


async def doubts(conn: AsyncConnection, mailing: str, after: str, limit: int) -> Data:
    """Return who is in doubt, those included whom a sign of life has settled; `BadCursorError` as above."""
    in_doubt = (_R.outcome == outcomes.IN_DOUBT, _R.outcome > literal_column("1"))
    rows = (await conn.execute(_recipients(mailing, after, limit).where(*in_doubt))).all()
    return {
        "rows": [
            {
                "n": row.n,
                "index": row.idx,
                "contact": row.contact,
                "address": row.address or "",
                "name": row.name or "",
                "since": iso(row.at),
                "evidence": row.evidence or "",
            }
            for row in rows
        ],
        "next": _next([(row.n, row.idx) for row in rows], limit),
    }


async def log_lines(conn: AsyncConnection, mailing: str, after: str, limit: int) -> Data:
    """Return what happened, newest first; `BadCursorError` as above."""
    line = tables.log_lines.c
    query = select(tables.log_lines).order_by(line.seq.desc(), line.place.desc()).limit(limit)
    if mailing:
        query = query.where(line.mailing == mailing)
    cursor = _cursor(after)
    if cursor is not None:
        query = query.where(tuple_(line.seq, line.place) < tuple_(*cursor))
    rows = (await conn.execute(query)).all()
    return {
        "rows": [{**row._mapping, "at": iso(row.at)} for row in rows],  # noqa: SLF001 - SQLAlchemy's public name
        "next": _next([(row.seq, row.place) for row in rows], limit),
    }


async def consent_acts(conn: AsyncConnection, address_key: str) -> list[Data]:
    """Return every act of one address, oldest first; `holds` marks those in force.

    They are kept under the keyed hash of the address, so they are found after the person was erased, by who knows it.
    """
    act, state, note = tables.consent_acts, tables.consent_states, tables.notes
    here = and_(state.c.address_key == act.c.address_key, state.c.scope == act.c.scope)
    words, named = note.alias("words"), note.alias("named")
    query = (
        select(act, (state.c.seq == act.c.seq).label("holds"), note.c.text)
        .add_columns(words.c.text.label("said"), named.c.text.label("list"), tables.mailings.c.subject)
        .outerjoin_from(act, state, here)
        .outerjoin(note, note.c.key == act.c.comment)
        .outerjoin(words, words.c.key == act.c.words)
        .outerjoin(named, named.c.key == literal(tables.LIST_NOTE) + act.c.scope)
        .outerjoin(tables.mailings, tables.mailings.c.mailing == act.c.mailing)
        .where(act.c.address_key == address_key)
        .order_by(act.c.seq, act.c.id)
    )
    names = ("seq", "act", "scope", "how", "mailing", "n", "reason", "principal")
    return [
        {
            **{name: getattr(row, name) for name in names},
            "index": row.idx,
            "at": iso(row.at),
            "list": row.list or "",
            "subject": row.subject or "",
            "comment": row.text or "",
            "words": row.said or "",
            "holds": bool(row.holds),
        }
        for row in await conn.execute(query)
    ]


async def address_of(conn: AsyncConnection, contact: str) -> str | None:
    """Return the address of a contact, None if the directory does not know it."""
    found: str | None = await conn.scalar(select(tables.people.c.address).where(tables.people.c.contact == contact))
    return found
