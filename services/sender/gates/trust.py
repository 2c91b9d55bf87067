"""May a sender that starts work on this log? Nothing goes out before this says so.

It compares the log with what the senders of this machine remember, and asks the planner, who knows what the databases
and all others remember. Where the planner does not answer, a matching memory is enough after `patience` seconds; who
remembers nothing waits for the planner. While somebody differs it asks again every second, until an operator confirmed
(G13).
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from pydantic import ValidationError

from services.sender.gates.memory import LogMemory
from shared.contracts import subjects
from shared.contracts.commands import Recollection, Word
from shared.eventlog.errors import EventLogError
from shared.eventlog.incarnation import Memory, identify, judge, remember
from shared.eventlog.metrics import LOG_RESTORED
from shared.eventlog.store import EventLog

logger = logging.getLogger(__name__)

_AGAIN = 1.0
_ANSWER = 5.0

Ask = Callable[[str, bytes, float], Awaitable[bytes | None]]


class Trust:
    """The question of one process."""

    def __init__(self, log: EventLog, memory: LogMemory, who: str, ask: Ask, *, patience: float) -> None:
        """`ask` sends a request and returns the answer, None where there is none; `patience` 0 asks nobody."""
        self._log = log
        self._memory = memory
        self._who = who
        self._ask = ask
        self._patience = patience

    async def gained(self) -> None:
        """Return when mails may go out."""
        loop = asyncio.get_running_loop()
        since, said = loop.time(), ""
        while True:
            try:
                why = await self._objection(loop.time() - since)
            except EventLogError as error:  # away: asked again
                why = str(error)
            LOG_RESTORED.set(bool(why))
            if not why:
                return
            if why != said:
                logger.warning("nothing is sent yet: %s", why)
                said = why
            await asyncio.sleep(_AGAIN if said else 0)

    async def _objection(self, waited: float) -> str:
        """Return why nothing may go out, "" when it may; then the log is remembered as it is now."""
        now = await remember(self._log)
        own = self._memory.load()
        why = await judge(self._log, await identify(self._log), own)
        word = await self._word(own) if self._patience else None
        if word is not None and word.why:
            why = why or "; ".join(f"{who}: {text}" for who, text in word.why.items())
        elif word is None and self._patience and not why and (own is None or waited < self._patience):
            why = "the planner has not said yet that this is the log it knows"
        if not why:
            self._memory.begin(now)
        return why

    async def _word(self, own: Memory | None) -> Word | None:
        said = Recollection(who=self._who, **(own.plain() if own else {}))
        raw = await self._ask(subjects.trust(), said.model_dump_json().encode(), _ANSWER)
        try:
            return Word.model_validate_json(raw) if raw else None
        except ValidationError as error:  # a planner of another version: as if it had not answered
            logger.warning("the planner's word cannot be read: %s", error)
            return None
