"""The numbers of a mailing: a bar, six figures, failures by cause.

They move at once; screen readers hear them now and then.
"""

import time
from collections.abc import Awaitable, Callable
from functools import partial

from services.reporting.console import words
from services.reporting.console.desk import Data
from services.reporting.console.figures import Progress, Tile
from services.reporting.console.html import tag

_SPOKEN_EVERY = 15.0
_TILES = (
    ("total", "Recipients", "", ""),
    ("to_send", "To send", "", "Pending"),
    ("sent", "Sent", "", "Sent"),
    ("opened", "Opened by", "", "opened"),
    ("clicked", "Clicked by", "", "clicked"),
    ("failed", "Failed", "bad", "Failed"),
)
"""Figure, label, style, and the recipients behind it."""
_FAILURES = ("rejected", "skipped", "expired", "cancelled", "in_doubt")


class Numbers:
    """The figures at the head of the page."""

    def __init__(self, opens: Callable[[str], Awaitable[None]]) -> None:
        with tag("section", "", "stack", aria_label="Numbers"):
            with tag("div", "", "big"):
                self._progress = Progress()
            with tag("dl", "", "tiles"):
                self._tiles = {
                    name: Tile(label, kind, partial(opens, outcome)) for name, label, kind, outcome in _TILES
                }
            self._failures = tag("ul", "", "chips plain-chips", aria_label="Failures by cause", hidden=True)
        self._heard = tag("p", "", "unseen", role="status", aria_live="polite")
        self._spoken_at = 0.0

    def show(self, status: Data) -> None:
        """Show the numbers."""
        self._progress.show(status)
        sent, total = status["sent"], status["total"]
        notes = {
            "total": _whom(status),
            "to_send": _remaining(status),
            "sent": words.share(sent, total),
            "opened": f"{words.share(status['opened'], sent)} · {words.many(status['read'], 'open')}" if sent else "",
            "clicked": f"{words.share(status['clicked'], sent)} · {words.many(status['clicks'], 'click')}"
            if sent
            else "",
            "failed": words.share(status["failed"], total),
        }
        for name, tile in self._tiles.items():
            tile.show(status[name], notes[name])
        self._tiles["failed"].mark(wrong=bool(status["failed"]))
        self._causes(status)
        self._speak(status)

    def _causes(self, status: Data) -> None:
        causes = [(words.cause(name), status[name]) for name in _FAILURES if status[name]]
        if status["unsubscribed"]:
            causes.append(("Unsubscribed", status["unsubscribed"]))
        causes += [
            (label, status[name])
            for label, name in (("Bounced later", "bounced"), ("Complained", "complained"), ("Replied", "replied"))
            if status[name]
        ]
        if machines := sum(_machines(status[hits]) for hits in ("opens_by", "clicks_by")):
            causes.append(("Hits not by people", machines))
        if status["deferred"]:
            causes.append(("Tried again later", status["deferred"]))
        said = " ".join(f"{label} {number}" for label, number in causes)
        if said == getattr(self, "_said", ""):
            return
        self._said = said
        self._failures.clear()
        with self._failures:
            for label, number in causes:
                with tag("li", "", "count"):
                    tag("strong", words.count(number))
                    tag("span", f" {label.lower()}")
        self._failures.put(hidden=None if causes else True)

    def _speak(self, status: Data) -> None:
        """Let screen readers hear the state now and then, not every number."""
        now = time.monotonic()
        if now - self._spoken_at >= _SPOKEN_EVERY or status["status"] in ("Completed", "Failed", "Cancelled"):
            self._spoken_at = now
            self._heard.say(f"{status['status']}: {words.count(status['sent'])} of {words.count(status['total'])} sent")


def _whom(status: Data) -> str:
    """Return how many customers the recipients are, where some get several mails, and how many were left out."""
    customers, left_out = status.get("customers"), sum(status["left_out"].values())
    some = [words.many(customers, "customer")] if customers not in (None, status["recipients"]) else []
    return " · ".join([*some, *([words.many(left_out, "left out", "left out")] if left_out else [])])


def _machines(by: dict[str, int]) -> int:
    """Return how many hits are in no figure: by machines, by Apple's proxy, by nobody knows whom."""
    return by["apple"] + by["machine"] + by["unknown"]


def _remaining(status: Data) -> str:
    if status["status"] != "Sending" or not status["rate"] or not status["to_send"]:
        return words.many(status["deferred"], "deferred", "deferred") if status["deferred"] else ""
    return f"{status['rate']:g} a second · {words.duration(status['to_send'] / status['rate'])}"
