"""What tests of connections share: mails, a witness that notes, connections with short timeouts."""

from dataclasses import dataclass, field

from services.sender.replies.reply import Phase
from services.sender.smtp import wire
from services.sender.smtp.connection import Connection
from services.sender.smtp.link import Timeouts
from services.sender.smtp.transport import Relay, connect
from services.sender.smtp.window import Mail, Result
from shared.contracts.account import AccountAdded
from tests.harness.smtp import ScriptedSmtp

ACCOUNT = AccountAdded(name="relay", host="127.0.0.1", port=25, tls="none", senders=["news@example.com"])
SHORT = Timeouts(mail=0.3, rcpt=0.3, data=0.3, block=0.3, dot=0.3, quit=0.3)


@dataclass
class Notes:
    """A witness that keeps what it is told, in order."""

    told: list[tuple[object, ...]] = field(default_factory=list)

    def dot(self, index: int) -> None:
        """Note a dot."""
        self.told.append(("dot", index))

    def reply(self, index: int, code: int, enhanced: str, text: str, phase: int = Phase.DOT) -> None:
        """Note a reply."""
        del enhanced, text
        self.told.append(("reply", index, code, int(phase)))


def mail(
    index: int,
    recipient: str = "ok",
    *,
    sender: str = "from",
    body: bytes = b"hello\r\n",
    not_before: float | None = None,
) -> Mail:
    """Return a mail to `<recipient>-<index>@example.com` with its index in the Message-ID."""
    message = b"Message-ID: <m%d@example.com>\r\nSubject: test\r\n\r\n%b" % (index, body)
    path, to = f"{sender}@example.com".encode(), f"{recipient}-{index}@example.com".encode()
    return Mail(index, path, to, wire.stuffed(wire.normal(message)), not_before)


def mails(*recipients: str) -> list[Mail]:
    """Return one mail to each."""
    return [mail(index, recipient) for index, recipient in enumerate(recipients)]


def free(index: int) -> None:
    """Hold nothing back."""
    del index


async def open_to(server: ScriptedSmtp, timeouts: Timeouts = SHORT) -> Connection:
    """Return a connection to the scripted server."""
    return await connect(Relay("127.0.0.1", server.port, "none"), timeout=2, timeouts=timeouts)


def said(results: list[Result]) -> list[tuple[int, int]]:
    """Return phase and code of each result."""
    return [(int(result.phase), result.code) for result in results]
