"""Opening a campaign: its name, its kind, and the lists its mailings go to."""

from typing import TYPE_CHECKING

from nicegui import ui

from services.reporting.console import words
from services.reporting.console.form import Form, Values, made
from services.reporting.console.frame import Frame, heading, nothing
from services.reporting.console.html import tag
from shared.contracts import commands
from shared.contracts.commands import Refusal

if TYPE_CHECKING:
    from services.reporting.console.mount import Console


def register(console: "Console") -> None:
    """Register the page."""

    @console.page("/campaigns/new", "New campaign", "create", here="/")
    async def _(frame: Frame) -> None:
        lists = (await frame.desk.read(commands.Lists()))["lists"]
        heading("New campaign", "A campaign holds the mailings to some of your lists.")
        if not lists:
            nothing("There is no list yet", "A campaign needs somebody to write to.", "Import contacts", "/contacts")
            return

        async def submit(values: Values) -> Refusal | None:
            if not values.all("lists"):
                return Refusal(code="invalid", message="Choose at least one list.", field="lists")
            fields = values.given("name", "kind", "starts_on", "ends_on")
            command = made(commands.OpenCampaign, lists=values.all("lists"), **fields)
            answer = await frame.desk.tell(command, form.id)
            if answer.refusal is None:
                ui.navigate.to(f"/mailings/new?campaign={answer.data['campaign']}&at={answer.position}")
            return answer.refusal

        form = Form(submit, "card")
        with form:
            form.text("name", "Name", required=True, autofocus=True, maxlength=200)
            form.choice("kind", "Kind", (("email", "Campaign"), ("newsletter", "Newsletter")), required=True)
            options = [(one["id"], f"{one['name']} ({words.many(one['members'], 'contact')})") for one in lists]
            form.checks("lists", "Lists", options, [lists[0]["id"]] if len(lists) == 1 else [])
            with tag("div", "", "pair"):
                form.text("starts_on", "First day", type="date")
                form.text("ends_on", "Last day", type="date")
            form.buttons("Open the campaign")
