"""What reports say about campaigns and mailings, read from the views. Times go out as ISO 8601 in UTC.

Fields of a mailing (`Status`, `Mailings`): mailing, campaign, name, account, subject, status, reason; the summary
total, to_send, sent, read (every open by a person), opened (people), clicked (mails with a click by a person), clicks,
opens_by and clicks_by (all hits by verdict), only_machines (mails that nothing but machines asked for), rules (version
by which it was judged), unsubscribed, failed; bounced, bounce_reasons, complained, replied, auto_replied (people, as
far as proven); copied (blind copies that were accepted, counted in nothing else); each outcome by its name, `evidence`
(in doubt, but gave a sign: counted as accepted); recipients, customers (whom those are: each may get it at several
addresses) and left_out as frozen, planned, chunks, chunks_planned, chunks_finished, parked; rate (accepted a second
over the last ten), first_sent, last_sent, limits; scheduled_at, zone, hours, deadline, until, opens, drafted_at,
started_at, finished_at; audience, audience_position, doubt, tracking, test_of, deleted; ab_test, where there is one,
with its versions in `Status` alone.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import orjson
from sqlalchemy import Row, Select, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from services.reporting import returned, tables, versions
from shared.contracts import subjects
from shared.contracts.tracking_url import page_of
from shared.contracts.verdicts import ANY_CLICK, OPENS, RULES, TALLIES
from shared.instants import from_millis

Data = dict[str, Any]

_IN_ONE = 500
_RATE_SECONDS = 10
_MOST_POINTS = 600
_POINT = ("accepted", "opens", "clicks", "others")
_STEPS = (1, 10, 60, 600, 3600, 86_400)
_TEXTS = ("mailing", "campaign", "name", "account", "subject", "status", "reason", "zone", "audience", "test_of")
_NUMBERS = (
    "recipients",
    "customers",
    "planned",
    "chunks",
    "chunks_planned",
    "chunks_finished",
    "parked",
    "audience_position",
)
_OUTCOMES = ("deferred", "rejected", "skipped", "expired", "in_doubt", "evidence")
_TIMES = ("deadline", "until", "opens", "drafted_at", "started_at", "finished_at", "first_sent", "last_sent")


def iso(millis: int | None) -> str:
    """Return the instant as text, "" where there is none."""
    if not millis:
        return ""
    return from_millis(millis).isoformat(timespec="milliseconds").replace("+00:00", "Z")


async def campaigns(conn: AsyncConnection) -> list[Data]:
    """Return all campaigns that are not deleted, newest first, with how many mailings each has."""
    mailing, campaign = tables.mailings.c, tables.campaigns.c
    many = (
        select(mailing.campaign, func.count().label("mailings"))
        .where(mailing.drafted_at > 0, mailing.deleted == 0)
        .group_by(mailing.campaign)
        .subquery()
    )
    query = (
        select(tables.campaigns, func.coalesce(many.c.mailings, 0).label("mailings"))
        .outerjoin_from(tables.campaigns, many, many.c.campaign == campaign.campaign)
        .where(campaign.status != "deleted")
        .order_by(campaign.opened_at.desc(), campaign.campaign)
    )
    return [
        {
            **row._mapping,  # noqa: SLF001 - public
            "lists": orjson.loads(row.lists),
            "opened_at": iso(row.opened_at),
            "approval": bool(row.approval),
            "utm": orjson.loads(row.utm or "{}"),
            "statuses": orjson.loads(row.statuses),
        }
        for row in await conn.execute(query)
    ]


async def mailings(conn: AsyncConnection, campaign: str, now: float, limit: int = 0) -> list[Data]:
    """Return the mailings (of one campaign, or all) that are not deleted, newest first; `limit`: only so many."""
    table = tables.mailings.c
    query = select(tables.mailings).where(table.drafted_at > 0, table.deleted == 0)
    if campaign:
        query = query.where(table.campaign == campaign)
    query = query.order_by(table.drafted_at.desc(), table.mailing).limit(limit or None)
    rows = (await conn.execute(query)).all()
    return [data for start in range(0, len(rows), _IN_ONE) for data in await _told(conn, rows[start:][:_IN_ONE], now)]


async def status(conn: AsyncConnection, mailing: str, now: float) -> Data | None:
    """Return one mailing, or one test; None if it is not known."""
    rows = (await conn.execute(select(tables.mailings).where(tables.mailings.c.mailing == mailing))).all()
    for row, told in zip(rows, await _told(conn, rows, now), strict=True):
        if told["ab_test"]:
            told["ab_test"]["versions"] = await versions.figures(conn, mailing, row.ab_test)
        return told
    return None


async def ids(conn: AsyncConnection) -> list[str]:
    """Return the ids of all mailings that are not deleted."""
    table = tables.mailings.c
    query = select(table.mailing).where(table.drafted_at > 0, table.deleted == 0).order_by(table.drafted_at)
    return list(await conn.scalars(query))


async def statuses(conn: AsyncConnection, mailings: Sequence[str], now: float) -> dict[str, Data]:
    """Return those of the mailings and tests that are known, by id."""
    found: dict[str, Data] = {}
    for start in range(0, len(mailings), _IN_ONE):
        some = mailings[start:][:_IN_ONE]
        rows = (await conn.execute(select(tables.mailings).where(tables.mailings.c.mailing.in_(some)))).all()
        found |= {told["mailing"]: told for told in await _told(conn, rows, now)}
    return found


async def _told(conn: AsyncConnection, rows: Sequence[Row[Any]], now: float) -> list[Data]:
    """Put together what several views know of the mailings in `rows`."""
    ids = [row.mailing for row in rows]
    counts, acts, points = tables.link_counts.c, tables.consent_acts.c, tables.points.c
    hits = {
        (row.mailing, row.link): row
        for row in await conn.execute(select(tables.link_counts).where(counts.mailing.in_(ids), counts.link < 0))
    }
    gone = await _by_mailing(
        conn,
        select(acts.mailing, func.count(acts.address_key.distinct()))
        .where(acts.mailing.in_(ids), acts.act == "opted_out")
        .group_by(acts.mailing),
    )
    since = int(now) - _RATE_SECONDS
    lately = await _by_mailing(
        conn,
        select(points.mailing, func.sum(points.accepted))
        .where(points.mailing.in_(ids), points.second > since)
        .group_by(points.mailing),
    )
    back = await returned.counts(conn, ids)
    copies = tables.mailings.c
    copied = await _by_mailing(
        conn, select(copies.mailing, copies.accepted).where(copies.mailing.in_(map(subjects.copies_of, ids)))
    )
    judged = tables.judged_by.c
    rules = await _by_mailing(conn, select(judged.mailing, judged.rules).where(judged.mailing.in_(ids)))
    told = []
    for row in rows:
        opens, clicks = _hits(hits.get((row.mailing, OPENS))), _hits(hits.get((row.mailing, ANY_CLICK)))
        began = row.first_sent / 1000 if row.first_sent else now
        told.append(
            {
                **_mailing(row),
                "read": opens["hits"],
                "opened": opens["people"],
                "clicked": clicks["people"],
                "clicks": clicks["hits"],
                "opens_by": opens["by"],
                "clicks_by": clicks["by"],
                "only_machines": opens["others"],
                "rules": rules.get(row.mailing, RULES.version),
                "copied": copied.get(subjects.copies_of(row.mailing), 0),
                "unsubscribed": gone.get(row.mailing, 0),
                **returned.numbers(back.get(row.mailing)),
                "ab_test": versions.ab_test(row.ab_test),
                "rate": round(lately.get(row.mailing, 0) / min(_RATE_SECONDS, max(1.0, now - began)), 1),
            }
        )
    return told


def _hits(row: Row[Any] | None) -> Data:
    """Return what a row of `link_counts` says: hits and people that count, all hits by verdict."""
    by = {name: getattr(row, name, 0) for name in TALLIES}
    return {
        "hits": by["human"] + by["proxy"],
        "people": getattr(row, "people", 0),
        "others": getattr(row, "others", 0),
        "by": by,
    }


async def _by_mailing(conn: AsyncConnection, query: Select[str, Any]) -> dict[str, int]:
    return {mailing: int(count) for mailing, count in await conn.execute(query)}


def _mailing(row: Row[Any]) -> Data:
    """Return what the row of a mailing says, the counts of whom no chunk was planned for included."""
    total = row.planned if row.recipients is None else row.recipients
    cancelled = row.cancelled
    if row.status == "Cancelled":  # whoever was never planned will not get it
        cancelled += max(0, total - row.planned)
    failed = row.rejected + row.skipped + row.expired + cancelled + row.in_doubt
    to_send = max(0, total - row.accepted - failed)
    return {
        **{name: getattr(row, name) for name in (*_TEXTS, *_NUMBERS, *_OUTCOMES, "doubt", "tracking")},
        **{name: iso(getattr(row, name)) for name in _TIMES},
        "total": total,
        "to_send": to_send,
        "sent": row.accepted,
        "failed": failed,
        "pending": to_send - row.deferred,
        "accepted": row.accepted,
        "cancelled": cancelled,
        "left_out": orjson.loads(row.left_out),
        "limits": {"per_hour": row.per_hour, "seconds_between": row.seconds_between},
        "scheduled_at": iso(row.starts_at),
        "hours": orjson.loads(row.hours) if row.hours else None,
        "deleted": bool(row.deleted),
    }


async def links(conn: AsyncConnection, mailing: str) -> list[Data] | None:
    """Return every link of the mailing, asked for or not; None if the mailing is not known."""
    known: str | None = await conn.scalar(select(tables.mailings.c.links).where(tables.mailings.c.mailing == mailing))
    if known is None:
        return None
    counts = tables.link_counts
    asked = {
        found.link: found
        for found in await conn.execute(select(counts).where(counts.c.mailing == mailing, counts.c.link >= 0))
    }
    urls = dict(enumerate(orjson.loads(known)))
    named = await conn.execute(select(tables.tracking_urls))
    names = {page_of(row.url): row.name for row in named}
    return [
        {
            "link": link,
            "url": (url := urls.get(link, "")),
            "name": names.get(page_of(url), ""),
            **_hits(asked.get(link)),
        }
        for link in sorted(urls.keys() | asked.keys())
    ]


async def timeline(conn: AsyncConnection, mailing: str) -> Data:
    """Return accepted, opens and clicks by people, and other hits, by `step` seconds: at most some hundred points."""
    sent, hit = tables.points, tables.hit_points
    spans = []
    for table in (sent, hit):
        ends = select(func.min(table.c.second), func.max(table.c.second)).where(table.c.mailing == mailing)
        spans += [second for second in (await conn.execute(ends)).one() if second is not None]
    step = _step(spans)
    points: dict[int, Data] = {}
    for table, names in ((sent, ("accepted",)), (hit, ("opens", "clicks", "others"))):
        bucket = (table.c.second - table.c.second % step).label("bucket")
        sums = [func.sum(table.c[name]).label(name) for name in names]
        for row in await conn.execute(select(bucket, *sums).where(table.c.mailing == mailing).group_by(bucket)):
            point = points.setdefault(row.bucket, {"at": iso(row.bucket * 1000)} | dict.fromkeys(_POINT, 0))
            point |= {name: int(getattr(row, name)) for name in names}
    return {"step": step, "points": [points[bucket] for bucket in sorted(points)]}


def _step(seconds: Iterable[int]) -> int:
    ends = list(seconds)
    span = max(ends) - min(ends) if ends else 0
    return next((step for step in _STEPS if span / step <= _MOST_POINTS), _STEPS[-1])
