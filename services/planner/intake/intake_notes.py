"""What was taken in of producers and does not stand in the log yet: noted with it, in the same transaction.

Whoever comes next appends the notes, each under its own id, and takes them away; a crash in between appends one once
more, which the log knows by its id.
"""

import hashlib

from sqlalchemy import Column, String, Table, Text, delete, select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from services.planner.schema import METADATA, insert
from shared import clock
from shared.contracts import subjects
from shared.contracts.audience import ActivitiesTold, ContactsSynced
from shared.contracts.envelope import Origin
from shared.database import reading
from shared.eventlog.store import EventLog
from shared.ids import new_id
from shared.steps import step

NOTES = Table(
    "intake_notes",
    METADATA,
    Column("id", String(20), primary_key=True),
    Column("event", Text, nullable=False),
    Column("type", String(100), nullable=False, server_default=ContactsSynced.TYPE),
)
_TYPES: dict[str, type[ContactsSynced | ActivitiesTold]] = {
    ContactsSynced.TYPE: ContactsSynced,
    ActivitiesTold.TYPE: ActivitiesTold,
}


async def note(conn: AsyncConnection, event: ContactsSynced | ActivitiesTold) -> None:
    """Note what has to be appended once the transaction is through."""
    row = {"id": new_id(20), "event": event.model_dump_json(), "type": event.TYPE}
    await conn.execute(insert(conn, NOTES).values(row))


async def announce(engine: AsyncEngine, log: EventLog) -> int:
    """Append what was noted to the log, whoever left it; return how much that was."""
    async with reading(engine).connect() as conn:
        rows = await conn.execute(select(NOTES))
        notes = [(str(row.id), _TYPES[row.type].model_validate_json(row.event)) for row in rows]
    for key, event in notes:
        part = subjects.partition(hashlib.sha256(event.source.encode()).hexdigest())
        await log.append_journal(subjects.audience(part), [event], origin=Origin(key, "planner", clock.now()))
        step("intake.announced")
        async with engine.begin() as conn:
            await conn.execute(delete(NOTES).where(NOTES.c.id == key))
    return len(notes)
