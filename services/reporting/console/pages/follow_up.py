"""A follow-up: a new mailing to exactly those behind a number of another, or a list of them for a campaign."""

from typing import TYPE_CHECKING

from nicegui import ui

from services.reporting.console import words
from services.reporting.console.campaigns import active, offered
from services.reporting.console.desk import Data
from services.reporting.console.form import Form, Values, made
from services.reporting.console.frame import Frame, heading
from services.reporting.console.html import link, tag
from services.reporting.console.outcome_groups import GROUPS
from services.reporting.console.pages import forbidden
from services.reporting.console.written import anew, written
from shared.contracts import commands
from shared.contracts.commands import Refusal

if TYPE_CHECKING:
    from services.reporting.console.mount import Console


class _FollowUp:
    def __init__(self, frame: Frame, status: Data) -> None:
        self._desk = frame.desk
        self._mailing = status["mailing"]
        self._status = status

    async def draw(self) -> None:
        """Draw the page."""
        campaigns = await active(self._desk)
        name, asked = self._status["name"], str(ui.context.client.request.query_params.get("group", ""))
        group = asked if asked in dict(GROUPS) else "sent"
        if campaigns and self._desk.may("create") and self._desk.may("edit"):
            with tag("section", "", "card", aria_labelledby="again"):
                tag("h2", "A new mailing to exactly those", id="again")
                self._form = Form(self._draft)
                with self._form as form:
                    form.choice("group", "Who", GROUPS, group, required=True)
                    form.text("name", "Name of the mailing", f"{name}, again"[:200], required=True, maxlength=200)
                    own = self._status["campaign"]
                    form.choice("campaign", "In the campaign", offered(campaigns), own, required=True)
                    text = "It begins as this one is written; both can be changed before it starts."
                    tag("p", text, "under")
                    form.buttons("Draft it")
        if self._desk.may("add_recipient"):
            with tag("section", "", "card", aria_labelledby="listed"):
                tag("h2", "A list of them", id="listed")
                form = Form(self._fill)
                with form:
                    form.choice("group", "Who", GROUPS, group, required=True)
                    form.text("list", "Name of the list", f"{name}: follow-up"[:200], required=True, maxlength=200)
                    form.buttons("Make the list")
            self._done = tag("section", "", "card", role="status", hidden=True)

    async def _draft(self, values: Values) -> Refusal | None:
        command = anew(await written(self._desk, self._status), **values.given("name", "campaign"))
        answer = await self._desk.tell(command, self._form.id)
        if answer.refusal is not None:
            return answer.refusal
        mailing = answer.data["mailing"]
        sources = {"lists": [], "mailings": [{"mailing": self._mailing, "group": values["group"]}]}
        answer = await self._desk.tell(made(commands.ChooseSources, mailing=mailing, sources=sources), self._form.id)
        if answer.refusal is None:
            ui.navigate.to(f"/mailings/{mailing}/recipients?at={answer.position}")
        return answer.refusal

    async def _fill(self, values: Values) -> Refusal | None:
        answer = await self._desk.tell(made(commands.ListFrom, mailing=self._mailing, **values.given("group", "list")))
        if answer.refusal is None:
            self._done.clear()
            self._done.put(hidden=None)
            with self._done:
                people = words.many(answer.data["contacts"], "person is", "people are")
                tag("p", f"{people} on “{answer.data['name']}”.")
                link("Open a campaign with it", f"/campaigns/new?list={answer.data['list']}")
        return answer.refusal


def register(console: "Console") -> None:
    """Answer for the page."""

    @console.page("/mailings/{mailing}/follow-up", "Follow up", here="/")
    async def _(frame: Frame, mailing: str) -> None:
        status = await frame.desk.read(commands.Status(mailing=mailing))
        with tag("nav", "", "crumbs", aria_label="Back"):
            link(f"← {status['name']}", f"/mailings/{mailing}")
        heading("Follow up", "Those behind a number of this mailing, less those who unsubscribed.")
        if frame.desk.may("add_recipient") or (frame.desk.may("create") and frame.desk.may("edit")):
            await _FollowUp(frame, status).draw()
        else:
            forbidden("add_recipient")
