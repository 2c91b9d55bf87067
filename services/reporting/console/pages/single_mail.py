"""One mail to one person outside any campaign; also to a removed one, where somebody insists."""

from typing import TYPE_CHECKING

from nicegui import ui

from services.reporting.console.desk import Data
from services.reporting.console.form import Form, Values, made, more
from services.reporting.console.frame import Frame, heading, nothing
from services.reporting.console.headers import HINT, headers_of
from services.reporting.console.html import link, tag
from services.reporting.console.letter import PreviewCard, letter_fields, letter_of
from services.reporting.console.outcome import Outcome
from shared.contracts import commands
from shared.contracts.commands import Refusal
from shared.languages import known

if TYPE_CHECKING:
    from services.reporting.console.mount import Console

_PATH = "/mails/new"
_LEAD = "Outside any campaign, before everything else that waits; links in it are not counted."


class _Mail:
    def __init__(self, frame: Frame, said: Data) -> None:
        self._frame = frame
        self._desk = frame.desk
        self._said = said

    async def draw(self) -> None:
        """Draw the form, or what has to be there first."""
        heading("A mail to one person", _LEAD)
        accounts = [one for one in (await self._desk.read(commands.Accounts()))["accounts"] if one["working"]]
        if not accounts:
            text = "A mail goes out through a tested account."
            nothing("No account works yet", text, "To the accounts", "/accounts")
            return
        await self._template()
        with tag("div", "", "columns"):
            with tag("section", "", "card", aria_label="Mail"):
                self._fields(accounts)
            with tag("div", "", "stack"):
                self._preview = PreviewCard()
        self._preview.sample(self._said)

    async def _template(self) -> None:
        kept = (await self._desk.read(commands.Templates()))["templates"]
        if not kept:
            return

        async def take(values: Values) -> Refusal | None:
            ui.navigate.to(f"{_PATH}?template={values['template']}")
            return None

        form = Form(take, "row")
        with form:
            options = [(one["template"], one["name"]) for one in kept]
            form.choice("template", "Template", options, self._said.get("template", ""), required=True)
            form.buttons("Write it into the fields", style="plain")

    def _fields(self, accounts: list[Data]) -> None:
        senders = list(dict.fromkeys(one for account in accounts for one in account["senders"]))
        self._form = Form(self._submit, "wide")
        with self._form as form:
            form.text("to", "To", required=True, type="email", autofocus=True)
            with tag("div", "", "pair"):
                form.text("sender_name", "Sender name", maxlength=200)
                form.text("sender_address", "Sender address", senders[0], required=True, list=f"senders-{form.id}")
            with tag("datalist", id=f"senders-{form.id}"):
                for address in senders:
                    tag("option", value=address)
            with tag("div", "", "pair"):
                names = [(one["account"], one["name"]) for one in accounts]
                form.choice("account", "Account", names, names[0][0], required=True)
                form.text("reply_to", "Answers go to", type="email")
            letter_fields(form, self._said)
            self._details(form)
            text = "Send it also to somebody who is out of all mail. That is recorded, with your name."
            form.box("although_removed", "Insist", text)
            form.buttons(("send", "Send it"), ("preview", "Preview"))
        self._outcome = Outcome(self._desk)

    def _details(self, form: Form) -> None:
        with more("Language, time zone, header fields"):
            with tag("div", "", "pair"):
                spoken = [("", "As the browser likes"), *((one.code, one.name) for one in known().values())]
                form.choice("language", "Unsubscribe link and pages", spoken)
                hint = "Such as Europe/Athens; UTC if empty."
                form.text("zone", "Time zone of {{ today }} and {{ now }}", maxlength=64, hint=hint)
            form.area("headers", "Further header fields", rows=3, hint=HINT, spellcheck=False)

    async def _submit(self, values: Values) -> Refusal | None:
        letter = letter_of(values)
        if values["do"] == "preview":
            self._preview.sample(letter)
            return None
        headers = headers_of(values.raw("headers"))
        if isinstance(headers, Refusal):
            return headers
        fields = values.given("to", "account", "sender_name", "sender_address", "reply_to", "language", "zone")
        insists = values["although_removed"] == "yes"
        command = made(commands.SendMail, **fields, **letter, headers=headers, although_removed=insists)
        answer = await self._desk.tell(command, self._form.id)
        if answer.refusal is None:
            self._outcome.follow(answer.data["mail"])
        return answer.refusal


def register(console: "Console") -> None:
    """Register the page."""

    @console.page(_PATH, "A mail to one person", "send", here="/")
    async def _(frame: Frame) -> None:
        with tag("nav", "", "crumbs", aria_label="Back"):
            link("← All mailings", "/")
        template = str(ui.context.client.request.query_params.get("template", ""))[:24]
        said = await frame.desk.read(commands.ShowTemplate(template=template)) if template else {}
        await _Mail(frame, said).draw()
