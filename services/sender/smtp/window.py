"""What goes into a connection and comes out: mails as prepared bytes, results by phase and reply.

A window is a list of mails handed over at once; its future is done when every mail has a result. Which outcome a result
means is decided in `reply.classify`; here stands only what was said, and where in the transaction.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from services.sender.replies.reply import Phase

logger = logging.getLogger(__name__)

SPENT = "connection spent"
"""Why a mail comes back from a connection that has carried as many messages as it may."""

Guard = Callable[[int], str | None]
"""Asked with a mail's index right before its envelope and again before its body; a reason means: do not send it."""


@dataclass(slots=True)
class Mail:
    r"""One mail ready for the wire.

    Attributes:
        index: The recipient's index in the chunk.
        sender: Return path, b"" for none.
        recipient: Where it goes.
        message: Dot-stuffed, ending in `\r\n.\r\n` (see wire.py).
        not_before: Loop time before which the envelope is not written.
        mail_id: What a relay that offers DSN is to call it in reports, b"" where none are wanted.
    """

    index: int
    sender: bytes
    recipient: bytes
    message: bytes
    not_before: float | None = None
    mail_id: bytes = b""


@dataclass(slots=True)
class Result:
    """What became of one mail on the wire.

    Attributes:
        phase: Where the reply stands. NOT_SENT: no byte of the message went out, nothing is charged. DOT with code 0:
            the final dot was written and no reply came, the mail is in doubt.
        code: Reply code, 0 where none. NOT_SENT with 421: the relay closed before it heard of this recipient.
        enhanced: Enhanced status code such as `5.1.1`, or "".
        text: The reply without codes, unscrubbed, at most 500 characters.
        queue_id: The relay's id of an accepted mail, or "".
        at_ms: When it was known, milliseconds since 1970.
        reason: Why there is no reply: the guard's reason, or what happened to the connection. Beside a code of a
            refusal: it is ours (offers.OURS), no relay said it.
        again: NOT_SENT because of the connection: another one may carry it under the same claim.
    """

    index: int
    phase: Phase
    code: int = 0
    enhanced: str = ""
    text: str = ""
    queue_id: str = ""
    at_ms: int = 0
    reason: str = ""
    again: bool = False


class Witness(Protocol):
    """Keep evidence of what was put on the wire (journal.Claim)."""

    def dot(self, index: int) -> None:
        """The message with its final dot is handed to the transport next."""

    def reply(self, index: int, code: int, enhanced: str, text: str, phase: int = Phase.DOT) -> None:
        """The relay spoke. A later reply about the same index replaces it; code 0 takes it back: in doubt."""


class Window:
    """Mails handed over at once, and their results so far; used by the connection alone."""

    __slots__ = ("future", "guard", "mails", "next", "open", "results", "witness")

    def __init__(
        self, mails: Sequence[Mail], guard: Guard, witness: Witness, future: asyncio.Future[list[Result]]
    ) -> None:
        self.mails = mails
        self.guard = guard
        self.witness = witness
        self.future = future
        self.next = 0
        self.open = len(mails)
        self.results: list[Result | None] = [None] * len(mails)

    def settle(self, place: int, result: Result) -> None:
        """Keep the result of the mail at `place` for good; the last one completes the window."""
        self.keep(place, result)
        self.count()

    def keep(self, place: int, result: Result) -> None:
        """Keep a result that may still be taken back, and have the relay's word witnessed."""
        known = self.results[place]
        self.results[place] = result
        if result.phase and (result.code or known is not None):
            try:
                self.witness.reply(result.index, result.code, result.enhanced, result.text, result.phase)
            except Exception:  # the result stands; after a crash this mail would be in doubt
                logger.exception("no evidence kept of a reply")

    def enhanced(self, place: int) -> str:
        """Return the enhanced code of the result so far, "" where none."""
        result = self.results[place]
        return result.enhanced if result is not None else ""

    def count(self) -> None:
        """One more mail is settled for good."""
        self.open -= 1
        if not self.open and not self.future.done():
            self.future.set_result([result for result in self.results if result is not None])

    def give_back(self, reason: str) -> None:
        """Settle every mail that was not begun as not sent."""
        first, self.next = self.next, len(self.mails)
        for place in range(first, len(self.mails)):
            self.settle(place, Result(self.mails[place].index, Phase.NOT_SENT, reason=reason, again=True))
