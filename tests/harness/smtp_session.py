"""One connection of a client to the scripted SMTP server: commands and messages taken in, scripted or polite answers.

What it offers is in its server's `Options`; what it says at each phase is asked of the script, then of the recipient's
behaviour (smtp_script.py), else it is polite. How that is said is `smtp_voice`'s.
"""

import asyncio
import base64
import ssl
from collections.abc import Callable
from typing import TYPE_CHECKING

from tests.harness.smtp_script import BEHAVIOURS, OK, Act, Phase
from tests.harness.smtp_voice import Voice

if TYPE_CHECKING:
    from tests.harness.smtp import ScriptedSmtp

NO_RECIPIENT = b"554 5.5.1 No valid recipients\r\n"


class Session(Voice):
    """One connection of a client.

    Attributes:
        line: The command at hand.
        sender, recipient: Of the transaction at hand.
        parameters: Of its MAIL and its RCPT.
        number: Which connection this is, from 0.
        count: Messages accepted on it.
    """

    def __init__(self, server: "ScriptedSmtp", number: int) -> None:
        super().__init__()
        self.server = server
        self.separate = server.options.separate
        self.number = number
        self.line = b""
        self.sender = self.recipient = ""
        self.parameters = ("", "")
        self.count = 0
        self.secure = server.options.implicit
        self.commands: list[bytes] = []
        self._buffer = bytearray()
        self._seen = 0
        self._content = False
        self._begun = False
        self._chunk = -1
        self._last = False
        self._message = b""
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
            elif self._chunk >= 0:
                if not self._take_chunk():
                    break
            else:
                end = self._buffer.find(b"\n")
                if end < 0:
                    break
                self.line = bytes(self._buffer[:end]).rstrip(b"\r")
                del self._buffer[: end + 1]
                self.commands.append(self.line)
                self._command()
                if self.server.options.flushes and not self._content:
                    self._buffer.clear()  # a relay that cannot do what it offers: what came along is lost
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
            self.parameters = (_parameters(self.line), "")
            self.server.log.mail(self.sender)
            self._answer("mail", OK["mail"], self._keep_sender)
        elif verb == b"RCPT":
            self.recipient = _path(self.line)
            self.parameters = (self.parameters[0], _parameters(self.line))
            default = OK["rcpt"] if self._begun else b"503 5.5.1 MAIL first\r\n"
            self._answer("rcpt", default, self._keep_recipient)
        elif verb == b"DATA":
            self._answer("data", OK["data"] if self.recipient else NO_RECIPIENT, self._begin_content)
        elif verb == b"BDAT":
            _, size, *last = self.line.split()
            self._chunk, self._last = int(size), bool(last)
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
        self._judge_message(content)
        return True

    def _take_chunk(self) -> bool:
        """Take one BDAT (RFC 3030)."""
        if len(self._buffer) < self._chunk:
            return False
        self._message += bytes(self._buffer[: self._chunk])
        del self._buffer[: self._chunk]
        self._chunk = -1
        if self._last:
            content, self._message = self._message, b""
            self._judge_message(content)
        else:
            self._do(Act(b"250 2.0.0 Go on\r\n"))
        return True

    def _judge_message(self, content: bytes) -> None:
        queued = b"250 2.0.0 Ok: queued as QA%06d\r\n" % (len(self.server.accepted) + 1)
        act = self._act("dot", queued if self.recipient else NO_RECIPIENT)
        accept = act.accept if act.accept is not None else bool(act.reply and act.reply.startswith(b"2"))
        if accept:
            self.count += 1
            self.server.log.message(self.sender, self.recipient, content, self.parameters)
        limit = self.server.options.per_connection
        if limit and self.count >= limit and act.reply and not act.then:
            act = Act(act.reply + b"421 4.3.2 Enough for one connection\r\n", then="close")
        self._do(act)

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


def _path(line: bytes) -> str:
    return line.partition(b"<")[2].rpartition(b">")[0].decode("utf-8", "replace")


def _parameters(line: bytes) -> str:
    return line.rpartition(b">")[2].strip().decode("utf-8", "replace")
