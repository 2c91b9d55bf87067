"""A scripted SMTP server: says whatever a test wants at any phase, and keeps a log that is the witness of what arrived.

In a test: `async with ScriptedSmtp() as server`, script per server (`script=`) or behaviour per recipient by the prefix
of its local part (`reject-7@example.com`, see smtp_script.py). As a process of its own, for tests that kill services:
`python -m tests.harness.smtp --port 0 --log FILE` prints its port and writes one JSON line per MAIL and per accepted
message, before it answers.
"""

import argparse
import asyncio
import base64
import hashlib
import json
import os
import socket
import ssl
import struct
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

from tests.harness.smtp_script import BEHAVIOURS, OK, Act, Options, Phase, Script, Then

__all__ = ["BEHAVIOURS", "Accepted", "Act", "Options", "Phase", "Script", "ScriptedSmtp", "Session", "read_log"]


class Accepted(NamedTuple):
    """A message the server took responsibility for (or would have, had it answered)."""

    at: float
    sender: str
    recipient: str
    message_id: str
    size: int
    digest: str
    content: bytes


class Session(asyncio.Protocol):
    """One connection of a client.

    Attributes:
        line: The command at hand.
        sender, recipient: Of the transaction at hand.
        number: Which connection this is, from 0.
        count: Messages accepted on it.
    """

    def __init__(self, server: "ScriptedSmtp", number: int) -> None:
        self.server = server
        self.number = number
        self.line = b""
        self.sender = self.recipient = ""
        self.count = 0
        self.secure = server.options.implicit
        self.commands: list[bytes] = []
        self._transport: Any = None
        self._buffer = bytearray()
        self._seen = 0
        self._content = False
        self._begun = False
        self._busy = False
        self._deaf = False
        self._out: list[bytes] = []
        self._continue: Callable[[bytes], None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Greet."""
        self._transport = transport
        self.server.sessions.add(self)
        self._answer("greeting", OK["greeting"])
        self._flush()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the client."""
        del exc
        self._deaf = True
        self.server.sessions.discard(self)

    def data_received(self, data: bytes) -> None:
        """Take commands and messages."""
        if self._deaf:
            return
        if self._content and not self._buffer and (act := self._scripted("body")) is not None:
            self._buffer += data
            self._do(act if isinstance(act, Act) else Act(act))
        else:
            self._buffer += data
        self._work()

    def _work(self) -> None:
        while not self._busy and not self._deaf:
            if self._content:
                if not self._take_content():
                    break
            else:
                end = self._buffer.find(b"\n")
                if end < 0:
                    break
                self.line = bytes(self._buffer[:end]).rstrip(b"\r")
                del self._buffer[: end + 1]
                self.commands.append(self.line)
                self._command()
        self._flush()

    def _command(self) -> None:
        if self._continue is not None:
            step, self._continue = self._continue, None
            step(self.line)
            return
        verb = self.line[:4].upper()
        if verb in (b"EHLO", b"HELO"):
            self._answer("ehlo", self._ehlo() if verb == b"EHLO" else b"250 scripted\r\n")
        elif verb == b"MAIL":
            self.sender, self.recipient = _path(self.line), ""
            self.server.on_mail(self)
            self._answer("mail", OK["mail"], self._keep_sender)
        elif verb == b"RCPT":
            self.recipient = _path(self.line)
            default = OK["rcpt"] if self._begun else b"503 5.5.1 MAIL first\r\n"
            self._answer("rcpt", default, self._keep_recipient)
        elif verb == b"DATA":
            default = OK["data"] if self.recipient else b"554 5.5.1 No valid recipients\r\n"
            self._answer("data", default, self._begin_content)
        elif verb == b"RSET":
            self.sender = self.recipient = ""
            self._begun = False
            self._answer("rset", OK["rset"])
        elif verb == b"QUIT":
            act = self._scripted("quit")
            self._do(Act(OK["quit"], then="close") if act is None else act if isinstance(act, Act) else Act(act))
        elif verb == b"STAR":
            self._starttls()
        elif verb == b"AUTH":
            self._auth()
        else:
            self._do(Act(b"500 5.5.2 What?\r\n"))

    def _keep_sender(self, said: bytes | None) -> None:
        self._begun = said is not None and said.startswith(b"2")

    def _keep_recipient(self, said: bytes | None) -> None:
        if said is not None and not said.startswith(b"2"):
            self.recipient = ""

    def _begin_content(self, said: bytes | None) -> None:
        self._content = said is not None and said.startswith(b"354")
        self._seen = 0

    def _ehlo(self) -> bytes:
        options = self.server.options
        offers = ["scripted", *options.extensions]
        if options.pipelining:
            offers.append("PIPELINING")
        if options.tls is not None and not self.secure:
            offers.append("STARTTLS")
        if options.users:
            offers.append(f"AUTH {options.auth}")
        lines = [f"250-{offer}" for offer in offers[:-1]] + [f"250 {offers[-1]}"]
        return "".join(f"{line}\r\n" for line in lines).encode()

    def _take_content(self) -> bool:
        if self._buffer.startswith(b".\r\n"):
            content, rest = b"", 3
        else:
            end = self._buffer.find(b"\r\n.\r\n", max(0, self._seen - 4))
            if end < 0:
                self._seen = len(self._buffer)
                return False
            content, rest = bytes(self._buffer[: end + 2]), end + 5
        del self._buffer[:rest]
        self._content = False
        if content.startswith(b"."):
            content = content[1:]
        content = content.replace(b"\r\n..", b"\r\n.")
        queued = b"250 2.0.0 Ok: queued as QA%06d\r\n" % (len(self.server.accepted) + 1)
        act = self._act("dot", queued if self.recipient else b"554 5.5.1 No valid recipients\r\n")
        accept = act.accept if act.accept is not None else bool(act.reply and act.reply.startswith(b"2"))
        if accept:
            self.count += 1
            self.server.on_accepted(self, content)
        limit = self.server.options.per_connection
        if limit and self.count >= limit and act.reply and not act.then:
            act = Act(act.reply + b"421 4.3.2 Enough for one connection\r\n", then="close")
        self._do(act)
        return True

    def _scripted(self, phase: Phase) -> Act | bytes | None:
        if self.server.script is not None and (act := self.server.script(self, phase)) is not None:
            return act
        behaviour = BEHAVIOURS.get(self.recipient.partition("@")[0].partition("-")[0]) if self.recipient else None
        return behaviour(self, phase) if behaviour is not None else None

    def _act(self, phase: Phase, default: bytes) -> Act:
        act = self._scripted(phase)
        if act is None:
            return Act(default)
        return act if isinstance(act, Act) else Act(act)

    def _answer(self, phase: Phase, default: bytes, after: Callable[[bytes | None], None] | None = None) -> None:
        act = self._act(phase, default)
        if after is not None:
            after(act.reply)
        self._do(act)

    def _do(self, act: Act) -> None:
        if act.delay:
            self._busy = True
            self._flush()
            later = Act(act.reply, trickle=act.trickle, each=act.each, then=act.then)
            asyncio.get_running_loop().call_later(act.delay, self._resume, later)
        elif act.trickle and act.reply:
            self._busy = True
            self._flush()
            self._drip(act, 0)
        else:
            if act.reply:
                self._out.append(act.reply)
                if self.server.options.separate:
                    self._flush()
            self._finish(act.then)

    def _resume(self, act: Act) -> None:
        self._busy = False
        self._do(act)
        self._work()

    def _drip(self, act: Act, place: int) -> None:
        assert act.reply is not None
        if self._deaf or self._transport.is_closing():
            return
        self._transport.write(act.reply[place : place + 1])
        if place + 1 < len(act.reply):
            asyncio.get_running_loop().call_later(act.each, self._drip, act, place + 1)
            return
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

    def _starttls(self) -> None:
        act = self._act("starttls", b"220 2.0.0 Ready\r\n")
        self._do(act)
        self._flush()
        if act.reply and act.reply.startswith(b"220") and self.server.options.tls is not None:
            self._busy = True
            self.server.tasks.add(task := asyncio.get_running_loop().create_task(self._upgrade()))
            task.add_done_callback(self.server.tasks.discard)

    async def _upgrade(self) -> None:
        loop = asyncio.get_running_loop()
        assert self.server.options.tls is not None
        try:
            upgraded = await loop.start_tls(self._transport, self, self.server.options.tls, server_side=True)
        except (OSError, ssl.SSLError):  # the client did not like us: that is what the test is about
            self._deaf = True
            return
        self._transport, self._busy, self.secure = upgraded, False, True
        self._work()

    def _auth(self) -> None:
        act = self._scripted("auth")
        if act is not None:
            self._do(act if isinstance(act, Act) else Act(act))
            return
        words = self.line.decode().split()
        if words[1].upper() == "PLAIN":
            _, user, password = base64.b64decode(words[2]).decode().split("\0")
            self._judge(user, password)
            return
        user = base64.b64decode(words[2]).decode()
        self._continue = lambda line: self._judge(user, base64.b64decode(line).decode())
        self._do(Act(b"334 UGFzc3dvcmQ6\r\n"))

    def _judge(self, user: str, password: str) -> None:
        right = self.server.options.users.get(user) == password
        self._do(Act(b"235 2.7.0 Welcome\r\n" if right else b"535 5.7.8 Wrong\r\n"))


class ScriptedSmtp:
    """The server. `accepted` and `mails` are its log; `log` makes it a file, too."""

    def __init__(
        self,
        script: Script | None = None,
        options: Options | None = None,
        *,
        log: Path | None = None,
        slow: float = 1.0,
    ) -> None:
        """Serve as `script` says, else by the recipient's behaviour, else politely."""
        self.script = script
        self.options = options or Options()
        self.slow = slow
        self.accepted: list[Accepted] = []
        self.mails: list[tuple[float, str]] = []
        self.seen: set[str] = set()
        self.sessions: set[Session] = set()
        self.connections = 0
        self.tasks: set[asyncio.Task[None]] = set()
        self.port = 0
        self.keep = log is None
        self._log = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND) if log is not None else -1
        self._server: asyncio.Server | None = None

    async def start(self, port: int = 0) -> Self:
        """Listen on 127.0.0.1; `port` tells where."""
        tls = self.options.tls if self.options.implicit else None
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._session, "127.0.0.1", port, ssl=tls, backlog=1024)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def stop(self) -> None:
        """Close everything."""
        if self._server is not None:
            self._server.close()
        for session in list(self.sessions):
            session.close()
        for task in list(self.tasks):
            task.cancel()
        if self._log >= 0:
            os.close(self._log)
            self._log = -1

    def clear(self) -> None:
        """Forget what arrived and what was scripted."""
        self.script = None
        self.options = Options()
        self.slow = 1.0
        self.accepted.clear()
        self.mails.clear()
        self.seen.clear()
        for session in list(self.sessions):
            session.close()

    async def __aenter__(self) -> Self:
        return await self.start()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    def _session(self) -> Session:
        session = Session(self, self.connections)
        self.connections += 1
        return session

    def on_mail(self, session: Session) -> None:
        """Keep a MAIL FROM."""
        self.mails.append((time.time(), session.sender))
        self._write({"mail": session.sender, "at": time.time()})

    def on_accepted(self, session: Session, content: bytes) -> None:
        """Keep a message, before its reply leaves."""
        digest = hashlib.sha256(content).hexdigest()
        entry = Accepted(
            time.time(),
            session.sender,
            session.recipient,
            _message_id(content),
            len(content),
            digest,
            content if self.keep else b"",
        )
        self.accepted.append(entry)
        self._write(
            {
                "accepted": entry.recipient,
                "from": entry.sender,
                "at": entry.at,
                "message_id": entry.message_id,
                "size": entry.size,
                "digest": digest,
            }
        )

    def _write(self, entry: dict[str, Any]) -> None:
        if self._log >= 0:
            os.write(self._log, json.dumps(entry).encode() + b"\n")


