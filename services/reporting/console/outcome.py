"""What became of a mail that goes out by itself, a test or a single mail: asked for until it is settled."""

from services.reporting.console.desk import AwayError, Desk, RefusedError
from services.reporting.console.html import tag
from services.reporting.console.live import later
from shared.contracts import commands

_LOOK = 0.7
_LOOKS = 40


class Outcome:
    """A line of text that says it; nothing before something was sent."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._came = tag("p", "", "said", role="status", hidden=True)

    def follow(self, mail: str) -> None:
        """Say what becomes of the mail of this id."""
        self._came.put(hidden=None)
        self._came.say("On its way …")
        later(_LOOK, lambda: self._look(mail, _LOOKS))

    async def _look(self, mail: str, left: int) -> None:
        """Say what came of it, as soon as it is known."""
        try:
            rows = (await self._desk.read(commands.Recipients(mailing=mail, limit=20)))["rows"]
        except (AwayError, RefusedError):  # not there yet: looked at again
            rows = []
        if rows and all(row["status"] != "Pending" for row in rows):
            texts = [f"{row['outcome'].replace('_', ' ')}: {row['code']} {row['text']}".strip() for row in rows]
            self._came.say("; ".join(texts))
        elif left:
            later(_LOOK, lambda: self._look(mail, left - 1))
        else:
            self._came.say("Still on its way.")
