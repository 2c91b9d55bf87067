"""Are the views made from this log? Before the projector runs, the log is compared with what the views remember of it.

Where it is another one, or a shorter one, the planner is told, who pauses what could send; the views stay as they were,
so people can still read what had happened. Once an operator has confirmed the log, views that do not fit it are
emptied and made anew from it. Reporting sends nothing: while the planner does not answer it goes by its own memory.
"""

import asyncio
import logging

from sqlalchemy import delete, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from services.reporting import tables
from services.reporting.views import VIEWS
from shared.contracts import subjects
from shared.contracts.commands import Recollection
from shared.database import in_turn, reading
from shared.eventlog import checkpoints
from shared.eventlog.checkpoints import CHECKPOINTS, Checkpoint
from shared.eventlog.errors import EventLogError
from shared.eventlog.incarnation import Identity, Memory, identify, judge
from shared.eventlog.metrics import LOG_RESTORED
from shared.eventlog.projector import Projector
from shared.eventlog.store import EventLog
from shared.eventlog.views import View, tables_of
from shared.messaging.ask import ask

logger = logging.getLogger(__name__)

_AGAIN = 1.0
_ANSWER = 5.0


async def project(log: EventLog, engine: AsyncEngine, projector: Projector) -> None:
    """Run the projector once its views belong to the log."""
    said = ""
    while True:
        try:
            memory, why = await _compare(log, engine)
        except (EventLogError, SQLAlchemyError, OSError) as error:  # away: compared again
            logger.warning("the log could not be compared: %s", error)
            await asyncio.sleep(_AGAIN)
            continue
        LOG_RESTORED.set(bool(why))
        if not why:
            break
        if why != said:
            logger.error("the views stand still: %s", why)
            said = why
        told = Recollection(who="reporting", **memory.plain())
        await ask(log.nc, subjects.trust(), told.model_dump_json().encode(), seconds=_ANSWER)
        await asyncio.sleep(_AGAIN)
    await projector.run()


async def _compare(log: EventLog, engine: AsyncEngine) -> tuple[Memory, str]:
    """Return what the views remember and why the log is another one; make them fit where it was confirmed."""
    async with reading(engine).connect() as conn:
        noted = await conn.scalar(select(tables.log_memory.c.incarnation))
        places = [Checkpoint(*row) for row in await conn.execute(select(CHECKPOINTS))]
    identity = await identify(log)  # last: the log may grow, and the views of another process with it, meanwhile
    known = str(noted or identity.incarnation)
    memory = Memory(known)
    for at in places:
        memory = Memory(known, at.seq, at.event_id)
        if why := await judge(log, identity, memory):
            return memory, why
    await _adopt(log, engine, identity, places)
    return memory, ""


async def _adopt(log: EventLog, engine: AsyncEngine, identity: Identity, places: list[Checkpoint]) -> None:
    """Note the name of the log; empty the views that hold what another log said."""
    views: dict[str, View] = {view.name: view for view in VIEWS}
    for at in places:
        if at.seq and await judge(log, identity, Memory(identity.incarnation, at.seq, at.event_id)):
            logger.warning("view %s is made anew: the log was restored and confirmed", at.name)
            async with engine.begin() as conn:
                for table in reversed(tables_of(views[at.name])) if at.name in views else ():
                    await conn.execute(delete(table))
                await checkpoints.put(conn, Checkpoint(at.name, at.version))
    async with engine.begin() as conn:
        await in_turn(conn, "log_memory")
        await conn.execute(delete(tables.log_memory))
        await conn.execute(tables.log_memory.insert().values(incarnation=identity.incarnation))
