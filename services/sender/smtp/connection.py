r"""Mails over one connection: pipelined transactions that know in which phase they are.

Windows of prepared bytes go in, results come out; everything between is driven by arriving replies, without a task or a
future per mail. On a relay with PIPELINING the envelope of the next mail follows the body of the last at once:
env(0) | body(0) env(1) | body(1) env(2) ...; otherwise it is one command at a time. `transport.connect` opens.

What a result says is decided by phase and reply only: an explicit reply is the result; before the final dot nothing is
accepted; a dot without reply is in doubt. Any error, silence or reply that was not owed ends the connection, which is
never used again: results so far stay, mails not begun come back NOT_SENT. `send` never raises for the relay's faults.
"""

import asyncio
from collections.abc import Sequence
from typing import Final

from services.sender.replies.reply import Phase
from services.sender.smtp import wire
from services.sender.smtp.backlog import Turn
from services.sender.smtp.link import BODY, DATA, DOT, IDLE, MAIL, QUIT, RCPT, RSET
from services.sender.smtp.under_way import UnderWay
from services.sender.smtp.window import SPENT, Guard, Mail, Result, Window, Witness
from shared.steps import step

SLICE = 65_536
"""A longer message goes in slices and its dot only when the rest has left us, so a loss before that is no doubt."""


