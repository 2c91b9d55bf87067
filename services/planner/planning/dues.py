"""Timers of mailings that fired: each drives its mailing at once. They are hints; the sweep finds what was missed."""

import asyncio
import logging

from services.planner.planning.process import Process
from shared.eventlog.errors import ConsumerGoneError
from shared.eventlog.pull import Pull

logger = logging.getLogger(__name__)

_BATCH = 100
_WAIT_S = 5.0


async def follow(pull: Pull, process: Process) -> None:
    """Drive the mailing of every timer that fires, for ever."""
    while True:
        try:
            fired = await pull.fetch(_BATCH, _WAIT_S)
        except ConsumerGoneError as error:  # the sweep does its work until somebody makes it anew
            logger.warning("timers are not followed: %s", error)
            await asyncio.sleep(_WAIT_S)
            continue
        for message in fired:
            process.note(message.subject.split(".")[2])
            await message.ack()
