"""How much the link of one mail may write: a repeat is the same act, and acts beyond a handful come one a minute.

Whoever has a mail can send forms without end, each another act with a comment of its own, and while the broker is away
each would take of the reserve of the spool. In: the entry of an act; out: it is safe, or `TooManyError`, and nothing of
it is recorded. An act that is on its way or safe already is not written again. One click has no words of its own and is
one act in `acts.REPEAT_SECONDS` by its id, so it is always taken: providers repeat it. All of it is in memory, for the
links used last and no longer than it matters; each tracker counts for itself.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from time import monotonic

from services.tracker.acts import By
from services.tracker.entries import Entry
from services.tracker.recorder import Recorder

AT_ONCE = 10
"""Acts that one link may bring one after the other: nobody changes their mind that often."""

SECONDS_EACH = 60.0
"""After which one more is let in."""

MOST_LINKS = 10_000

_WHOLE_AFTER = AT_ONCE * SECONDS_EACH


class TooManyError(Exception):
    """The link has brought as many acts as it may for now."""


@dataclass(slots=True)
class _Link:
    """What came by one link.

    Attributes:
        used: When it was used last.
        whole: When its allowance is whole again.
        acts: Its last acts by the ids of their commits: on their way, or None once they are safe.
    """

    used: float = 0.0
    whole: float = 0.0
    acts: dict[str, asyncio.Task[None] | None] = field(default_factory=dict)


class Allowance:
    """Records acts, for the links of one kind in one tracker process."""

    def __init__(
        self, recorder: Recorder, *, most_links: int = MOST_LINKS, clock: Callable[[], float] = monotonic
    ) -> None:
        self._recorder = recorder
        self._most_links = most_links
        self._clock = clock
        self._links: OrderedDict[By, _Link] = OrderedDict()

    async def record(self, by: By, entry: Entry, *, always: bool = False) -> None:
        """Return once the act is safe; `always`: it needs no allowance.

        Raises:
            TooManyError: Nothing is recorded; to be tried again in a minute.
            NotKeptError: Neither log nor spool took it, which costs nothing of the allowance.
        """
        link = self._link(by)
        command_id = entry.origin.command_id
        if command_id in link.acts:
            act = link.acts[command_id]
        else:
            cost = 0.0 if always else SECONDS_EACH
            whole = max(link.whole, link.used) + cost
            if cost and whole - link.used > _WHOLE_AFTER:
                raise TooManyError
            link.whole = whole
            act = asyncio.get_running_loop().create_task(self._recorder.record(entry))
            act.add_done_callback(partial(_settle, link, command_id, cost))
            link.acts[command_id] = act
            if len(link.acts) > AT_ONCE:
                del link.acts[next(iter(link.acts))]
        if act is not None:
            await asyncio.shield(act)  # a client that goes away ends it for nobody else

    def _link(self, by: By) -> _Link:
        link = self._links.setdefault(by, _Link())
        self._links.move_to_end(by)
        link.used = self._clock()
        while len(self._links) > self._most_links or self._oldest.used < link.used - _WHOLE_AFTER:
            self._links.popitem(last=False)
        return link

    @property
    def _oldest(self) -> _Link:
        return next(iter(self._links.values()))


def _settle(link: _Link, command_id: str, cost: float, act: asyncio.Task[None]) -> None:
    """Note that an act is safe; forget one that was not kept, so that the same form sent again is tried again."""
    if act.cancelled() or act.exception() is not None:
        link.whole -= cost
        link.acts.pop(command_id, None)
    elif command_id in link.acts:
        link.acts[command_id] = None
