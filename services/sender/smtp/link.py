"""Bytes to replies: the lower half of a connection to a relay. It knows lines, codes and silence, nothing of mails.

Whatever arrives, split or merged at any byte, becomes calls of `_reply` in order. A line or reply without end, a code
that is none, several codes in one reply, a silence longer than the state's timeout and the end of the transport go to
`_fail`. Memory is bounded: 4 KiB a line, 100 lines a reply.
"""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import astuple, dataclass
from typing import Final, cast

logger = logging.getLogger(__name__)

MAX_LINE = 4096
MAX_LINES = 100

IDLE, MAIL, RCPT, DATA, DOT, RSET, BODY, QUIT, DEAD = range(9)
"""What is waited for: nothing, the reply to a command, room for more of a message. The first five are as in Phase."""

_CODES: Final[dict[bytes, int]] = {
    b"%d%b" % (code, mark): -code if mark == b"-" else code
    for code in range(200, 600)
    for mark in (b" ", b"-", b"\r", b"")
}
"""First four bytes of a reply line -> its code, negative where more lines follow. What is not here is no SMTP."""


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Longest silences in seconds (RFC 5321, 4.5.3.2). A shorter `dot` manufactures duplicates."""

    mail: float = 300
    rcpt: float = 300
    data: float = 120
    block: float = 180
    dot: float = 600
    quit: float = 5

    def shortened(self, share: float) -> "Timeouts":
        """Return these times `share`."""
        return Timeouts(*(share * seconds for seconds in astuple(self)))

    def by_state(self) -> tuple[float, ...]:
        """Return the timeout of each state by its number."""
        return (0, self.mail, self.rcpt, self.data, self.dot, self.mail, self.block, self.quit, 0)


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What the relay offers, as read from the last EHLO (under TLS where there is TLS).

    Attributes:
        size: Largest message it takes, 0 where it names none.
        declares_size: It wants to be told the size of a message before.
        tls: Version of TLS, "" where there is none.
        extensions: Everything it named, in lower case.
    """

    pipelining: bool = False
    size: int = 0
    declares_size: bool = False
    eight_bit: bool = False
    smtputf8: bool = False
    enhanced: bool = False
    tls: str = ""
    extensions: tuple[str, ...] = ()


class Link(asyncio.Protocol):
    """A transport, its replies and its deadlines.

    Attributes:
        closed: Done when the transport is gone.
    """

    def __init__(self, timeouts: Timeouts | None = None, *, pipelining: bool = False) -> None:
        self._loop = asyncio.get_running_loop()
        self.closed: asyncio.Future[None] = self._loop.create_future()
        self._transport: asyncio.Transport | None = None
        self._timeouts = (timeouts or Timeouts()).by_state()
        self._state = IDLE
        self._pipelining = pipelining
        self._tail = b""
        self._lines: list[bytes] = []
        self._unread = 0
        self._full = False
        self._deadline = 0.0
        self._alarm: asyncio.TimerHandle | None = None

    def _reply(self, code: int, lines: list[bytes]) -> None:
        """Act on one whole reply; `_unread` lines came with it that were sent before any answer to what is done now."""
        raise NotImplementedError

    def _fail(self, reason: str) -> None:
        """End it; does nothing the second time."""
        raise NotImplementedError

    def _silent(self, reason: str) -> None:
        """End it because of a silence."""
        self._fail(reason)

    def _lost(self, reason: str) -> None:
        """End it because the transport has ended."""
        self._fail(reason)

    def _room(self) -> None:
        """Go on writing, what was written before has left."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the transport; the second byte that stays is a full buffer (TLS takes 0 for always full)."""
        self._transport = cast("asyncio.Transport", transport)
        self._transport.set_write_buffer_limits(high=1, low=0)

    def connection_lost(self, exc: Exception | None) -> None:
        """The other side, or `_fail`, ended it."""
        if self._state != DEAD:
            self._lost(f"connection lost: {exc}" if exc else "closed by the relay")
        if not self.closed.done():
            self.closed.set_result(None)

    def pause_writing(self) -> None:
        """Wait with further slices."""
        self._full = True

    def resume_writing(self) -> None:
        """Go on with the slices of a long message."""
        self._full = False
        self._guarded(self._room)

    def data_received(self, data: bytes) -> None:
        """Take replies apart and act on each; MAIL and RCPT taken need nothing done when DATA is on its way."""
        lines = (self._tail + data if self._tail else data).split(b"\n")
        self._tail = lines.pop()
        self._unread = len(lines)
        try:
            for line in lines:
                self._unread -= 1
                code = _CODES.get(line[:4])
                state = self._state
                if code == 250 and MAIL <= state <= RCPT and self._pipelining and not self._lines:
                    self._state = state + 1
                    self._deadline = self._loop.time() + self._timeouts[state + 1]
                elif code is None or len(line) > MAX_LINE:
                    self._fail("malformed reply")
                elif code < 0 or self._lines:
                    self._continue(code, line)
                else:
                    self._reply(code, [line])
                if self._state == DEAD:
                    return
            if len(self._tail) > MAX_LINE:
                self._fail("a reply line without end")
        except Exception as error:  # noqa: BLE001 - guard or journal failed: the connection ends, results so far stand
            self._broken(error)

    def _guarded(self, step: Callable[[], None]) -> None:
        """Do what no reply has caused."""
        try:
            step()
        except Exception as error:  # noqa: BLE001 - as in data_received
            self._broken(error)

    def _broken(self, error: Exception) -> None:
        logger.error("connection ends because a callback failed", exc_info=error)
        self._fail(f"callback failed: {type(error).__name__}")

    def _continue(self, code: int, line: bytes) -> None:
        self._lines.append(line)
        if len(self._lines) > MAX_LINES:
            self._fail("a reply without end")
        elif not self._lines[0].startswith(b"%d" % abs(code)):
            self._fail("a reply with several codes")
        elif code > 0:
            lines, self._lines = self._lines, []
            self._reply(code, lines)

    def _write(self, data: bytes | memoryview) -> None:
        if self._transport is not None and self._state != DEAD:
            self._transport.write(data)

    def _enter(self, state: int) -> None:
        """Be in `state`, and not for longer than its timeout."""
        if self._state == DEAD:
            return
        self._state = state
        self._deadline = deadline = self._loop.time() + self._timeouts[state]
        if self._alarm is None or self._alarm.when() > deadline:
            if self._alarm is not None:
                self._alarm.cancel()
            self._alarm = self._loop.call_at(deadline, self._ring)

    def _ring(self) -> None:
        self._alarm = None
        if self._state in (IDLE, DEAD):
            return
        if self._loop.time() < self._deadline:
            self._alarm = self._loop.call_at(self._deadline, self._ring)
        else:
            self._silent(f"no reply within {self._timeouts[self._state]:g} s")

    def _die(self) -> int:
        """Cut the transport and return the state in which that happened; nothing is written or read any more."""
        state, self._state = self._state, DEAD
        if self._alarm is not None:
            self._alarm.cancel()
        if self._transport is not None:
            self._transport.abort()
        return state
