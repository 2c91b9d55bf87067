"""What a process learns of a relay by being cut off, and for how long it believes it.

* It offers PIPELINING but loses commands that come together: some of the replies that are owed never come. From then on
  it gets one command at a time. If that meets the same silence, it was not the pipelining, and all is as before.
* It ends a connection after so many messages: two busy connections in a row that it ended after the same number. From
  then on connections are changed before it does that.

Both are forgotten after `BELIEVED` seconds: relays are mended, and believing it for longer only makes us slow.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

BELIEVED: Final = 3_600.0

BUSY: Final = 2.0
"""A connection that was at rest for longer when it ended was closed for idling, which tells nothing of a limit."""


@dataclass(slots=True)
class End:
    """How a connection ended.

    Attributes:
        pipelined: It sent commands together.
        unanswered: A reply that was owed to a command did not come, or came out of step.
        mismatched: Then: some of the replies to commands written together had come.
        dismissed: The relay ended it between two mails.
        sent: Mails whose final dot was answered on it.
        rested: Seconds since the last of these.
    """

    pipelined: bool = False
    unanswered: bool = False
    mismatched: bool = False
    dismissed: bool = False
    sent: int = 0
    rested: float = 0.0


@dataclass(slots=True)
class Habits:
    """Of one relay. `clock` tells seconds that never go back."""

    clock: Callable[[], float] = time.monotonic
    _one_by_one_until: float = float("-inf")
    _limit: int = 0
    _limit_until: float = float("-inf")
    _last: int = 0

    @property
    def pipelining(self) -> bool:
        """Whether commands may be sent together, if it offers that."""
        return self.clock() >= self._one_by_one_until

    @property
    def limit(self) -> int:
        """Messages after which a connection is changed, 0 where no limit is known."""
        return self._limit if self.clock() < self._limit_until else 0

    def ended(self, end: End) -> None:
        """Learn from the end of a connection."""
        if end.pipelined and end.mismatched:
            self._one_by_one_until = self.clock() + BELIEVED
        elif not end.pipelined and end.unanswered:
            self._one_by_one_until = float("-inf")
        if end.dismissed and end.sent and end.rested < BUSY:
            if end.sent == self._last:
                self._limit, self._limit_until = end.sent, self.clock() + BELIEVED
            self._last = end.sent
