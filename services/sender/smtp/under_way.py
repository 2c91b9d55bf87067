r"""What is under way on a connection, and what becomes of it when the connection ends.

A mail is current, ahead (its envelope is out behind the body of the last one), or waits in the backlog. The phase tells
the result of each: a dot without reply is in doubt, whatever had no dot was not sent. A reply to a dot that came while
an envelope was ahead stands for sure once the replies behind it were in step.
"""

import asyncio
from collections.abc import Callable

from services.sender.replies.reply import Phase, parse
from services.sender.smtp.backlog import Backlog, Turn
from services.sender.smtp.habits import End
from services.sender.smtp.link import BODY, DATA, DEAD, DOT, IDLE, MAIL, RCPT, RSET, Capabilities, Link, Timeouts
from services.sender.smtp.window import Result
from shared.clock import millis


class UnderWay(Link):
    """The mails of a connection, and its end.

    Attributes:
        relay: `host:port`, for records.
        capabilities: What the relay offers.
        sent: Mails whose final dot was answered on this connection.
        limit: After so many messages it is spent, and gives back what it has not begun; 0 means never.
        failure: Why it cannot be used any more, "" while it can.
        last_words: Text of the 421 that ended it, unscrubbed; "" otherwise.
        end: How it ended.
        on_lost: Called once when it ends, for whatever reason, with how it ended.
    """

    def __init__(self, relay: str, capabilities: Capabilities, timeouts: Timeouts | None = None) -> None:
        super().__init__(timeouts, pipelining=capabilities.pipelining)
        self.relay = relay
        self.capabilities = capabilities
        self.sent = 0
        self.limit = 0
        self.failure = ""
        self.end = End()
        self.last_words = ""
        self.on_lost: Callable[[End], None] | None = None
        self._current: Turn | None = None
        self._ahead: Turn | None = None
        self._todo = Backlog(capabilities)
        self._unsure: Turn | None = None
        self._pacer: asyncio.TimerHandle | None = None
        self._bodies = 0
        self._rode = False
        self._answered = self._loop.time()
        self._rest = memoryview(b"")

    @property
    def _turn(self) -> Turn:
        assert self._current is not None  # noqa: S101 - states MAIL to DOT have a mail
        return self._current

    def _closing(self, lines: list[bytes]) -> None:
        """Take a 421: the reply to whatever was asked, and the end of the connection."""
        enhanced, self.last_words = parse(lines)
        self.end.dismissed = self._state == IDLE
        turn = self._current
        if turn is not None and turn.refused is None and self._state != RSET:
            phase = Phase.DATA if self._state == BODY else Phase(self._state)
            if phase == Phase.MAIL:  # it has not heard of the recipient yet
                reason = "the relay closes"
                self.end.dismissed = True
                now, words = millis(), self.last_words
                self._settle(
                    Result(turn.mail.index, Phase.NOT_SENT, 421, enhanced, words, at_ms=now, reason=reason, again=True)
                )
            else:
                self._settle(turn.said(phase, 421, lines))
        self._fail("the relay closes (421)")

    def _settle(self, result: Result) -> None:
        turn, self._current = self._turn, None
        turn.settle(result)

    def _sure(self) -> None:
        """Replies are in step up to here, so the one to the last dot was its own."""
        if (turn := self._unsure) is not None:
            self._unsure = None
            turn.window.count()

    def _slipped(self, reason: str) -> None:
        """End a connection that seems to owe us a reply: what was taken for the last dot's may have been another's."""
        if (turn := self._unsure) is not None:
            result = Result(turn.mail.index, Phase.DOT, at_ms=millis(), reason=f"replies out of step: {reason}")
            turn.window.keep(turn.place, result)
        self.end.unanswered = self.end.mismatched = True
        self._fail(reason)

    def _silent(self, reason: str) -> None:
        """End a connection on which a reply does not come, and tell whether others to the same write did."""
        self.end.unanswered = MAIL <= self._state <= DATA
        self.end.mismatched = RCPT <= self._state <= DATA or (self._state == MAIL and self._rode)
        # x.1.x is about an address (RFC 3463): what was taken for the last dot's reply was that to a MAIL or RCPT.
        if (turn := self._unsure) is not None and turn.window.enhanced(turn.place).startswith("2.1."):
            self._slipped(reason)
        else:
            self._fail(reason)

    def _lost(self, reason: str) -> None:
        """The relay, or the network, ended it."""
        self.end.dismissed = self._state in (IDLE, MAIL)
        self._fail(reason)

    def _fail(self, reason: str) -> None:
        """End the connection; every mail gets the result that its phase tells."""
        if self._state == DEAD:
            return
        state = self._die()
        self.failure = reason
        self.end.pipelined, self.end.sent = self._pipelining, self.sent
        self.end.rested = self._loop.time() - self._answered
        if self._pacer is not None:
            self._pacer.cancel()
        self._rest = memoryview(b"")
        self._sure()
        if (turn := self._current) is not None:
            phase = Phase.DOT if state == DOT else Phase.NOT_SENT
            ended = Result(turn.mail.index, phase, at_ms=millis(), reason=reason, again=phase == Phase.NOT_SENT)
            self._settle(turn.refused or ended)
        if (turn := self._ahead) is not None:
            self._ahead = None
            turn.settle(Result(turn.mail.index, Phase.NOT_SENT, reason=reason, again=True))
        self._todo.give_back(reason)
        if self.on_lost is not None:
            self.on_lost(self.end)
