"""Named tracking URLs: what `{{ trackingUrl:NAME }}` stands for in every template; made, changed, deleted."""

from functools import partial

from services.reporting.console.desk import Data
from services.reporting.console.dialog import Question, dialog_button
from services.reporting.console.form import Form, Values, made
from services.reporting.console.frame import Frame, Section
from services.reporting.console.html import Tag, tag
from services.reporting.console.listing import Cell, Column, Listing
from shared.contracts import commands
from shared.contracts.commands import Refusal

_COLUMNS = (Column("Name", "wide"), Column("Leads to", "wide"), Column("In a template"), Column("Actions", "do"))


class TrackingUrls:
    """The part of the page of templates."""

    def __init__(self, frame: Frame) -> None:
        self._frame = frame
        self._desk = frame.desk
        with tag("section", "", "card loose", aria_labelledby="tracking-urls"):
            tag("h2", "Tracking URLs", id="tracking-urls")
            tag("p", "Links with a name: written once, put into any template, counted under their name.", "under")
            self._section = Section(frame, tag("div", "", "stack"), self._list)
            if self._desk.may("edit"):
                self._new()

    async def draw(self) -> None:
        """Read and draw them."""
        await self._section.draw()

    async def _list(self) -> None:
        known = (await self._desk.read(commands.TrackingUrls()))["tracking_urls"]
        if known:
            Listing("Tracking URLs", _COLUMNS, "cards flat").fill([self._row(one) for one in known])

    def _row(self, one: Data) -> list[Cell]:
        spelled = f"{{{{ trackingUrl:{one['name']} }}}}"
        return [one["name"], one["url"], spelled, partial(self._actions, one["name"])]

    def _actions(self, name: str) -> Tag:
        async def delete(_: Values) -> Refusal | None:
            return await self._done(commands.DeleteTrackingUrl(name=name))

        with tag("div", "", "actions") as actions:
            if self._desk.may("delete"):
                text = "Drafts that were made with it stay as they are; templates that name it have to be changed."
                dialog_button("Delete", Question(f"Delete {name}?", text, "Delete it", "danger small"), delete)
        return actions

    def _new(self) -> None:
        async def save(values: Values) -> Refusal | None:
            command = made(commands.SaveTrackingUrl, name=values["url_name"], url=values["url"])
            return await self._done(command)

        form = Form(save, "row", aliases={"name": "url_name"})
        with form:
            form.text("url_name", "Name of the link", required=True, maxlength=100)
            form.text("url", "Leads to", required=True, type="url", placeholder="https://")
            form.buttons("Keep it", style="plain")

    async def _done(self, command: commands.Command) -> Refusal | None:
        answer = await self._desk.tell(command)
        if answer.refusal is None:
            self._frame.say("Done.")
            await self.draw()
        return answer.refusal
