"""What the scripted SMTP server does instead of being polite: acts, and behaviours chosen by the recipient."""

import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from tests.harness.smtp_session import Session

Then = Literal["", "close", "reset", "hang"]


@dataclass(frozen=True, slots=True)
class Act:
    """What to do instead of the usual reply.

    Attributes:
        reply: Bytes to write as they are; None writes nothing.
        delay: Seconds before.
        trickle: One write a byte.
        cut: Places at which the reply is cut, one write a piece.
        each: Seconds between these writes.
        then: What happens after the reply.
        accept: At "dot": whether the message counts as accepted; None goes by the reply.
    """

    reply: bytes | None = None
    delay: float = 0.0
    trickle: bool = False
    each: float = 0.0
    cut: tuple[int, ...] = ()
    then: Then = ""
    accept: bool | None = None


Phase = Literal["greeting", "ehlo", "starttls", "auth", "mail", "rcpt", "data", "body", "dot", "rset", "quit"]
Script = Callable[["Session", Phase], "Act | bytes | None"]

OK: dict[Phase, bytes] = {
    "greeting": b"220 scripted ESMTP\r\n",
    "mail": b"250 2.1.0 Ok\r\n",
    "rcpt": b"250 2.1.5 Ok\r\n",
    "data": b"354 go ahead\r\n",
    "rset": b"250 2.0.0 Ok\r\n",
    "quit": b"221 2.0.0 Bye\r\n",
}


def _greylist(session: "Session", phase: Phase) -> Act | bytes | None:
    if phase != "rcpt" or session.recipient in session.server.seen:
        return None
    session.server.seen.add(session.recipient)
    return b"451 4.7.1 Greylisted, try again later\r\n"


def _at(when: Phase, act: Act | bytes) -> Script:
    return lambda _session, phase: act if phase == when else None


def _slow(session: "Session", phase: Phase) -> Act | bytes | None:
    if phase != "dot":
        return None
    return Act(b"250 2.0.0 Ok: queued as SLOW%d\r\n" % len(session.server.accepted), delay=session.server.slow)


BEHAVIOURS: dict[str, Script] = {
    "greylist": _greylist,
    "slow": _slow,
    "reject": _at("rcpt", b"550 5.1.1 User unknown\r\n"),
    "full": _at("rcpt", b"552 5.2.2 Mailbox full\r\n"),
    "policy": _at("rcpt", b"550 5.7.1 Blocked, poor reputation\r\n"),
    "busy": _at("rcpt", b"450 4.2.1 Mailbox busy\r\n"),
    "spam": _at("dot", b"554 5.7.1 Message looks like spam\r\n"),
    "later": _at("dot", b"451 4.3.0 Try again later\r\n"),
    "closing": _at("rcpt", Act(b"421 4.3.2 Closing\r\n", then="close")),
    "drop": _at("rcpt", Act(then="close")),
    "reset": _at("body", Act(then="reset")),
    "lost": _at("dot", Act(then="close", accept=True)),
    "gone": _at("dot", Act(then="close", accept=False)),
    "hang": _at("dot", Act(then="hang", accept=True)),
    "lastcall": _at("dot", Act(b"250 2.0.0 Ok\r\n421 4.3.2 Closing\r\n", then="close")),
}


@dataclass(slots=True)
class Options:
    """How the server is, whatever the script says.

    Attributes:
        extensions: Offered beside PIPELINING, STARTTLS and AUTH; DSN and CHUNKING are understood, too.
        flushes: It loses what arrives together with a command: PIPELINING is offered, but broken.
        separate: One write a reply.
        per_connection: It closes by 421 after so many messages, 0 never.
    """

    pipelining: bool = True
    tls: ssl.SSLContext | None = None
    implicit: bool = False
    users: dict[str, str] = field(default_factory=dict)
    auth: str = "PLAIN LOGIN"
    extensions: tuple[str, ...] = ("SIZE 10485760", "8BITMIME", "SMTPUTF8", "ENHANCEDSTATUSCODES")
    flushes: bool = False
    separate: bool = False
    per_connection: int = 0
