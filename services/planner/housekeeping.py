"""Once at the start and then every few hours: what has to be forgotten is forgotten.

What became of mails, and what rules look at, is made ready to be asked. Rows of the audit and activities beyond their
days, attempts to sign in that are long past, records of principals that a crash left behind, and retired signing keys
that no mail needs are erased. What fails is tried again the next time.
"""

import asyncio
import logging

from sqlalchemy.exc import SQLAlchemyError

from services.planner import audit
from services.planner.accounts import signing
from services.planner.audience import outcomes
from services.planner.contacts import activities, search
from services.planner.parts import Parts
from shared.eventlog.errors import EventLogError

logger = logging.getLogger(__name__)

EVERY = 6 * 3600.0


class Housekeeping:
    """Forgets."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def run(self) -> None:
        """Forget for ever."""
        while True:
            try:
                await self.tidy()
            except (SQLAlchemyError, EventLogError, OSError) as error:  # away: the next time will do
                logger.warning("not tidied: %s", error)
            await asyncio.sleep(EVERY)

    async def tidy(self) -> None:
        """Forget once."""
        parts = self._parts
        await audit.forget(parts.engine, parts.settings.audit_days)
        forgotten = await activities.forget(parts.engine, parts.settings.activity_days)
        if forgotten:
            logger.info("activities that are long past were forgotten", extra={"activities": forgotten})
        await parts.throttle.tidy()
        await outcomes.freshen(parts.engine)
        await search.freshen(parts.engine)
        swept = await parts.records.sweep(parts.principals.standings)
        if swept:
            logger.info("records of principals that nothing points to were erased", extra={"records": swept})
        swept = await parts.dry_runs.keeping.tidy()
        if swept:
            logger.info("what dry runs had kept was erased", extra={"runs": swept})
        erased = await signing.sweep(parts)
        if erased:
            logger.info("retired signing keys that no mail needs were erased", extra={"keys": erased})
