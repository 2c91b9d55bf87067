"""The signed-in person: what it may do, and another password."""

from typing import TYPE_CHECKING

from nicegui import ui

from services.reporting.console.form import Form, Values, made
from services.reporting.console.frame import Frame, heading
from services.reporting.console.html import tag
from shared.contracts import commands
from shared.contracts.commands import Refusal

if TYPE_CHECKING:
    from services.reporting.console.mount import Console


def register(console: "Console") -> None:
    """Register the page."""

    @console.page("/me", "You", permission=None)
    async def _(frame: Frame) -> None:
        may = ", ".join(name.replace("_", " ") for name in sorted(frame.desk.permissions)) or "nothing yet"
        heading(frame.desk.name, f"You may: {may}.")

        async def submit(values: Values) -> Refusal | None:
            fields = {"current": values.raw("current"), "password": values.raw("password")}
            answer = await frame.desk.tell(made(commands.ChangePassword, **fields))
            if answer.refusal is None:
                ui.navigate.to("/sign-in")
            return answer.refusal

        with tag("section", "", "card", aria_labelledby="password-title"):
            tag("h2", "Another password", id="password-title")
            form = Form(submit)
            with form:
                form.text(
                    "current", "Present password", required=True, type="password", autocomplete="current-password"
                )
                hint = "At least 10 characters. You sign in again with it."
                form.text(
                    "password", "New password", required=True, type="password", hint=hint, autocomplete="new-password"
                )
                form.buttons("Change the password")
