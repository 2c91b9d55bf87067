"""How a scripted SMTP server speaks: whole, late, cut, byte by byte, or not at all; and how it goes silent.

Replies are gathered and leave in one write, unless something asks for less; `_busy` says that one takes its time, so
nothing further is read until it is out.
"""

import asyncio
import socket
import struct
from typing import Any

from tests.harness.smtp_script import Act, Then


class Voice(asyncio.Protocol):
    """The speaking half of a session."""

    separate = False

    def __init__(self) -> None:
        self._transport: Any = None
        self._busy = False
        self._deaf = False
        self._out: list[bytes] = []

    def _work(self) -> None:
        """Go on with what was read."""
        raise NotImplementedError

    def say(self, data: bytes) -> None:
        """Write something nobody asked for."""
        self._transport.write(data)

    def close(self) -> None:
        """Close it now."""
        self._deaf = True
        self._transport.close()

    def reset(self) -> None:
        """Send a RST."""
        self._deaf = True
        peer = self._transport.get_extra_info("socket")
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._transport.abort()

    def _do(self, act: Act) -> None:
        if act.delay:
            self._busy = True
            self._flush()
            later = Act(act.reply, trickle=act.trickle, each=act.each, cut=act.cut, then=act.then)
            asyncio.get_running_loop().call_later(act.delay, self._resume, later)
        elif (act.trickle or act.cut) and act.reply:
            self._busy = True
            self._flush()
            places = range(1, len(act.reply)) if act.trickle else act.cut
            self._drip(act, 0, [place for place in places if 0 < place < len(act.reply)])
        else:
            if act.reply:
                self._out.append(act.reply)
                if self.separate:
                    self._flush()
            self._finish(act.then)

    def _resume(self, act: Act) -> None:
        self._busy = False
        self._do(act)
        self._work()

    def _drip(self, act: Act, start: int, cuts: list[int]) -> None:
        assert act.reply is not None
        if self._deaf or self._transport.is_closing():
            return
        if cuts:
            self._transport.write(act.reply[start : cuts[0]])
            asyncio.get_running_loop().call_later(act.each, self._drip, act, cuts[0], cuts[1:])
            return
        self._transport.write(act.reply[start:])
        self._busy = False
        self._finish(act.then)
        self._work()

    def _finish(self, then: Then) -> None:
        if not then:
            return
        self._flush()
        self._deaf = True
        if then == "close":
            self._transport.close()
        elif then == "reset":
            self.reset()

    def _flush(self) -> None:
        if self._out and not self._transport.is_closing():
            self._transport.write(b"".join(self._out))
        self._out.clear()
