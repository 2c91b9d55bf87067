"""Room for the bodies that one provider's path holds at a time, so that no flood of it reaches the others.

Before a body was read and checked anybody may have sent it. So whoever needs room gets that of the oldest ones that
are not proven: a provider sends within a moment what a flood keeps up. Those end with `BusyError`, as does a body for
which there is no room even so; what is proven stays until it is recorded. Counted is what came, not what was announced.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator

from starlette.types import Message, Receive


class BusyError(Exception):
    """There is no room for the body, or others needed it."""


class Place:
    """What one request holds of a room."""

    def __init__(self, room: "Room") -> None:
        self._room = room
        self._deadline: asyncio.Timeout | None = None
        self.held = 0
        self.lost = False

    def counting(self, receive: Receive) -> Receive:
        """Return `receive` so that room is made for all that comes by it."""

        async def counted() -> Message:
            message = await receive()
            self._room.make(self, len(message.get("body", b"")))
            return message

        return counted

    @contextlib.asynccontextmanager
    async def unproven(self) -> AsyncIterator[None]:
        """Let others have the place for as long as this lasts.

        Raises:
            BusyError: They took it, or there was none.
        """
        try:
            async with asyncio.timeout(None) as self._deadline:
                self._room.unproven[self] = None
                try:
                    yield
                finally:
                    self._room.unproven.pop(self, None)
        except TimeoutError as error:
            if not self.lost:
                raise
            raise BusyError from error
        if self.lost:  # in the moment in which it was read to its end
            raise BusyError

    def lose(self) -> None:
        """Give it up: it is free at once, and whoever reads into it stops."""
        self.lost = True
        self._room.held -= self.held
        self.held = 0
        if self._deadline is not None:
            self._deadline.reschedule(asyncio.get_running_loop().time())


class Room:
    """All places of one provider, at most `most` bytes.

    Attributes:
        held: Bytes that are held now.
        unproven: Places of what nobody has checked yet, the oldest first.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self.held = 0
        self.unproven: dict[Place, None] = {}

    @contextlib.contextmanager
    def place(self) -> Iterator[Place]:
        """Give a place to a request, until it is answered."""
        place = Place(self)
        try:
            yield place
        finally:
            self.held -= place.held

    def make(self, place: Place, size: int) -> None:
        """Have `place` hold `size` bytes more, at the expense of the oldest ones that are not proven.

        Raises:
            BusyError: There is no room, or the place is lost.
        """
        if place.lost:
            raise BusyError
        others = iter([each for each in self.unproven if each is not place and each.held])
        while self.held + size > self._most:
            oldest = next(others, None)
            if oldest is None:
                raise BusyError
            del self.unproven[oldest]
            oldest.lose()
        self.held += size
        place.held += size