class Connection(UnderWay):
    """An open, authenticated connection that carries windows of mails."""

    # -- used by the sender

    @property
    def botched(self) -> bool:
        """Whether it ended or must not be used again."""
        return self._state >= QUIT

    @property
    def spent(self) -> bool:
        """Whether it has carried as many messages as it may."""
        return 0 < self.limit <= self._bodies

    @property
    def idle(self) -> bool:
        """Whether no mail is under way or waiting."""
        return self._state == IDLE and not self._todo

    def send(self, window: Sequence[Mail], guard: Guard, journal: Witness) -> asyncio.Future[list[Result]]:
        """Send mails in order; the future holds one result each, in their order.

        A further window may be handed over while one is under way: its first envelope then goes ahead too.
        """
        for mail in window:
            if not mail.message.endswith(b"\r\n.\r\n"):
                raise ValueError(f"mail {mail.index} is not in wire form")
        batch = Window(window, guard, journal, self._loop.create_future())
        if not window:
            batch.future.set_result([])
        elif self._state >= QUIT:
            batch.give_back(self.failure or "connection is closing")
        else:
            self._todo.add(batch)
            self._kick()
        return batch.future

    async def quit(self) -> None:
        """Say goodbye where the connection is at rest, else just end it; returns when the transport is gone."""
        if self.idle:
            self._write(b"QUIT\r\n")
            self._enter(QUIT)
        elif self._state < QUIT:
            self._fail("closed by us")
        await self.closed

    def abort(self, reason: str = "closed by us") -> None:
        """End it now. A mail whose dot is out without a reply is in doubt."""
        self._fail(reason)

    # -- replies, by state

    def _reply(self, code: int, lines: list[bytes]) -> None:
        if code == 421:
            self._closing(lines)
        else:
            _HANDLERS[self._state](self, code, lines)

    def _on_idle(self, code: int, lines: list[bytes]) -> None:
        del lines
        self._fail(f"reply {code} to nothing")

    def _on_mail(self, code: int, lines: list[bytes]) -> None:
        turn = self._turn
        if code >= 400:
            turn.refused = turn.said(Phase.MAIL, code, lines)
        elif code >= 300:
            self._slipped(f"reply {code} to MAIL")
            return
        if self._pipelining:
            self._enter(RCPT)
        elif turn.refused is not None:
            self._settle(turn.refused)
            self._next()
        else:
            self._command(turn, RCPT)

    def _on_rcpt(self, code: int, lines: list[bytes]) -> None:
        turn = self._turn
        if 300 <= code < 400:
            self._slipped(f"reply {code} to RCPT")
            return
        if code >= 400:
            turn.nobody = True
            turn.refused = turn.refused or turn.said(Phase.RCPT, code, lines)
        if self._pipelining:
            self._enter(DATA)
        elif turn.refused is not None:
            self._settle(turn.refused)
            self._reset()
        elif (reason := turn.window.guard(turn.mail.index)) is not None:
            self._settle(Result(turn.mail.index, Phase.NOT_SENT, reason=reason))
            self._reset()
        else:
            self._command(turn, DATA)

    def _on_data(self, code: int, lines: list[bytes]) -> None:
        turn = self._turn
        if code < 300 or (self._unread and code < 400):
            self._fail(f"replies out of step at DATA ({code})")
            return
        self._sure()
        if code >= 400:
            self._settle(turn.refused or turn.said(Phase.DATA, code, lines))
            self._reset()
        elif turn.refused is not None:
            self._end_empty(turn)
        elif (reason := turn.window.guard(turn.mail.index)) is not None:
            self._settle(Result(turn.mail.index, Phase.NOT_SENT, reason=reason))
            self._fail(f"dropped before a body that may not go: {reason}")
        else:
            self._body(turn)

    def _end_empty(self, turn: Turn) -> None:
        """End a transaction without recipient by a lone dot (RFC 2920); with one, that would deliver an empty mail."""
        if turn.nobody:
            self._write(wire.END + self._open_ahead())
            self._enter(DOT)
        else:
            self._fail("MAIL refused, but RCPT and DATA taken")

    def _on_dot(self, code: int, lines: list[bytes]) -> None:
        turn = self._turn
        if turn.refused is not None:
            self._settle(turn.refused)
        elif 300 <= code < 400 or code == 221:
            self._fail(f"reply {code} to the final dot")
            return
        else:
            self.sent += 1
            self._answered = self._loop.time()
            result = turn.said(Phase.DOT, code, lines)
            if self._ahead is None:
                self._settle(result)
            else:
                self._unsure, self._current = turn, None
                turn.window.keep(turn.place, result)
        self._next()

    def _on_rset(self, code: int, lines: list[bytes]) -> None:
        del lines
        if code >= 300:
            self._fail(f"reply {code} to RSET")
        else:
            self._next()

    def _on_body(self, code: int, lines: list[bytes]) -> None:
        """Take a refusal while the message is still going out; its dot was not written."""
        if code >= 400:
            self._settle(self._turn.said(Phase.DATA, code, lines))
        self._fail(f"reply {code} before the end of the message")

    def _on_quit(self, code: int, lines: list[bytes]) -> None:
        del lines
        self._fail("closed by us" if code == 221 else f"reply {code} to QUIT")

    # -- what is written

    def _kick(self) -> None:
        """Write the next envelope if this is a moment for one."""
        if self._ahead is not None:
            return
        if self._state == IDLE:
            self._start(self._open_next())
        elif self._pipelining and self._state in (DOT, RSET) and (envelope := self._open_ahead()):
            self._write(envelope)

    def _open_next(self) -> Turn | None:
        """Return the next mail that may be begun now."""
        if self.spent:
            self._todo.give_back(SPENT)
        found = self._todo.next(self._loop.time())
        if isinstance(found, float):
            self._wait(found)
            return None
        return found

    def _open_ahead(self) -> bytes:
        if not self._pipelining or self._ahead is not None or (turn := self._open_next()) is None:
            return b""
        self._ahead = turn
        return turn.envelope

    def _start(self, turn: Turn | None) -> None:
        self._current = turn
        if turn is None:
            self._state = IDLE
        elif self._pipelining:
            self._rode = False
            self._write(turn.envelope)
            self._enter(MAIL)
        else:
            self._command(turn, MAIL)

    def _command(self, turn: Turn, state: int) -> None:
        self._write(turn.envelope.splitlines(keepends=True)[state - MAIL])
        self._enter(state)

    def _next(self) -> None:
        """Go to the mail that is ahead, or begin the next one."""
        turn, self._ahead = self._ahead, None
        if turn is None:
            self._state = IDLE
            self._start(self._open_next())
        else:
            self._current = turn
            self._rode = True
            self._enter(MAIL)

    def _reset(self) -> None:
        self._write(b"RSET\r\n" + self._open_ahead())
        self._enter(RSET)

    def _body(self, turn: Turn) -> None:
        message = turn.mail.message
        if len(message) > SLICE:
            self._rest = memoryview(message)[: -len(wire.END)]
            self._enter(BODY)
            self._room()
        else:
            self._finish(turn, message)

    def _room(self) -> None:
        """Write slices while there is room; the dot when all have left."""
        if self._state != BODY:
            return
        self._enter(BODY)
        while self._rest and not self._full:
            part, self._rest = self._rest[:SLICE], self._rest[SLICE:]
            self._write(part)
        if not self._rest and not self._full:
            self._finish(self._turn, wire.END)

    def _finish(self, turn: Turn, ending: bytes) -> None:
        """Write what ends with the final dot, and the next envelope behind it."""
        self._bodies += 1
        envelope = self._open_ahead()
        turn.window.witness.dot(turn.mail.index)
        step("dot.journalled")
        self._write(ending + envelope if envelope else ending)
        turn.mail.message = b""  # once its dot is out nobody sends it again, and mails take most of our memory
        step("dot.written")
        self._enter(DOT)

    def _wait(self, instant: float) -> None:
        if self._pacer is not None:
            self._pacer.cancel()
        self._pacer = self._loop.call_at(instant, self._paced)

    def _paced(self) -> None:
        self._pacer = None
        self._guarded(self._kick)


_HANDLERS: Final = (
    Connection._on_idle,  # noqa: SLF001 - by state, in the order of the states
    Connection._on_mail,  # noqa: SLF001
    Connection._on_rcpt,  # noqa: SLF001
    Connection._on_data,  # noqa: SLF001
    Connection._on_dot,  # noqa: SLF001
    Connection._on_rset,  # noqa: SLF001
    Connection._on_body,  # noqa: SLF001
    Connection._on_quit,  # noqa: SLF001
)
