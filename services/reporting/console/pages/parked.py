"""Messages that no service could handle: where they stand, why, and handing them back or letting them go."""

from functools import partial
from typing import TYPE_CHECKING

from services.reporting.console import words
from services.reporting.console.desk import Data
from services.reporting.console.dialog import Question, dialog_button
from services.reporting.console.form import Values
from services.reporting.console.frame import Frame, Section, heading, nothing
from services.reporting.console.html import tag
from services.reporting.console.listing import Cell, Column, Listing
from shared.contracts import commands
from shared.contracts.commands import Refusal

if TYPE_CHECKING:
    from services.reporting.console.mount import Console

_COLUMNS = (
    Column("Message", "wide"),
    Column("Service"),
    Column("Why", "wide"),
    Column("Since", "when"),
    Column("Actions", "do"),
)


class _Parked:
    def __init__(self, frame: Frame) -> None:
        self._frame = frame
        self._desk = frame.desk

    async def draw(self) -> None:
        """Draw the page."""
        lead = "What a service could not handle waits here for 90 days. Mend the cause, then hand it back."
        heading("Parked messages", lead)
        self._section = Section(self._frame, tag("div", "", "stack"), self._list)
        await self._section.draw()

    async def _list(self) -> None:
        rows = (await self._desk.read(commands.ParkedMessages(limit=200)))["rows"]
        if not rows:
            nothing("Nothing is parked", "All messages were handled. There is nothing to do.")
            return
        Listing("Parked messages", _COLUMNS, "cards").fill([self._cells(row) for row in rows])

    def _cells(self, row: Data) -> list[Cell]:
        return [
            f"{row['stream']} {row['message']}",
            row["service"],
            row["reason"],
            words.moment(row["at"], self._desk.zone),
            partial(self._actions, row),
        ]

    def _actions(self, row: Data) -> None:
        what = f"{row['stream']} {row['message']}"
        with tag("div", "", "actions"):
            hand = tag("button", "Hand back", "button small", type="button", aria_label=f"Hand back {what}")
            hand.on("click", partial(self._redrive, row["seq"]))
            text = f"The message {what} stays in its stream, but nobody is pointed to it any more."
            question = Question("Drop this pointer?", text, "Drop it", "danger small")
            dialog_button("Drop", question, partial(self._drop, row["seq"]))

    async def _redrive(self, seq: int) -> None:
        answer = await self._desk.tell(commands.Redrive(seq=seq))
        self._frame.say(answer.refusal.message if answer.refusal else "Handed back.")
        await self._section.draw()

    async def _drop(self, seq: int, _: Values) -> Refusal | None:
        answer = await self._desk.tell(commands.Redrive(seq=seq, drop=True))
        if answer.refusal is None:
            self._frame.say("Dropped.")
            await self._section.draw()
        return answer.refusal


def register(console: "Console") -> None:
    """Register the page."""

    @console.page("/parked", "Parked messages", "administer")
    async def _(frame: Frame) -> None:
        await _Parked(frame).draw()
