"""Windows handed over to a connection, out of which mails come one by one, each when it may be begun.

The guard is asked right before a mail comes out; one that it holds back, or that the relay cannot take, is settled on
the way and never heard of by the relay.
"""

from collections import deque

from services.sender.replies.reply import Phase, parse, queue_id
from services.sender.smtp.link import Capabilities
from services.sender.smtp.offers import fit
from services.sender.smtp.window import Mail, Result, Window
from shared.clock import millis


class Turn:
    """One mail whose envelope is written; `nobody` once its recipient was refused."""

    __slots__ = ("envelope", "mail", "nobody", "place", "refused", "window")

    def __init__(self, window: Window, place: int, mail: Mail, envelope: bytes) -> None:
        self.window = window
        self.place = place
        self.mail = mail
        self.envelope = envelope
        self.refused: Result | None = None
        self.nobody = False

    def settle(self, result: Result) -> None:
        """Give the mail its result."""
        self.window.settle(self.place, result)

    def said(self, phase: Phase, code: int, lines: list[bytes]) -> Result:
        """Return what the relay's reply means for the mail."""
        enhanced, text = parse(lines)
        queued = queue_id(text) if code < 300 else ""
        return Result(self.mail.index, phase, code, enhanced, text, queued, millis())


class Backlog:
    """What is left to begin on a connection."""

    def __init__(self, offered: Capabilities) -> None:
        self._offered = offered
        self._windows: deque[Window] = deque()

    def __bool__(self) -> bool:
        return bool(self._windows)

    def add(self, window: Window) -> None:
        """Take one more window."""
        self._windows.append(window)

    def next(self, now: float) -> Turn | float | None:
        """Return the mail to begin at loop time `now`, when the next one may be begun, or None where there is none."""
        while self._windows:
            window = self._windows[0]
            while window.next < len(window.mails):
                place, mail = window.next, window.mails[window.next]
                if mail.not_before is not None and mail.not_before > now:
                    return mail.not_before
                reason = window.guard(mail.index)
                window.next += 1
                if reason is not None:
                    window.settle(place, Result(mail.index, Phase.NOT_SENT, reason=reason))
                elif isinstance(fitted := fit(mail, self._offered), Result):
                    window.settle(place, fitted)
                else:
                    return Turn(window, place, mail, fitted)
            self._windows.popleft()
        return None

    def give_back(self, reason: str) -> None:
        """Settle every mail that was not begun as not sent."""
        while self._windows:
            self._windows.popleft().give_back(reason)
