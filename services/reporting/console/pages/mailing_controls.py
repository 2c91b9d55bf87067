"""What can be done about a mailing in its state: pause, resume, change the rate, withdraw, cancel, delete, edit."""

from collections.abc import Awaitable, Callable

from services.reporting.console.desk import Data
from services.reporting.console.dialog import Question, dialog_button
from services.reporting.console.form import Form, Values
from services.reporting.console.frame import Frame
from services.reporting.console.html import link, tag
from services.reporting.console.pages.accounts import limits_of
from shared.contracts import commands
from shared.contracts.commands import Command, Refusal

_RUNNING = ("Sending", "Scheduled")


class Controls:
    """The row of buttons; only what the state and the permissions allow."""

    def __init__(self, frame: Frame, mailing: str, changed: Callable[[], Awaitable[None]]) -> None:
        self._frame = frame
        self._mailing = mailing
        self._changed = changed
        self._row = tag("div", "", "actions", aria_label="Actions", role="group")

    def show(self, status: Data) -> None:
        """Draw what can be done now."""
        desk, state = self._frame.desk, status["status"]
        self._row.clear()
        with self._row:
            if desk.may("send"):
                self._sending(state, status)
            if status["audience"]:
                link("Recipients", f"/mailings/{self._mailing}/audience", "button")
            if status["started_at"] or status["planned"]:
                link("Export CSV", f"/v1/mailings/{self._mailing}/recipients.csv", "button", download=True)
            if state == "Completed" and status["opened"] < status["sent"] and desk.may("create"):
                link(
                    "Send again to who did not open it",
                    f"/mailings/{self._mailing}/follow-up?group=not_opened",
                    "button",
                )
            if desk.may("send"):
                link("Make it recurring", f"/series/new?mailing={self._mailing}", "button")
            if desk.may("delete") and state in ("Planned", "Completed", "Cancelled", "Failed"):
                text = "It disappears from the lists. Its history and its ledger are kept."
                question = Question("Delete this mailing?", text, "Delete it", "danger")
                self._asked("Delete", question, commands.DeleteMailing)

    def _sending(self, state: str, status: Data) -> None:
        if state == "Sending":
            self._at_once("Pause", "Paused: nothing goes out until you resume.", commands.PauseMailing)
        if state in ("Paused", "Failed"):
            self._at_once("Resume", "Resumed.", commands.ResumeMailing, "primary")
        if state == "Scheduled" and not status["started_at"]:
            self._at_once("Withdraw the start", "The start was withdrawn.", commands.UnscheduleMailing)
        if state in ("Sending", "Scheduled", "Paused", "Planned"):
            self._rate(status)
        if state in ("Sending", "Scheduled", "Paused", "Failed"):
            text = "What is on its way arrives; nobody else gets it, and it cannot be resumed."
            question = Question("Cancel this mailing?", text, "Cancel the mailing", "danger", _why)
            self._asked("Cancel", question, commands.CancelMailing)

    def _at_once(self, label: str, said: str, command: type[Command], style: str = "") -> None:
        async def click() -> None:
            answer = await self._frame.desk.tell(command.model_validate({"mailing": self._mailing}))
            self._frame.say(answer.refusal.message if answer.refusal else said)
            await self._changed()

        tag("button", label, f"button {style}".strip(), type="button").on("click", click)

    def _asked(self, label: str, question: Question, command: type[Command]) -> None:
        async def submit(values: Values) -> Refusal | None:
            fields = {"mailing": self._mailing, **values.given("reason")}
            answer = await self._frame.desk.tell(command.model_validate(fields))
            if answer.refusal is None:
                await self._changed()
            return answer.refusal

        dialog_button(label, question, submit)

    def _rate(self, status: Data) -> None:
        limits = status["limits"]

        async def submit(values: Values) -> Refusal | None:
            command = commands.ChangeRate(mailing=self._mailing, limits=limits_of(values))
            answer = await self._frame.desk.tell(command)
            if answer.refusal is None:
                self._frame.say("The rate was changed.")
                await self._changed()
            return answer.refusal

        def fields(form: Form) -> None:
            form.text("per_hour", "Mails an hour at most", limits["per_hour"] or "", type="number", min=1)
            between = limits["seconds_between"] or ""
            form.text("seconds_between", "Seconds between mails", between, type="number", min=0, step="any")

        text = "It holds from the next mail on. Empty means no limit."
        dialog_button("Rate", Question("Change the rate", text, "Change the rate", fields=fields), submit)


def _why(form: Form) -> None:
    form.text("reason", "Why", maxlength=500)
