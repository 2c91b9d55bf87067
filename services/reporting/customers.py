"""Mails and customers apart: of each group of recipients how many mails it is, and how many customers they went to.

A customer may get a mailing at several addresses. Who shares a customer is what the directory knows now, so a report
of long ago counts by the records of today; how many customers an audience was when it was frozen stands in its event.
Whoever shares none is a customer of its own, those included who were erased.
"""

from typing import Any

from sqlalchemy import ColumnElement, String, and_, case, cast, func, literal, select
from sqlalchemy.ext.asyncio import AsyncConnection

from services.reporting import tables
from services.reporting.pages import wanted
from shared.contracts import outcomes

OTHERS = ("failed", "opened", "clicked", "unsubscribed", "bounced", "complained", "replied")
"""The groups beside the outcomes, each a filter of the recipients."""

_R = tables.recipients.c
_P = tables.people.c


async def counts(conn: AsyncConnection, mailing: str) -> dict[str, Any] | None:
    """Return mails and customers by group, None where there is no such mailing."""
    m = tables.mailings.c
    row = (await conn.execute(select(m.recipients, m.customers).where(m.mailing == mailing))).one_or_none()
    if row is None:
        return None
    proven = and_(_R.outcome == outcomes.IN_DOUBT, _R.evidence.is_not(None))
    outcome = case((proven, outcomes.ACCEPTED), else_=_R.outcome).label("outcome")
    many = (func.count(), func.count(_customer().distinct()))
    joined = tables.recipients.outerjoin(tables.people, _P.contact == _R.contact)
    query = select(outcome, *many).select_from(joined).where(_R.mailing == mailing)
    found = {
        outcomes.NAMES[code]: (mails, people) for code, mails, people in await conn.execute(query.group_by(outcome))
    }
    for name in OTHERS:
        ones = select(*many).select_from(joined).where(_R.mailing == mailing, *wanted(name))
        mails, people = (await conn.execute(ones)).one()
        found[name] = mails, people
    groups = [
        {"group": name, "mails": int(found[name][0]), "customers": int(found[name][1])}
        for name in (*outcomes.NAMES, *OTHERS)
        if name in found
    ]
    return {"mailing": mailing, "recipients": row.recipients, "customers": row.customers, "groups": groups}


def _customer() -> ColumnElement[str]:
    """Return what tells customers apart: their record, else the contact, else (of nobody) the place."""
    place = cast(_R.n, String) + literal(".") + cast(_R.idx, String)
    return func.coalesce(func.nullif(_P.customer, ""), func.nullif(_R.contact, ""), place)
