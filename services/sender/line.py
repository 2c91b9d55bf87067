"""One line to a relay: a connection slot of a lane with its journal, opened when needed, retired after any trouble.

A connection that idled longer than `IDLE` is not trusted: relays close them silently, so it is opened anew before the
next claim. Errors of opening are the lane's: nobody's mail is charged.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from services.sender import metrics
from services.sender.errors import RelayError
from services.sender.journal import Journal
from services.sender.smtp import Connection
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
        most: How many mails may go over one connection, None where nothing limits them.
        journal: The one in use.
    """

    connect: Connect
    begin_journal: Callable[[], Journal]
    settings: Callable[[], AccountSettings]
    most: Callable[[], int | None] = lambda: None
    journal: Journal = field(init=False)
    _connection: Connection | None = None
    _used: float = field(default=0.0)
    _sent: int = 0
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

    async def open(self, mails: int = 1) -> Connection:
        """Return a connection that may be used now, for so many mails at once.

        Raises:
            services.sender.errors.RelayError: It cannot be opened; says whose fault that is.
        """
        now = asyncio.get_running_loop().time()
        connection = self._connection
        if connection is not None and (connection.botched or now - self._used > IDLE or self._spent(mails)):
            await self.close()
            connection = None
        if connection is None:
            self._sent, self._opened_with = 0, self.settings()
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

    def _spent(self, mails: int) -> bool:
        """Tell whether so many mails are more than the connection may carry, or the account is another one now."""
        most = self.most()
        return self._opened_with is not self.settings() or (most is not None and self._sent + mails > max(most, mails))

    def used(self, mails: int = 0) -> None:
        """Note that the connection just worked, and how many mails it was given."""
        self._sent += mails
        self._used = asyncio.get_running_loop().time()

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
        self.journal.close()
        self.journal = self.begin_journal()