def _path(line: bytes) -> str:
    return line.partition(b"<")[2].rpartition(b">")[0].decode("utf-8", "replace")


def _message_id(content: bytes) -> str:
    head = content.partition(b"\r\n\r\n")[0]
    place = (b"\r\n" + head).lower().find(b"\r\nmessage-id:")
    if place < 0:
        return ""
    return (b"\r\n" + head)[place + 13 :].partition(b"\r\n")[0].strip().decode("ascii", "replace")


def read_log(path: Path) -> list[dict[str, Any]]:
    """Return the lines of a server's log file."""
    return [json.loads(line) for line in path.read_bytes().splitlines() if line.endswith(b"}")]


async def _serve(arguments: argparse.Namespace) -> None:
    options = Options(pipelining=not arguments.no_pipelining, per_connection=arguments.per_connection)
    server = await ScriptedSmtp(options=options, log=arguments.log, slow=arguments.slow).start(arguments.port)
    print(server.port, flush=True)  # noqa: T201 - how the parent learns the port
    await asyncio.Event().wait()


def main() -> None:
    """Run as a process of its own until killed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--log", type=Path, required=True)
    parser.add_argument("--no-pipelining", action="store_true")
    parser.add_argument("--per-connection", type=int, default=0, help="421 after so many messages")
    parser.add_argument("--slow", type=float, default=1.0, help="seconds that slow-... takes for a reply to the dot")
    asyncio.run(_serve(parser.parse_args()))


if __name__ == "__main__":
    main()
