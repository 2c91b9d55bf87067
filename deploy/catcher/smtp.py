"""The SMTP side of the catcher: RFC 5321 with PIPELINING, bounded in everything, quick enough to be a sink.

`take` is called with each complete mail and must have kept it when it returns: then the 250 goes out. What is malformed
is answered with a 5xx; who exceeds a bound is answered and, where the stream cannot be read on, closed.
"""

import asyncio
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import cast

LARGEST_MAIL = 30 * 2**20
MOST_RECIPIENTS = 1_000
MOST_CONNECTIONS = 1_000
IDLE_SECONDS = 300.0
_LONGEST_LINE = 2_048
_MOST_ERRORS = 50
_END = b"\r\n.\r\n"
_PATH = re.compile(rb"^\s*(?:FROM|TO):\s*<([^<>\r\n]*)>", re.IGNORECASE)

Take = Callable[[str, list[str], bytes], str]
Verdict = Callable[[str], str]


@dataclass
class Sink:
    """What all connections share.

    Attributes:
        take: Keeps a mail (sender, recipients, bytes) and returns its id.
        verdict: Returns "" for a recipient that is welcome, else the whole reply to RCPT.
    """

    take: Take
    verdict: Verdict = lambda _recipient: ""
    name: str = "catcher.posthaste"
    connections: set["Session"] = field(default_factory=set)

    def close_idle(self, now: float) -> None:
        """Close connections that said nothing for long."""
        for session in [s for s in self.connections if now - s.heard > IDLE_SECONDS]:
            session.close("421 4.4.2 idle for too long")


