"""Asking the services: a command or query out, its `Answer` back.

While nobody listens (a service is being restarted) the request is repeated until the time is up: it reached nobody. A
request that reached somebody and was not answered in time raises `UnansweredError`; ask again with the same key, which
the error carries, and the same command is not done twice.
"""

import asyncio
import time

from nats.aio.client import Client as Connection
from nats.errors import NoRespondersError

from shared.contracts import subjects
from shared.contracts.commands import Answer, Command, Query, Request
from shared.ids import new_id

_PAUSE = 0.1


class UnansweredError(RuntimeError):
    """No answer within the time. `reached` is False where no service listens; `key` repeats the request."""

    def __init__(self, name: str, key: str, seconds: float, *, reached: bool) -> None:
        why = "was not answered" if reached else "found no service that listens"
        super().__init__(f"{name} {why} within {seconds:g} s")
        self.key = key
        self.reached = reached


class Client:
    """Commands and queries in the name of `principal`, which must be the NATS user of `connection`."""

    def __init__(self, connection: Connection, principal: str, *, seconds: float = 30.0) -> None:
        self._connection = connection
        self._principal = principal
        self._seconds = seconds

    async def command(self, command: Command, key: str = "") -> Answer:
        """Ask for something to be done; without a `key` it is a new request each time."""
        subject = subjects.command(self._principal, command.NAME)
        request = Request(key=key or new_id(), data=command.model_dump(mode="json", exclude_defaults=True))
        return await self._ask(subject, command.NAME, request)

    async def query(self, query: Query, at_least: int = 0) -> Answer:
        """Ask for what is known; `at_least` is the log position the answer must include."""
        subject = subjects.query(self._principal, query.NAME)
        request = Request(at_least=at_least, data=query.model_dump(mode="json", exclude_defaults=True))
        return await self._ask(subject, query.NAME, request)

    async def _ask(self, subject: str, name: str, request: Request) -> Answer:
        body = request.model_dump_json().encode()
        deadline = time.monotonic() + self._seconds
        while (left := deadline - time.monotonic()) > 0:
            try:
                reply = await self._connection.request(subject, body, timeout=left)
            except NoRespondersError:  # it reached nobody: try again until the time is up
                await asyncio.sleep(min(_PAUSE, left))
            except TimeoutError as error:  # it may be done: the caller decides
                raise UnansweredError(name, request.key, self._seconds, reached=True) from error
            else:
                return Answer.model_validate_json(reply.data)
        raise UnansweredError(name, request.key, self._seconds, reached=False)
