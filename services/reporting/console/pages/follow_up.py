"""A follow-up: those behind a number of a mailing become a list, from which a campaign can be opened."""

from typing import TYPE_CHECKING

from services.reporting.console import words
from services.reporting.console.form import Form, Values, made
from services.reporting.console.frame import Frame, heading
from services.reporting.console.html import link, tag
from services.reporting.console.pages import forbidden
from services.reporting.console.pages.sources import GROUPS
from shared.contracts import commands
from shared.contracts.commands import Refusal

if TYPE_CHECKING:
    from services.reporting.console.mount import Console


class _FollowUp:
    def __init__(self, frame: Frame, mailing: str) -> None:
        self._frame = frame
        self._desk = frame.desk
        self._mailing = mailing

    async def draw(self) -> None:
        """Draw the page."""
        status = await self._desk.read(commands.Status(mailing=self._mailing))
        with tag("nav", "", "crumbs", aria_label="Back"):
            link(f"← {status['name']}", f"/mailings/{self._mailing}")
        heading("Follow up", "A list of those behind a number, less those who unsubscribed.")
        if not self._desk.may("add_recipient"):
            forbidden("add_recipient")
            return
        form = Form(self._fill)
        with tag("section", "", "card"), form:
            form.choice("group", "Who", GROUPS, "sent", required=True)
            form.text("list", "Name of the list", f"{status['name']}: follow-up", required=True)
            form.buttons("Make the list")
        self._done = tag("section", "", "card", role="status", hidden=True)

    async def _fill(self, values: Values) -> Refusal | None:
        answer = await self._desk.tell(made(commands.ListFrom, mailing=self._mailing, **values.given("group", "list")))
        if answer.refusal is None:
            self._done.clear()
            self._done.put(hidden=None)
            with self._done:
                people = words.many(answer.data["contacts"], "person is", "people are")
                tag("p", f"{people} on “{answer.data['name']}”.")
                link("Open a campaign with it", "/campaigns/new")
        return answer.refusal


def register(console: "Console") -> None:
    """Answer for the page."""

    @console.page("/mailings/{mailing}/follow-up", "Follow up", here="/")
    async def _(frame: Frame, mailing: str) -> None:
        await _FollowUp(frame, mailing).draw()
