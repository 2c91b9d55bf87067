"""The versions of an A/B test: how each did with its part of the sample, and the choice of the winner by hand."""

from collections.abc import Awaitable, Callable
from functools import partial

from services.reporting.console import words
from services.reporting.console.desk import Data
from services.reporting.console.frame import Frame
from services.reporting.console.html import tag
from services.reporting.console.listing import Cell, Column, Listing
from shared.contracts import commands

_COLUMNS = (
    Column("Version"),
    Column("Sample", "number"),
    Column("Sent", "number"),
    Column("Opened", "number"),
    Column("Clicked", "number"),
    Column("Unsubscribed", "number"),
)
_OPEN = ("Sending", "Scheduled", "Paused")


class Versions:
    """The card; there where the mailing has a test."""

    def __init__(self, frame: Frame, mailing: str, changed: Callable[[], Awaitable[None]]) -> None:
        self._frame = frame
        self._mailing = mailing
        self._changed = changed
        self._card = tag("section", "", "card once-begun", aria_label="A/B test", hidden=True)
        self._shown: tuple[Data | None, bool] = (None, False)
        self._figures: list[Data] = []

    async def refresh(self) -> None:
        """Read how the versions did: news of the mailing do not count them."""
        if self._shown[0]:
            self.show(await self._frame.desk.read(commands.Status(mailing=self._mailing)))

    def show(self, status: Data) -> None:
        """Draw it where something changed."""
        test: Data | None = status.get("ab_test")
        if test:
            self._figures = test["versions"] or self._figures
            test = test | {"versions": self._figures}
        open_ = bool(status["started_at"]) and status["status"] in _OPEN and self._frame.desk.may("send")
        if (test, open_) == self._shown:
            return
        self._shown = (test, open_)
        self._card.put(hidden=None if test else True)
        self._card.clear()
        if test:
            with self._card:
                self._draw(test, chooses=open_ and not test["winner"])

    def _draw(self, test: Data, *, chooses: bool) -> None:
        tag("h2", "A/B test")
        tag("p", self._stage(test), "", role="status")
        columns = (*_COLUMNS, Column("Choose", "do")) if chooses else _COLUMNS
        listing = Listing("Versions", columns, "cards flat")
        listing.fill([self._row(one, chooses=chooses) for one in test["versions"]])

    def _stage(self, test: Data) -> str:
        if test["winner"]:
            return f"Version {test['winner']} was chosen: the rest gets it."
        if test["stage"] == "sample":
            return "The sample is being sent."
        if test["by"] == "hand":
            return "The sample was sent. Choose which version the rest gets."
        at = words.moment(test["decides_at"], self._frame.desk.zone)
        return f"The sample was sent. What has most {test['by']} wins {at}."

    def _row(self, one: Data, *, chooses: bool) -> list[Cell]:
        numbers = [words.count(one[name]) for name in ("recipients", "sent", "opened", "clicked", "unsubscribed")]
        cells: list[Cell] = [f"{one['version']}: {one['subject']}", *numbers]
        return [*cells, partial(self._button, one["version"])] if chooses else cells

    def _button(self, version: str) -> None:
        async def click() -> None:
            answer = await self._frame.desk.tell(commands.ChooseWinner(mailing=self._mailing, version=version))
            self._frame.say(answer.refusal.message if answer.refusal else f"Version {version} goes to the rest.")
            await self._changed()

        label = f"Version {version} goes to the rest"
        tag("button", "Choose", "button small", type="button", aria_label=label).on("click", click)
