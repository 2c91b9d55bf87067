"""How the versions of an A/B test did with their parts of the sample, by the same verdicts as everything else.

Whoever clicked has read it, images or not. The winner's figures are those of the sample, too: the rest gets it later
and under other conditions, so it is in the numbers of the whole mailing only.
"""

from typing import Any

import orjson
from sqlalchemy import Select, and_, func, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from services.reporting import tables
from shared.contracts import outcomes
from shared.contracts.verdicts import APPLE, OPENS
from shared.instants import from_millis

Data = dict[str, Any]


async def ab_test(conn: AsyncConnection, mailing: str, recorded: str) -> Data | None:
    """Return where the test of a mailing stands, None where it has none."""
    if not recorded:
        return None
    known = orjson.loads(recorded)
    numbers = await _numbers(conn, mailing)
    at = known["decides_at"]
    stage = "decided" if known["winner"] else "waiting" if known["sampled"] else "sample"
    return {
        "stage": stage,
        "by": known["by"],
        "decides_at": from_millis(at).isoformat(timespec="milliseconds").replace("+00:00", "Z") if at else "",
        "winner": known["winner"],
        "chosen_by": known["chosen_by"],
        "versions": [
            {"version": letter, "subject": subject, **numbers.get(letter, _NOBODY)}
            for letter, subject in known["versions"].items()
        ],
    }


_NOBODY = dict.fromkeys(("recipients", "sent", "opened", "clicked", "unsubscribed"), 0)


async def _numbers(conn: AsyncConnection, mailing: str) -> dict[str, dict[str, int]]:
    c, r, hit, act = tables.chunks.c, tables.recipients.c, tables.hits.c, tables.consent_acts.c
    proven = and_(r.outcome == outcomes.IN_DOUBT, r.evidence.is_not(None))
    got = or_(r.outcome == outcomes.ACCEPTED, proven)
    everybody = select(c.version, r.n, r.idx).join(tables.recipients, and_(r.mailing == c.mailing, r.n == c.n))
    seen = select(c.version, hit.n, hit.idx).join(tables.hits, and_(hit.mailing == c.mailing, hit.n == c.n))
    seen = seen.where(or_(hit.verdict == "human", and_(hit.verdict == "proxy", hit.reason != APPLE)))
    left = select(c.version, act.n, act.idx).join(tables.consent_acts, and_(act.mailing == c.mailing, act.n == c.n))
    queries: dict[str, Select[Any]] = {
        "recipients": everybody,
        "sent": everybody.where(got),
        "opened": seen,
        "clicked": seen.where(hit.link != OPENS),
        "unsubscribed": left.where(act.act == "opted_out"),
    }
    found: dict[str, dict[str, int]] = {}
    for name, query in queries.items():
        each = query.where(c.mailing == mailing, c.version != "").distinct().subquery()
        for version, many in await conn.execute(select(each.c.version, func.count()).group_by(each.c.version)):
            found.setdefault(version, dict(_NOBODY))[name] = int(many)
    return found
