"""One inbox subscription for all answers a connection waits for: each asker gets a reply subject of its own.

nats-py's own request keeps only the first answer and starts a task for each call; here a handler is called for every
message that comes to its reply subject, until it is released. Handlers are plain functions and must not raise.
"""

import asyncio
from collections.abc import Callable

from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error as NatsError

from shared.eventlog.errors import UnavailableError

Handler = Callable[[Msg], None]

_ATTRIBUTE = "_posthaste_inbox"


class Inbox:
    """Reply subjects of one connection; `Inbox.of(nc)` returns its one inbox."""

    def __init__(self, nc: Client) -> None:
        self._nc = nc
        self._prefix = nc.new_inbox() + "."
        self._skip = len(self._prefix)
        self._handlers: dict[str, Handler] = {}
        self._opened = asyncio.Lock()
        self._open = False

    @classmethod
    def of(cls, nc: Client) -> "Inbox":
        """Return the inbox that all who use `nc` share."""
        held: dict[str, Inbox] = vars(nc)  # kept with the connection, to live and die with it
        if _ATTRIBUTE not in held:
            held[_ATTRIBUTE] = cls(nc)
        return held[_ATTRIBUTE]

    async def open(self) -> None:
        """Subscribe, once; to be awaited before the first claim."""
        if self._open:
            return
        async with self._opened:
            if self._open:
                return
            try:
                await self._nc.subscribe(
                    self._prefix + "*", cb=self._dispatch, pending_msgs_limit=-1, pending_bytes_limit=-1
                )
            except NatsError as error:  # the connection is closed for good: its user ends
                raise UnavailableError(f"no inbox: {error}") from error
            self._open = True

    def claim(self, token: str, handler: Handler) -> str:
        """Return the reply subject `token`, whose messages go to `handler` until `release`."""
        self._handlers[token] = handler
        return self._prefix + token

    def release(self, token: str) -> None:
        """Forget `token`; what still comes for it is dropped."""
        self._handlers.pop(token, None)

    async def _dispatch(self, msg: Msg) -> None:
        handler = self._handlers.get(msg.subject[self._skip :])
        if handler is not None:
            handler(msg)
