"""What a mailing says: sender, subject, and the mail as it looks with sample values."""

from services.reporting.console.desk import Data, Desk
from services.reporting.console.html import tag
from services.reporting.console.preview import preview
from services.reporting.console.written import sender_of
from shared.contracts import commands


class Message:
    """The card; drawn anew when the mailing was edited."""

    def __init__(self, desk: Desk, mailing: str) -> None:
        self._desk = desk
        self._mailing = mailing
        self._card = tag("section", "", "card", aria_label="Message", hidden=True)
        self._shown: Data = {}

    async def refresh(self) -> None:
        """Read and draw it."""
        written = await self._desk.read(commands.Draft(mailing=self._mailing))
        if written == self._shown:
            return
        self._shown = written
        self._card.clear()
        with self._card:
            tag("h2", "Message")
            answers = f", answers go to {written['reply_to']}" if written["reply_to"] else ""
            tag("p", f"From {sender_of(written)}{answers}", "under")
            preview(written["subject"], written["html"], written["text"])
        self._card.put(hidden=None)
