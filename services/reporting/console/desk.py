"""Who is signed in at a page, and how the page asks.

`read` returns what a query found; whatever keeps a page from being built is raised, and the frame of the page shows it.
`tell` returns the answer to a command, a service that does not answer included, so that a form can say it beside its
button. Both remember the position they saw: what was done a moment ago shows in what is read next.
"""

import hashlib
from collections.abc import AsyncIterator, Awaitable
from dataclasses import dataclass, field
from typing import Any, Protocol
from zoneinfo import ZoneInfo

from shared.contracts.commands import Answer, Command, Query, Refusal
from shared.contracts.principals import Permission

Data = dict[str, Any]

_NO_ANSWER = ("unavailable", "not_yet", "not_there_yet", "unknown_outcome")


class AwayError(Exception):
    """A service does not answer; the page shows it and tries again."""


class SignedOutError(Exception):
    """The session has ended; the page asks to sign in."""


class RefusedError(Exception):
    """A query was refused, so there is no page to show."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.message)
        self.refusal = refusal


class Asks(Protocol):
    """What a page asks through: the HTTP client in the name of the signed-in user."""

    async def command(self, command: Command, key: str = "") -> Answer:
        """Ask for something to be done."""

    async def query(self, query: Query, at_least: int = 0) -> Answer:
        """Ask for what is known."""

    def live(self, mailing: str = "") -> AsyncIterator[Data]:
        """Yield news of a mailing, or of all of them."""


@dataclass
class Desk:
    """One page of one signed-in user.

    Attributes:
        id: Stands in the log for the user.
        name: What the user is called.
        zone: Time zone of the browser.
        position: Highest position of the log that was seen.
    """

    id: str
    name: str
    permissions: frozenset[Permission]
    asks: Asks
    zone: ZoneInfo = field(default_factory=lambda: ZoneInfo("UTC"))
    position: int = 0

    def may(self, permission: Permission) -> bool:
        """Tell whether the user has `permission`."""
        return permission in self.permissions

    async def read(self, query: Query) -> Data:
        """Return what the query found.

        Raises:
            AwayError: The service does not answer.
            SignedOutError: The session has ended.
            RefusedError: It was refused.
        """
        answer = await self._noted(self.asks.query(query, self.position))
        if answer.refusal is not None:
            if answer.refusal.code in _NO_ANSWER:
                raise AwayError(answer.refusal.message)
            if answer.refusal.code == "unauthenticated":
                raise SignedOutError
            raise RefusedError(answer.refusal)
        return answer.data

    async def tell(self, command: Command, form: str = "") -> Answer:
        """Return what came of the command; the same command of the same `form` is done once."""
        key = _digest(f"{form} {command.NAME} {command.model_dump_json()}") if form else ""
        try:
            return await self._noted(self.asks.command(command, key))
        except AwayError as error:  # the form shows it; sent again, it is done once
            return Answer(ok=False, refusal=Refusal(code="unavailable", message=str(error)))

    async def _noted(self, asking: Awaitable[Answer]) -> Answer:
        answer = await asking
        self.position = max(self.position, answer.position)
        return answer


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:32]
