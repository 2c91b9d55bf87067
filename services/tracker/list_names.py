"""What the lists of a link are called, for the pages: read from PEOPLE when a page is shown, and remembered.

The planner keeps the name of every list under its id. While the broker is away, or where a list is not known any more,
a name that was never heard is "": the page then numbers the lists. Nobody waits long for a name.
"""

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence

import orjson

from shared.contracts import subjects
from shared.contracts.consent import EVERYTHING
from shared.eventlog.errors import EventLogError

log = logging.getLogger(__name__)

Ask = Callable[[str, float], Awaitable[bytes]]
"""Reads the last message on a subject within so many seconds; empty where there is none."""

_PATIENCE = 0.5
_MOST = 10_000
_LONGEST = 200


class ListNames:
    """Names by list id."""

    def __init__(self) -> None:
        self._ask: Ask | None = None
        self._known: OrderedDict[str, str] = OrderedDict()

    def attach(self, ask: Ask) -> None:
        """Ask this from now on."""
        self._ask = ask

    async def of(self, scope: Sequence[str]) -> tuple[str, ...]:
        """Return the names of lists in their order; none for all mail."""
        return tuple(await asyncio.gather(*(self._name(each) for each in scope if each != EVERYTHING)))

    async def _name(self, list_id: str) -> str:
        known = self._known.get(list_id)
        if known is not None or self._ask is None:
            return known or ""
        try:
            answer = await self._ask(subjects.person_list(list_id), _PATIENCE)
            name = str(orjson.loads(answer)["name"])[:_LONGEST] if answer else ""
        except (EventLogError, ValueError, KeyError, TypeError) as error:  # numbered now, asked again next time
            log.warning("the name of list %s is not known: %s", list_id, type(error).__name__)
            return ""
        if name:
            self._known[list_id] = name
            if len(self._known) > _MOST:
                self._known.popitem(last=False)
        return name
