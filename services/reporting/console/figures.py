"""Numbers at a glance: how far a mailing is, and its figures in tiles. They move without a jump and without a sound."""

from collections.abc import Awaitable, Callable

from services.reporting.console import words
from services.reporting.console.desk import Data
from services.reporting.console.html import Tag, tag


class Progress:
    """How far a mailing is: sent, failed and to send as parts of one bar, and in words."""

    def __init__(self, *, words_too: bool = True) -> None:
        with tag("div", "", "progress"):
            self._bar = tag("div", "", "bar", role="progressbar", aria_valuemin=0, aria_valuemax=100)
            with self._bar:
                self._sent = tag("span", "", "bar-sent")
                self._failed = tag("span", "", "bar-failed")
            self._words = tag("p", "", "progress-words") if words_too else None

    def show(self, status: Data) -> None:
        """Show the numbers of a mailing."""
        total, sent, failed = status["total"], status["sent"], status["failed"]
        done = round(100 * (sent + failed) / total) if total else 0
        self._bar.put(
            aria_valuenow=done, aria_label=f"{status['name']}: {done} % done", aria_valuetext=self._spoken(status)
        )
        for part, number in ((self._sent, sent), (self._failed, failed)):
            part.put(style=f"width:{100 * number / total if total else 0:.2f}%")
        if self._words is not None:
            self._words.say(self._spoken(status))

    @staticmethod
    def _spoken(status: Data) -> str:
        if not status["total"]:
            return "no recipients yet"
        failed = f", {words.count(status['failed'])} failed" if status["failed"] else ""
        return f"{words.count(status['sent'])} of {words.count(status['total'])} sent{failed}"


Open = Callable[[], Awaitable[None]]


class Tile:
    """One figure with its label and, beneath, what it is a share of."""

    def __init__(self, label: str, kind: str = "", opens: Open | None = None) -> None:
        with tag("div", "", f"tile {kind}".strip()) as self._tile:
            tag("dt", label)
            with tag("dd"):
                if opens is None:
                    self._number: Tag = tag("span", "0", "figure")
                else:  # who is behind the number
                    self._number = tag("button", "0", "figure", type="button", title=f"{label}: see who")
                    self._number.on("click", opens)
                self._note: Tag = tag("span", "", "note")

    def show(self, number: float, note: str = "") -> None:
        """Show the figure."""
        self._number.say(words.count(number))
        self._note.say(note or " ")

    def mark(self, *, wrong: bool) -> None:
        """Set off a figure that should be none."""
        self._tile.put(data_any="" if wrong else None)
