"""Takes mail from a mail server over LMTP (RFC 2033), or SMTP (RFC 5321) where it greets with EHLO. It relays nothing.

Whom it takes: return paths of ours, mailboxes of `List-Unsubscribe`, and the addresses that are set; everybody else is
550 5.1.1. After the dot every recipient has a reply: 250 once the desk said that the mail is safe, in the log or in the
spool, 451 where neither took it, so that the mail server keeps it and tries again. All is bounded: connections, time,
commands, errors, recipients, lines, and of a mail only the first `mail_bytes` are kept in memory; the rest is let go.
"""

import asyncio
import contextlib
import logging
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from services.tracker import metrics
from services.tracker.mailboxes.reader import Desk
from services.tracker.recorder import NotKeptError
from shared.tokens import BOUNCE_PREFIX, LEAVE_PREFIX

log = logging.getLogger(__name__)

SOURCE = "lmtp"

_PATH = re.compile(rb"^(FROM|TO):\s*<([^<>\s]{0,320})>(?:\s+(.*))?$", re.IGNORECASE)
_SIZE = re.compile(rb"(?:^|\s)SIZE=(\d{1,20})(?:\s|$)", re.IGNORECASE)
_OURS = re.compile(rf"(?:{re.escape(BOUNCE_PREFIX)}|{re.escape(LEAVE_PREFIX)})[0-9a-z.]{{20,62}}", re.IGNORECASE)
_LINE = 4_096


@dataclass(frozen=True, slots=True)
class Limits:
    """What one peer may do.

    Attributes:
        mail_bytes: How much of a mail is kept.
        largest: Bytes of a mail beyond which it is refused.
        seconds: How long a peer may be silent, and how long a mail may take times five.
        commands: Most commands over one connection; errors a twentieth of it.
    """

    mail_bytes: int = 1024 * 1024
    largest: int = 50 * 1024 * 1024
    seconds: float = 60.0
    connections: int = 20
    recipients: int = 100
    commands: int = 1_000


class _ByeError(Exception):
    """Say this and close."""


@dataclass(slots=True)
class _Envelope:
    sender: bytes | None = None
    recipients: list[bytes] = field(default_factory=list)


class LmtpServer:
    """The listener."""

    def __init__(self, desk: Desk, addresses: Iterable[str], limits: Limits | None = None) -> None:
        self._desk = desk
        self._addresses = {address.strip().lower() for address in addresses if address.strip()}
        self._limits = limits or Limits()
        self._server: asyncio.Server | None = None
        self._sessions: set[asyncio.Task[None]] = set()

    async def start(self, host: str, port: int) -> int:
        """Listen; return the port."""
        self._server = await asyncio.start_server(self._connected, host, port, limit=64 * 1024)
        return int(self._server.sockets[0].getsockname()[1])

    async def stop(self, seconds: float = 5.0) -> None:
        """Listen no more; what is under way has some seconds."""
        if self._server is not None:
            self._server.close()
        if self._sessions:
            await asyncio.wait(self._sessions, timeout=seconds)
        for session in self._sessions:
            session.cancel()
        await asyncio.gather(*self._sessions, return_exceptions=True)

    def wanted(self, recipient: str) -> bool:
        """Tell whether mail to it is taken."""
        local = recipient.rpartition("@")[0] or recipient
        return recipient.lower() in self._addresses or _OURS.fullmatch(local) is not None

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is not None:
            self._sessions.add(task)
            task.add_done_callback(self._sessions.discard)
        talk = _Talk(reader, writer, self._desk, self.wanted, self._limits)
        try:
            if len(self._sessions) > self._limits.connections:
                raise _ByeError("421 4.3.2 too many connections")
            await talk.serve()
        except _ByeError as bye:
            with contextlib.suppress(OSError):
                await talk.say(str(bye))
        except (OSError, EOFError, TimeoutError):  # the peer is gone: it has its mail still
            pass
        finally:
            writer.close()


