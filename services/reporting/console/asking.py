"""How the console asks: over HTTP like any other program, in the name of whoever signed in.

All pages share the connections. What does not answer becomes `AwayError`, a session that ended `SignedOutError`; the
planner hears from which address the person came, where it trusts this host to say so.
"""

from collections.abc import AsyncIterable, AsyncIterator
from typing import Any

from services.reporting.console.desk import AwayError, Data, SignedOutError
from shared.contracts.api import ENDPOINTS
from shared.contracts.commands import Answer, CloseSession, Command, OpenSession, Query, Refusal
from shared.messaging.client import UnansweredError
from shared.messaging.http_client import HttpClient, RefusedLiveError

_SERVICES = {endpoint.request: endpoint.service for endpoint in ENDPOINTS}


class Asking:
    """The requests of one session; also those of nobody yet, who signs in."""

    def __init__(self, client: HttpClient) -> None:
        self._client = client

    async def command(self, command: Command, key: str = "") -> Answer:
        """Ask for something to be done."""
        try:
            return await self._client.command(command, key)
        except UnansweredError as error:
            raise _away(command, error) from error

    async def query(self, query: Query, at_least: int = 0) -> Answer:
        """Ask for what is known."""
        try:
            return await self._client.query(query, at_least)
        except UnansweredError as error:
            raise _away(query, error) from error

    async def live(self, mailing: str = "") -> AsyncIterator[Data]:
        """Yield the numbers of a mailing, or of all, whenever they change."""
        try:
            async for event in self._client.live(mailing):
                if event.kind == "mailing":
                    yield event.data
        except RefusedLiveError as error:
            if error.refusal.code == "unauthenticated":
                raise SignedOutError from error
            raise AwayError(error.refusal.message) from error

    async def upload(self, file: AsyncIterable[bytes]) -> dict[str, Any] | Refusal:
        """Upload a file for an import."""
        try:
            return await self._client.upload(file)
        except UnansweredError as error:
            raise AwayError("The planner did not take the file. Choose it again in a moment.") from error

    async def open(self, email: str, password: str) -> tuple[Data, str]:
        """Return a session, or what is wrong."""
        answer = await self.command(OpenSession(email=email[:254], password=password[:300]))
        return answer.data, answer.refusal.message if answer.refusal else ""

    async def close(self, session: str) -> None:
        """End a session."""
        await self.command(CloseSession(session=session))


def _away(request: Command | Query, error: UnansweredError) -> AwayError:
    who = _SERVICES[type(request)]
    if error.reached:
        return AwayError(f"The {who} takes longer than expected. Try again: nothing is done twice.")
    return AwayError(f"The {who} does not answer at present. Nothing is lost: try again in a moment.")
