"""Statuses of customers, page by page: what campaigns set since a cursor, which is a place in the log.

A cursor is `<seq>.<event>.<place>`. Whoever asks again with the cursor of the last answer is told what was set since;
a customer whose status moved meanwhile is told once, as it is now.
"""

import re
from typing import Any

from sqlalchemy import func, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from services.reporting import tables
from services.reporting.pages import BadCursorError
from services.reporting.queries import iso
from shared.contracts.commands import CustomerStatuses

_CURSOR = re.compile(r"([0-9]{1,18})\.([0-9]{1,9})\.([0-9]{1,9})")


async def statuses(conn: AsyncConnection, wanted: CustomerStatuses) -> dict[str, Any]:
    """Return what was set behind a cursor.

    Raises:
        BadCursorError: `after` is no cursor.
    """
    status, people = tables.customer_statuses.c, tables.people.c
    place = (status.seq, status.part, status.place)
    query = (
        select(tables.customer_statuses, people.address, people.name, people.source, people.external)
        .outerjoin(tables.people, people.contact == status.contact)
        .order_by(*place)
        .limit(wanted.limit)
    )
    if wanted.campaign:
        query = query.where(status.campaign == wanted.campaign)
    if wanted.contact:
        query = query.where(status.contact == wanted.contact)
    if wanted.address:
        query = query.where(func.lower(people.address) == wanted.address.lower())
    if wanted.after:
        found = _CURSOR.fullmatch(wanted.after)
        if found is None:
            raise BadCursorError
        query = query.where(tuple_(*place) > tuple_(*map(int, found.groups())))
    rows = (await conn.execute(query)).all()
    cursor = f"{rows[-1].seq}.{rows[-1].part}.{rows[-1].place}" if rows else wanted.after
    told = [
        {
            **{name: getattr(row, name) for name in ("campaign", "contact", "mailing", "outcome", "status")},
            **{name: getattr(row, name) or "" for name in ("address", "name", "source", "external")},
            "at": iso(row.at),
        }
        for row in rows
    ]
    return {"rows": told, "next": cursor if len(rows) == wanted.limit else "", "cursor": cursor}
