"""In which time zone a contact lives: its field `time_zone`, where that names one; "" where it does not."""

from collections.abc import Collection
from functools import lru_cache

import orjson
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from services.planner.contacts.contacts import CONTACTS
from services.planner.mailings.schedule import is_zone
from services.planner.schema import rows_in

FIELD = "time_zone"
_LONGEST = 40  # characters of a name


async def of(conn: AsyncConnection, contacts: Collection[str]) -> dict[str, str]:
    """Return the zones of those of `contacts` that have one."""
    c = CONTACTS.c
    rows = await rows_in(conn, select(c.id, c.fields), c.id, contacts)
    return {contact: zone for contact, fields in rows if (zone := zone_in(fields))}


def zone_in(fields: str) -> str:
    """Return the zone that merge fields (as JSON) name."""
    if FIELD not in fields:
        return ""
    value = str(orjson.loads(fields).get(FIELD, "")).strip()
    return value if len(value) <= _LONGEST and _known(value) else ""


@lru_cache(2048)
def _known(zone: str) -> bool:
    return is_zone(zone)
