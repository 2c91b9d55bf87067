"""First step: the campaign, what the mailing is called, who it comes from. A new mailing is drafted by it."""

from typing import TYPE_CHECKING

from nicegui import ui

from services.reporting.console.campaigns import active, offered
from services.reporting.console.desk import Data
from services.reporting.console.form import Form, Values, made, more
from services.reporting.console.frame import Frame, heading, nothing
from services.reporting.console.html import link, tag
from services.reporting.console.letter import SAMPLE
from services.reporting.console.pages.wizard.steps import Step, show_steps
from services.reporting.console.written import replaced
from shared.contracts import commands
from shared.contracts.commands import Refusal
from shared.languages import known

if TYPE_CHECKING:
    from services.reporting.console.mount import Console

_LEAD = "Which campaign it belongs to, and who it comes from."
_TRACKING = (("person", "Per person"), ("anonymous", "In sum only"), ("off", "Off"))
_DOUBT = (("hold", "Hold it for a decision"), ("resend", "Send it again"))
_RETRY = (
    ("3600", "One hour"),
    ("21600", "Six hours"),
    ("86400", "One day"),
    ("259200", "Three days"),
    ("604800", "A week"),
)
_TEXTS = ("name", "account", "sender_address", "doubt", "tracking", "retry_for")
_MAY_BE_EMPTY = ("sender_name", "reply_to", "language", "blind_copy")


class _Basics:
    """The form, empty or with what was written."""

    def __init__(self, frame: Frame, step: Step | None, found: Data) -> None:
        self._frame = frame
        self._desk = frame.desk
        self._step = step
        self._found = found

    async def draw(self) -> None:
        """Draw it, or what has to be there first."""
        campaigns = await (self._own() if self._found else active(self._desk))
        accounts = (await self._desk.read(commands.Accounts()))["accounts"]
        working = [account for account in accounts if account["working"]]
        if not campaigns:
            nothing("There is no campaign yet", "A mailing belongs to one.", "Open a campaign", "/campaigns/new")
        elif not working:
            text = "A mailing goes out through a tested account."
            nothing("No account works yet", text, "To the accounts", "/accounts")
        else:
            await self._form_of(campaigns, working)

    async def _own(self) -> list[Data]:
        """Return the campaign of the mailing, which stays in it."""
        rows = (await self._desk.read(commands.Campaigns()))["campaigns"]
        return [row for row in rows if row["campaign"] == self._found["campaign"]]

    async def _form_of(self, campaigns: list[Data], accounts: list[Data]) -> None:
        found, senders = self._found, list(dict.fromkeys(one for account in accounts for one in account["senders"]))
        wanted = str(ui.context.client.request.query_params.get("campaign", "")) or campaigns[0]["campaign"]
        self._form = Form(self._submit, "card wide")
        with self._form as form:
            with tag("div", "", "pair"):
                hint = "" if found else "Those that are active and end after today."
                chosen = str(found.get("campaign", wanted))
                form.choice("campaign", "Campaign", offered(campaigns), chosen, required=True, hint=hint)
                name = found.get("name", "")
                form.text("name", "Name", name, required=True, maxlength=200, hint="Recipients do not see it.")
            with tag("div", "", "pair"):
                form.text("sender_name", "Sender name", found.get("sender_name", ""), maxlength=200)
                sender = found.get("sender_address", senders[0])
                form.text("sender_address", "Sender address", sender, required=True, list=f"senders-{form.id}")
            with tag("datalist", id=f"senders-{form.id}"):
                for address in senders:
                    tag("option", value=address)
            names = [(one["account"], one["name"]) for one in accounts]
            with tag("div", "", "pair"):
                form.choice("account", "Account", names, str(found.get("account", names[0][0])), required=True)
                form.text("reply_to", "Answers go to", found.get("reply_to", ""), type="email")
            copy, hint = found.get("blind_copy", ""), "An archive: its copy neither reads nor unsubscribes for anybody."
            form.text("blind_copy", "Blind copy of every mail to", copy, type="email", hint=hint)
            if not found:
                await self._first_words(form)
            self._details(form)
            form.buttons(("next", "Save and go on"), *([("save", "Save")] if found else []))

    async def _first_words(self, form: Form) -> None:
        kept = (await self._desk.read(commands.Templates()))["templates"]
        with tag("div", "", "pair"):
            form.text("subject", "Subject", maxlength=900, hint="That of the template where it stays empty.")
            options = [("", "A sample to write over"), *((one["template"], one["name"]) for one in kept)]
            form.choice("template", "Begin with", options)

    def _details(self, form: Form) -> None:
        found = self._found
        with more("Tracking, doubts, retries, language"):
            with tag("div", "", "pair"):
                tracking, doubt = found.get("tracking", "person"), found.get("doubt", "hold")
                form.choice("tracking", "Opens and clicks", _TRACKING, tracking, required=True)
                form.choice("doubt", "A mail whose fate is unknown", _DOUBT, doubt, required=True)
            with tag("div", "", "pair"):
                seconds = str(found.get("retry_for", 86_400))
                others = [] if seconds in dict(_RETRY) else [(seconds, f"{seconds} seconds")]
                form.choice("retry_for", "Deferred mails are tried for", (*_RETRY, *others), seconds, required=True)
                spoken = [("", "As the browser likes"), *((one.code, one.name) for one in known().values())]
                form.choice("language", "Unsubscribe link and pages", spoken, found.get("language", ""))

    async def _submit(self, values: Values) -> Refusal | None:
        fields = {**values.given(*_TEXTS), **{name: values[name] for name in _MAY_BE_EMPTY}}
        if self._step is not None:
            refusal = await replaced(self._desk, self._found, self._form.id, **fields)
            if refusal is None:
                self._step.then(values)
            return refusal
        letter = values.given("template", "subject") | ({} if values["template"] else {"html": SAMPLE})
        command = made(commands.DraftMailing, campaign=values["campaign"], **fields, **letter)
        answer = await self._desk.tell(command, self._form.id)
        if answer.refusal is None:
            Step(self._frame, answer.data["mailing"], "basics").go("recipients")
        return answer.refusal


def register(console: "Console") -> None:
    """Register the pages."""

    @console.page("/mailings/new", "New mailing", "create", here="/")
    async def _(frame: Frame) -> None:
        with tag("nav", "", "crumbs", aria_label="Back"):
            link("← All mailings", "/")
        heading("New mailing", _LEAD)
        show_steps("", {}, "basics")
        await _Basics(frame, None, {}).draw()

    @console.page("/mailings/{mailing}/basics", "Basics", "edit", here="/")
    async def _(frame: Frame, mailing: str) -> None:
        step = Step(frame, mailing, "basics")
        if (opened := await step.open(_LEAD)) is not None:
            await _Basics(frame, step, opened[1]).draw()
