"""Whether a list demands a confirmation of whoever joins (double opt-in), and the mail that asks for it."""

from typing import TYPE_CHECKING

from nicegui import ui

from services.reporting.console.desk import Data
from services.reporting.console.form import Form, Values, made, more
from services.reporting.console.frame import Frame, heading, nothing
from services.reporting.console.html import link, tag
from shared.contracts import commands
from shared.contracts.commands import Refusal
from shared.languages import known

if TYPE_CHECKING:
    from services.reporting.console.mount import Console

_LEAD = "Whoever is put on it from then on gets one mail that asks, and nothing of the list before the answer."
_TEXTS = ("account", "sender_address", "sender_name", "language", "subject")
_LINK = "Has to hold {{ optInUrl }} or {{ optInLink }}."


class _Confirmation:
    def __init__(self, frame: Frame, one: Data) -> None:
        self._desk = frame.desk
        self._list = one

    async def draw(self) -> None:
        """Draw the form, or what has to be there first."""
        heading(f"Who joins {self._list['name']}", _LEAD)
        demands = self._list["confirmed"]
        tag("p", "It demands a confirmation now." if demands else "It demands no confirmation now.", "strong")
        accounts = [one for one in (await self._desk.read(commands.Accounts()))["accounts"] if one["working"]]
        if not accounts:
            text = "The mail that asks goes out through a tested account."
            nothing("No account works yet", text, "To the accounts", "/accounts")
            return
        senders = list(dict.fromkeys(one for account in accounts for one in account["senders"]))
        self._form = Form(self._submit, "card")
        with self._form as form:
            names = [(one["account"], one["name"]) for one in accounts]
            form.choice("account", "Account", names, names[0][0], required=True)
            with tag("div", "", "pair"):
                form.text("sender_name", "Sender name", maxlength=200)
                form.text("sender_address", "Sender address", senders[0], required=True, maxlength=320)
            spoken = [("", "As the browser likes"), *((one.code, one.name) for one in known().values())]
            form.choice("language", "Language of our texts, and of the page", spoken)
            with more("Texts of your own"):
                form.text("subject", "Subject", maxlength=900, hint="Ours where it stays empty.")
                form.area("html", "HTML", rows=8, spellcheck=False, classes="code-field", hint=_LINK)
                form.area("text", "Text", rows=4, hint=f"{_LINK} Made from the HTML if empty.")
            none = [("none", "Demand none any more")] if demands else []
            form.buttons(("set", "Demand it by this mail" if demands else "Demand a confirmation"), *none)

    async def _submit(self, values: Values) -> Refusal | None:
        wanted = {"html": values.raw("html"), "text": values.raw("text"), **values.given(*_TEXTS)}
        wanted = {} if values["do"] == "none" else wanted
        command = made(commands.ListConfirmation, list=self._list["id"], **wanted)
        answer = await self._desk.tell(command, self._form.id)
        if answer.refusal is None:
            ui.navigate.to(f"/contacts?at={answer.position}")
        return answer.refusal


def register(console: "Console") -> None:
    """Register the page."""

    @console.page("/lists/{key}/confirmation", "Confirmation of a list", "edit", here="/contacts")
    async def _(frame: Frame, key: str) -> None:
        with tag("nav", "", "crumbs", aria_label="Back"):
            link("← Contacts", "/contacts")
        lists = (await frame.desk.read(commands.Lists()))["lists"]
        found = next((one for one in lists if one["id"] == key), None)
        if found is None:
            nothing("There is no such list", "It was never made here.", "To the contacts", "/contacts")
            return
        await _Confirmation(frame, found).draw()
