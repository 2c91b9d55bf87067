"""One inbox subscription for all answers a connection waits for: each asker gets a reply subject of its own.

nats-py's own request keeps only the first answer, starts a task for each call, and in Python 3.11 loses a cancel that
comes with the answer; here a handler is called for every message that comes to its reply subject, until it is released.
Handlers are plain functions and must not raise.
"""

import asyncio
import itertools
from collections.abc import Callable

from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error as NatsError
from nats.errors import NoRespondersError

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
        self._questions = itertools.count()

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

    async def ask(self, subject: str, body: bytes = b"", *, seconds: float) -> Msg:
        """Ask and return the first answer.

        Raises:
            TimeoutError: No answer within `seconds`.
            NoRespondersError: Nobody listens.
        """
        await self.open()
        answered: asyncio.Future[Msg] = asyncio.get_running_loop().create_future()
        token = f"q{next(self._questions)}"
        reply = self.claim(token, lambda msg: None if answered.done() else answered.set_result(msg))
        try:
            await self._nc.publish(subject, body, reply)
            async with asyncio.timeout(seconds):
                answer = await answered
        finally:
            self.release(token)
        if not answer.data and (answer.headers or {}).get("Status") == "503":
            raise NoRespondersError
        return answer

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
