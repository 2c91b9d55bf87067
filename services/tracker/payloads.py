"""Whom a mail of ours went to, from PAYLOADS, as long as the payload is kept: for what names the mail only."""

from collections.abc import Awaitable, Callable

import orjson

from shared.contracts import subjects
from shared.contracts.consent import EVERYTHING
from shared.contracts.content import PayloadRow
from shared.eventlog.errors import EventLogError, UnavailableError
from shared.eventlog.reader import Stored
from shared.tokens import MAX_LISTS, RecipientToken

Fetch = Callable[[str], Awaitable[Stored | None]]


class Payloads:
    """Rows by recipient."""

    def __init__(self) -> None:
        self._fetch: Fetch | None = None

    def attach(self, fetch: Fetch) -> None:
        """Read with this from now on: the last message on a subject of PAYLOADS."""
        self._fetch = fetch

    async def who(self, token: RecipientToken) -> tuple[str, tuple[str, ...]] | None:
        """Return address key and lists of a recipient; None where nobody knows any more.

        Raises:
            UnavailableError: The broker is away: to be asked again.
        """
        if self._fetch is None:
            raise UnavailableError("not connected yet")
        try:
            stored = await self._fetch(subjects.payload(token.mailing, token.n))
        except EventLogError as error:
            raise UnavailableError(str(error)) from error
        lines = stored.data.split(b"\n") if stored is not None else []
        if token.index >= len(lines):
            return None
        row = PayloadRow.model_validate(orjson.loads(lines[token.index]))
        if not row.address_key:
            return None
        return row.address_key, tuple(sorted(set(row.lists))) if 0 < len(row.lists) <= MAX_LISTS else (EVERYTHING,)
