"""One connection of a program: `async with Posthaste.connect(...) as posthaste`.

Answers come as the models of shared.contracts.answers. A refusal raises `RefusedError` with its code; no answer raises
`UnansweredError`, whose key repeats the command without doing it twice. What was done is seen by the queries after it.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeVar

from nats.aio.client import Client as Connection

from shared.client.contacts import Contacts
from shared.client.feed import Event, follow
from shared.contracts import subjects
from shared.contracts.answers import DATA, Data, Nothing
from shared.contracts.commands import Answer, Command, Query, Refusal
from shared.eventlog.connection import close, connect
from shared.messaging.client import Client

D = TypeVar("D", bound=Data)


class RefusedError(Exception):
    """A domain "no": nothing was changed. `refusal.code` is stable, `refusal.field` the place at fault."""

    def __init__(self, refusal: Refusal) -> None:
        where = f" ({refusal.field})" if refusal.field else ""
        super().__init__(f"{refusal.code}: {refusal.message}{where}")
        self.refusal = refusal


class Posthaste:
    """What a program may do. `contacts` tells of the records of `source`."""

    def __init__(self, connection: Connection, user: str, *, source: str = "", seconds: float = 30.0) -> None:
        self.contacts = Contacts(connection, source)
        self._connection = connection
        self._client = Client(connection, user, seconds=seconds)
        self._position = 0

    @classmethod
    @asynccontextmanager
    async def connect(
        cls, url: str, *, user: str, password: str, source: str = "", ca_file: Path | None = None
    ) -> AsyncIterator["Posthaste"]:
        """Connect as a NATS user; `tls://` in the URL encrypts, `ca_file` names who vouches for the servers."""
        connection = await connect(url, user=user, password=password, ca_file=ca_file, name=f"{user} client")
        try:
            yield cls(connection, user, source=source)
        finally:
            await close(connection)

    async def do(self, command: Command, into: type[D], *, key: str = "") -> D:
        """Have a command done; the same `key` does it once however often it is asked. `into` reads the answer.

        Raises:
            RefusedError: It was refused.
            UnansweredError: Nobody answered in time.
            TypeError: The answer of this command is another model.
        """
        _see(command, into)
        return self._read(await self._client.command(command, key), into)

    async def ask(self, query: Query, into: type[D]) -> D:
        """Ask; the answer includes what this client had done before. Raises as `do` does."""
        _see(query, into)
        return self._read(await self._client.query(query, self._position), into)

    def events(self, after: str = "", *, of: str = subjects.ALL_OUT) -> AsyncIterator[Event]:
        """Follow the feed for ever, from behind the cursor `after` on ("" is the oldest event that is kept).

        Store `event.cursor` with what you made of the event. `of` narrows it, e.g. `out.mailing.*`. Raises
        `CursorLostError` where what follows the cursor is no longer kept.
        """
        return follow(self._connection, after, of)

    def _read(self, answer: Answer, into: type[D]) -> D:
        if answer.refusal is not None:
            raise RefusedError(answer.refusal)
        self._position = max(self._position, answer.position)
        return into.model_validate(answer.data)


def _see(request: Command | Query, into: type[Data]) -> None:
    if (wanted := DATA.get(type(request), Nothing)) is not into:
        raise TypeError(f"{request.NAME} is answered with {wanted.__name__}, not with {into.__name__}")
