"""The button that stops everything, and the one that lets it go on."""

from collections.abc import Sequence

from services.reporting.console.desk import Data
from services.reporting.console.dialog import Question, dialog_button
from services.reporting.console.form import Form, Values
from services.reporting.console.frame import Frame
from shared.contracts import commands
from shared.contracts.commands import Refusal
from shared.contracts.mailing import STOPPED

_RUNNING = ("Sending", "Scheduled")


def _why(form: Form) -> None:
    form.text("reason", "Why", maxlength=400, hint="Stands at every mailing that is stopped.")


def stop_buttons(frame: Frame, mailings: Sequence[Data]) -> None:
    """Draw what can be done about all mailings at once."""

    async def stop(values: Values) -> Refusal | None:
        answer = await frame.desk.tell(commands.StopEverything(reason=values["reason"]))
        if answer.refusal is None:
            frame.say(f"{len(answer.data['mailings'])} mailings are stopped: nothing goes out.")
        return answer.refusal

    async def go_on(_: Values) -> Refusal | None:
        answer = await frame.desk.tell(commands.ResumeStopped())
        if answer.refusal is None:
            frame.say(f"{len(answer.data['mailings'])} mailings go on.")
        return answer.refusal

    if any(each["status"] == "Paused" and each["reason"].startswith(STOPPED) for each in mailings):
        text = "Those that were stopped all at once; what somebody paused by itself stays paused."
        dialog_button("Let everything go on", Question("Let the stopped mailings go on?", text, "Go on"), go_on)
    if any(each["status"] in _RUNNING for each in mailings):
        text = "Every mailing that sends or is scheduled is paused. What is on its way arrives."
        question = Question("Stop everything?", text, "Stop everything", "danger", _why)
        dialog_button("Stop everything", question, stop)
