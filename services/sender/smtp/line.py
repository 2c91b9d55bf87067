"""One line to a relay: a connection slot of a lane with its journal, opened when needed, retired after any trouble.

A connection that idled longer than `IDLE` is not trusted: relays close them silently, so it is opened anew before the
next claim. What a connection gives back because it was stale, cut off or spent goes over a fresh one under the same
claim, as long as each gets on by a mail: nobody is charged and the log does not hear of it. Errors of opening are the
lane's: nobody's mail is charged.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from services.sender import metrics
from services.sender.journal.journal import Journal
from services.sender.replies.reply import Phase
from services.sender.smtp.connection import Connection
from services.sender.smtp.errors import RelayError
from services.sender.smtp.window import Guard, Mail, Result, Witness
from shared.contracts.account import AccountSettings

IDLE = 10.0

Connect = Callable[[], Awaitable[Connection]]


@dataclass(slots=True)
class Line:
    """A connection slot.

    Attributes:
        connect: Opens a connection to the account's relay.
        begin_journal: Makes a local journal for the slot.
        settings: The account as it is now; after a change the connection is opened anew.
        each: Seconds a mail took lately, 0 where that is not known.
        journal: The one in use.
    """

    connect: Connect
    begin_journal: Callable[[], Journal]
    settings: Callable[[], AccountSettings]
    each: float = 0.0
    journal: Journal = field(init=False)
    _connection: Connection | None = None
    _used: float = field(default=0.0)
    _opened_with: AccountSettings | None = None

    def __post_init__(self) -> None:
        """Begin the journal."""
        self.journal = self.begin_journal()

    @property
    def relay(self) -> str:
        """Return `host:port`, for the record."""
        return f"{self.settings().host}:{self.settings().port}"

    @property
    def opened(self) -> bool:
        """Whether there is a connection."""
        return self._connection is not None

    async def open(self) -> Connection:
        """Return a connection that may be used now.

        Raises:
            services.sender.smtp.errors.RelayError: It cannot be opened; says whose fault that is.
        """
        now = asyncio.get_running_loop().time()
        connection = self._connection
        old = now - self._used > IDLE or self._opened_with is not self.settings()
        if connection is not None and (connection.botched or connection.spent or old):
            await self.close()
            connection = None
        if connection is None:
            self._opened_with = self.settings()
            connection = self._connection = await self._opened()
        self._used = now
        return connection

    async def _opened(self) -> Connection:
        try:
            connection = await self.connect()
        except RelayError as error:  # the lane's business; counted on the way
            metrics.not_connected(error)
            raise
        metrics.connected()
        return connection

    @property
    def botched(self) -> bool:
        """Whether the connection it had has ended by itself."""
        return self._connection is not None and self._connection.botched

    async def carry(self, mails: Sequence[Mail], guard: Guard, witness: Witness) -> list[Result]:
        """Send a window, over as many connections as that takes; one result each, in their order."""
        found: dict[int, Result] = {}
        left = list(mails)
        while left:
            try:
                connection = await self.open()
            except RelayError as error:  # these were never begun; the lane hears of it at its next look
                lost = [Result(mail.index, Phase.NOT_SENT, reason=f"relay: {error}") for mail in left]
                found |= {result.index: result for result in lost if result.index not in found}
                break
            used = connection.sent > 0
            results = await connection.send(left, guard, witness)
            self._used = asyncio.get_running_loop().time()
            found |= {result.index: result for result in results}
            if not (used or connection.spent or any(_answered(result) for result in results)):
                break
            left = [mail for mail, result in zip(left, results, strict=True) if result.again]
        return [found[mail.index] for mail in mails]

    async def close(self) -> None:
        """End the connection, politely where it still works."""
        connection, self._connection = self._connection, None
        if connection is not None:
            metrics.disconnected()
            await connection.quit()

    async def give_up(self) -> None:
        """End the connection and let go of the journal: what it tells of open claims is evidence from now on.

        While its owner lives nobody may read it, as the owner might still send. After this, it will not.
        """
        await self.close()
        self.each = 0.0
        self.journal.close()
        self.journal = self.begin_journal()


def _answered(result: Result) -> bool:
    return result.phase != Phase.NOT_SENT and result.code not in (0, 421)