class _Talk:
    """One connection."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        desk: Desk,
        wanted: Callable[[str], bool],
        limits: Limits,
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._desk = desk
        self._wanted = wanted
        self._limits = limits
        self._protocol = ""
        self._envelope = _Envelope()
        self._errors = 0

    async def say(self, *replies: str) -> None:
        """Send replies."""
        self._errors += sum(reply.startswith("5") for reply in replies)
        self._writer.write(b"".join(f"{reply}\r\n".encode() for reply in replies))
        async with asyncio.timeout(self._limits.seconds):
            await self._writer.drain()

    async def serve(self) -> None:
        """Talk until the peer or a limit ends it."""
        await self.say("220 posthaste LMTP, bounces and replies only")
        for _ in range(self._limits.commands):
            verb, _, rest = (await self._line()).rstrip(b"\r\n").partition(b" ")
            await self._obey(verb.upper(), rest)
            if self._errors > self._limits.commands // 20:
                raise _ByeError("421 4.7.0 too many errors")
        raise _ByeError("421 4.7.0 too many commands")

    async def _obey(self, verb: bytes, rest: bytes) -> None:
        match verb:
            case b"QUIT":
                raise _ByeError("221 2.0.0 bye")
            case b"LHLO" | b"EHLO" | b"HELO":
                await self._hello(verb.decode())
            case b"NOOP" | b"RSET":
                self._envelope = _Envelope() if verb == b"RSET" else self._envelope
                await self.say("250 2.0.0 ok")
            case b"MAIL" | b"RCPT" | b"DATA" if not self._protocol:
                await self.say("503 5.5.1 greet first: LHLO")
            case b"MAIL" | b"RCPT":
                await self.say(self._mail(rest) if verb == b"MAIL" else self._rcpt(rest))
            case b"DATA":
                await self._data()
            case _:
                await self.say("252 2.1.5 try to deliver" if verb == b"VRFY" else "500 5.5.2 unknown command")

    async def _hello(self, verb: str) -> None:
        self._protocol = "LMTP" if verb == "LHLO" else "SMTP"
        self._envelope = _Envelope()
        if verb == "HELO":
            await self.say("250 posthaste")
            return
        size = f"250-SIZE {self._limits.largest}"
        await self.say(
            "250-posthaste", "250-PIPELINING", size, "250-8BITMIME", "250-SMTPUTF8", "250 ENHANCEDSTATUSCODES"
        )

    def _mail(self, rest: bytes) -> str:
        path = _PATH.match(rest)
        if path is None or path[1].upper() != b"FROM":
            return "501 5.5.4 MAIL FROM:<address> is wanted"
        if self._envelope.sender is not None:
            return "503 5.5.1 there is a sender already"
        size = _SIZE.search(path[3] or b"")
        if size is not None and int(size[1]) > self._limits.largest:
            return "552 5.3.4 too large"
        self._envelope.sender = path[2]
        return "250 2.1.0 ok"

    def _rcpt(self, rest: bytes) -> str:
        path = _PATH.match(rest)
        if path is None or path[1].upper() != b"TO":
            return "501 5.5.4 RCPT TO:<address> is wanted"
        if self._envelope.sender is None:
            return "503 5.5.1 MAIL first"
        if not self._wanted(path[2].decode("utf-8", "replace")):
            return "550 5.1.1 no such address here, and nothing is relayed"
        if len(self._envelope.recipients) >= self._limits.recipients:
            return "452 4.5.3 too many recipients"
        self._envelope.recipients.append(path[2])
        return "250 2.1.5 ok"

    async def _data(self) -> None:
        envelope, self._envelope = self._envelope, _Envelope()
        if not envelope.recipients:
            await self.say("503 5.5.1 no valid recipients")
            return
        await self.say("354 go on, end with a dot alone")
        async with asyncio.timeout(self._limits.seconds * 5):
            body = await self._body()
        reply = "552 5.3.4 too large" if body is None else await self._taken(envelope, body)
        await self.say(*[reply] * (len(envelope.recipients) if self._protocol == "LMTP" else 1))

    async def _body(self) -> bytes | None:
        """Return the first bytes of the mail, None where it is larger than may be; read to its end in both cases."""
        kept = bytearray()
        total = 0
        ended = True
        while True:
            line = await self._line(whole=False)
            if ended and line == b".\r\n":
                return bytes(kept) if total <= self._limits.largest else None
            total += len(line)
            if total > 2 * self._limits.largest:
                raise _ByeError("552 5.3.4 far too large")
            if ended and line.startswith(b"."):
                line = line[1:]
            ended = line.endswith(b"\r\n")
            if len(kept) < self._limits.mail_bytes:
                kept += line[: self._limits.mail_bytes - len(kept)]

    async def _taken(self, envelope: _Envelope, body: bytes) -> str:
        """Hand it to the desk, with what the envelope says in front, as a mailbox would have it."""
        landed = b"".join(b"Delivered-To: %b\r\n" % each for each in envelope.recipients)
        try:
            await self._desk.take(b"Return-Path: <%b>\r\n%b%b" % (envelope.sender or b"", landed, body), SOURCE)
        except NotKeptError as error:  # the mail server keeps it and comes again
            log.warning("lmtp: not taken: %s", error)
            metrics.intake("deferred")
            return "451 4.3.0 cannot be kept just now, try again later"
        except Exception:
            log.exception("lmtp: a mail cannot be read")
            metrics.intake("unreadable")
            return "554 5.6.0 cannot be read"
        metrics.intake("taken")
        return "250 2.0.0 taken"

    async def _line(self, *, whole: bool = True) -> bytes:
        """Return a line with its end; a part of it where it is long and `whole` is not wanted."""
        try:
            async with asyncio.timeout(self._limits.seconds):
                line = await self._reader.readuntil(b"\n")
        except asyncio.LimitOverrunError as error:
            if whole:
                raise _ByeError("500 5.5.2 line too long") from error
            return await self._reader.readexactly(error.consumed)
        except TimeoutError as error:
            raise _ByeError("421 4.4.2 silent for too long") from error
        if whole and len(line) > _LINE:
            raise _ByeError("500 5.5.2 line too long")
        return line