class Session(asyncio.Protocol):
    """One connection."""

    def __init__(self, sink: Sink) -> None:
        self.heard = 0.0
        self._sink = sink
        self._transport: asyncio.Transport | None = None
        self._buffer = bytearray()
        self._replies: list[bytes] = []
        self._searched = 0
        self._errors = 0
        self._reset()
        self._in_data = False
        self._too_large = False

    def _reset(self) -> None:
        self._sender: str | None = None
        self._recipients: list[str] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Greet, or send away."""
        self._transport = cast("asyncio.Transport", transport)
        self.heard = asyncio.get_running_loop().time()
        if len(self._sink.connections) >= MOST_CONNECTIONS:
            self.close("421 4.3.2 too many connections")
            return
        self._sink.connections.add(self)
        self._transport.write(f"220 {self._sink.name} ESMTP\r\n".encode())

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget it."""
        del exc
        self._sink.connections.discard(self)
        self._buffer.clear()

    def pause_writing(self) -> None:
        """Read no more from a client that does not read its replies."""
        if self._transport is not None:
            self._transport.pause_reading()

    def resume_writing(self) -> None:
        """Go on reading."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.resume_reading()

    def close(self, reply: str) -> None:
        """Say why and close."""
        if self._transport is not None:
            self._say(reply)
            self._flush()
            self._transport.close()

    def data_received(self, data: bytes) -> None:
        """Work through what came: commands, and mails after DATA; all replies go out in one write."""
        if self._transport is None or self._transport.is_closing():
            return
        self.heard = asyncio.get_running_loop().time()
        self._buffer += data
        while not self._transport.is_closing() and (self._mail() if self._in_data else self._line()):
            pass
        self._flush()

    def _say(self, reply: str) -> None:
        self._replies.append(reply.encode("utf-8", "replace") + b"\r\n")
        if reply[0] == "5":
            self._errors += 1

    def _flush(self) -> None:
        if self._replies and self._transport is not None:
            self._transport.write(b"".join(self._replies))
            self._replies.clear()

    def _line(self) -> bool:
        end = self._buffer.find(b"\n")
        if end < 0 or end > _LONGEST_LINE:
            if len(self._buffer) > _LONGEST_LINE:
                self.close("500 5.5.2 line too long")
            return False
        line = bytes(self._buffer[:end]).rstrip(b"\r")
        del self._buffer[: end + 1]
        if self._errors > _MOST_ERRORS:
            self.close("421 4.7.0 too many errors")
            return False
        verb, _, rest = line.partition(b" ")
        rest = rest.lstrip()
        handler = _VERBS.get(verb.upper())
        if handler is None:
            self._say("500 5.5.1 command not known")
        else:
            handler(self, rest)
        return True

    def _helo(self, _rest: bytes) -> None:
        self._reset()
        self._say(f"250 {self._sink.name}")

    def _ehlo(self, _rest: bytes) -> None:
        self._reset()
        extensions = ("PIPELINING", f"SIZE {LARGEST_MAIL}", "8BITMIME", "SMTPUTF8", "ENHANCEDSTATUSCODES")
        for extension in (self._sink.name, *extensions[:-1]):
            self._say(f"250-{extension}")
        self._say(f"250 {extensions[-1]}")

    def _mail_from(self, rest: bytes) -> None:
        match = _PATH.match(rest)
        if match is None or rest[:1] in b"tT":
            self._say("501 5.5.4 MAIL FROM:<address> expected")
        elif self._sender is not None:
            self._say("503 5.5.1 a mail is open already")
        elif (size := re.search(rb"SIZE=(\d{1,12})", rest.upper())) and int(size[1]) > LARGEST_MAIL:
            self._say("552 5.3.4 mail too large")
        else:
            self._sender = match[1].decode("utf-8", "replace")
            self._say("250 2.1.0 ok")

    def _rcpt_to(self, rest: bytes) -> None:
        match = _PATH.match(rest)
        if match is None or not match[1] or rest[:1] in b"fF":
            self._say("501 5.5.4 RCPT TO:<address> expected")
        elif self._sender is None:
            self._say("503 5.5.1 MAIL first")
        elif len(self._recipients) >= MOST_RECIPIENTS:
            self._say("452 4.5.3 too many recipients")
        elif refused := self._sink.verdict(recipient := match[1].decode("utf-8", "replace")):
            self._say(refused)
        else:
            self._recipients.append(recipient)
            self._say("250 2.1.5 ok")

    def _data(self, _rest: bytes) -> None:
        if not self._recipients:
            self._say("503 5.5.1 no recipients" if self._sender is None else "554 5.5.1 no valid recipients")
            return
        self._in_data = True
        self._searched = 0
        self._say("354 go on")

    def _rset(self, _rest: bytes) -> None:
        self._reset()
        self._say("250 2.0.0 ok")

    def _noop(self, _rest: bytes) -> None:
        self._say("250 2.0.0 ok")

    def _vrfy(self, _rest: bytes) -> None:
        self._say("252 2.1.5 send it and see")

    def _quit(self, _rest: bytes) -> None:
        self.close("221 2.0.0 bye")

    def _mail(self) -> bool:
        if self._buffer.startswith(b".\r\n") and not self._too_large:
            body, rest = b"", 3
        else:
            end = self._buffer.find(_END, max(0, self._searched - len(_END)))
            if end < 0:
                self._wait_for_more()
                return False
            body, rest = bytes(self._buffer[: end + 2]), end + len(_END)
        del self._buffer[:rest]
        self._in_data = False
        self._finish(body)
        return True

    def _wait_for_more(self) -> None:
        if len(self._buffer) > LARGEST_MAIL:
            self._too_large = True
            del self._buffer[: -len(_END)]  # read on to its end, keeping nothing
        self._searched = len(self._buffer)

    def _finish(self, body: bytes) -> None:
        if self._too_large:
            self._too_large = False
            self._say("552 5.3.4 mail too large")
        else:
            if body.startswith(b"."):
                body = body[1:]
            try:
                kept = self._sink.take(self._sender or "", self._recipients, body.replace(b"\r\n.", b"\r\n"))
            except OSError as error:  # the disk is full, say: the client tries later
                self._say(f"452 4.3.1 cannot keep it: {error.strerror}")
            else:
                self._say(f"250 2.0.0 kept as {kept}")
        self._reset()


_VERBS: dict[bytes, Callable[[Session, bytes], None]] = {
    b"HELO": Session._helo,  # noqa: SLF001 - the table belongs to the class
    b"EHLO": Session._ehlo,  # noqa: SLF001
    b"MAIL": Session._mail_from,  # noqa: SLF001
    b"RCPT": Session._rcpt_to,  # noqa: SLF001
    b"DATA": Session._data,  # noqa: SLF001
    b"RSET": Session._rset,  # noqa: SLF001
    b"NOOP": Session._noop,  # noqa: SLF001
    b"VRFY": Session._vrfy,  # noqa: SLF001
    b"QUIT": Session._quit,  # noqa: SLF001
}
