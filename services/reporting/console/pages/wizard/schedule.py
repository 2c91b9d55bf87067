"""Fourth step: when it goes out and how fast, when it stops by itself, and who is told how it ends.

What belongs to the mailing is saved. The start is tried out, so that what is wrong with it is said here; it is set by
the last step.
"""

from typing import TYPE_CHECKING

from services.reporting.console.desk import Data, RefusedError
from services.reporting.console.form import Form, Values, made, more, words_of
from services.reporting.console.frame import Frame
from services.reporting.console.hours import ALIASES, hours_fields, hours_of, hours_problem
from services.reporting.console.html import tag
from services.reporting.console.pages.accounts import limits_of
from services.reporting.console.pages.wizard import start
from services.reporting.console.pages.wizard.steps import Step
from services.reporting.console.pages.wizard.stopping import stop_fields, stop_of
from services.reporting.console.written import replaced
from shared.contracts import commands
from shared.contracts.commands import Refusal, Start
from shared.contracts.mailing_settings import Batch

if TYPE_CHECKING:
    from services.reporting.console.mount import Console

_LEAD = "When it starts by itself, within which hours, and how fast. Nothing is set before the last step."
_LATE = (
    ("send", "It goes out all the same"),
    ("ask", "It waits for somebody to resume it"),
    ("skip", "It is cancelled"),
)
_ALIASES = {**ALIASES, "deadline": "not_after", "batch.size": "size", "batch.minutes": "minutes"}


class _Schedule:
    def __init__(self, step: Step, found: Data) -> None:
        self._step = step
        self._desk = step.desk
        self._found = found

    async def draw(self) -> None:
        """Draw the form with what was chosen."""
        campaigns = (await self._desk.read(commands.Campaigns()))["campaigns"]
        own = next(row for row in campaigns if row["campaign"] == self._found["campaign"])
        chosen = start.chosen(self._step.mailing) or Start(mailing=self._step.mailing, zone=self._desk.zone.key)
        self._form = Form(self._submit, "card wide", aliases=_ALIASES)
        with self._form as form:
            self._start(form, chosen, own)
            self._hours(form, chosen)
            self._rate(form)
            self._end(form, chosen)
            stop_fields(form, self._found)
            self._told(form)
            form.buttons(("next", "Save and go on"), ("save", "Save"))

    def _start(self, form: Form, chosen: Start, campaign: Data) -> None:
        with tag("div", "", "pair"):
            at = f"{chosen.at:%Y-%m-%dT%H:%M}" if chosen.at else ""
            dates = " to ".join(filter(None, (campaign["starts_on"], campaign["ends_on"])))
            hint = "Empty: as soon as you start it." + (f" The campaign: {dates}." if dates else "")
            form.text("at", "Date and time", at, type="datetime-local", hint=hint)
            form.text("zone", "Time zone", chosen.zone, required=True, hint="Such as Europe/Prague.")
        text = "Start and hours are those of each recipient's own time zone"
        form.box("recipient_time", "Whose time", text, checked=self._found["recipient_time"])

    def _hours(self, form: Form, chosen: Start) -> None:
        with more("Sending hours, days, holidays", shown=chosen.hours is not None):
            hours_fields(form, chosen.hours)

    def _rate(self, form: Form) -> None:
        limits, batch = self._found["limits"], self._found["batch"] or {}
        shown = bool(limits["per_hour"] or limits["seconds_between"] or batch)
        with more("Rate and batches", shown=shown):
            with tag("div", "", "pair"):
                form.text("per_hour", "Mails an hour at most", limits["per_hour"] or "", type="number", min=1)
                between = limits["seconds_between"] or ""
                form.text("seconds_between", "Seconds between mails", between, type="number", min=0, step="any")
            with tag("div", "", "pair"):
                form.text("size", "Batches of", batch.get("size", ""), type="number", min=1, hint="All at once.")
                form.text("minutes", "in minutes", batch.get("minutes", ""), type="number", min=1, hint="60 if empty.")

    def _end(self, form: Form, chosen: Start) -> None:
        shown = bool(chosen.deadline or chosen.late != "send")
        with more("Deadline, and a start that comes too late", shown=shown), tag("div", "", "pair"):
            deadline = f"{chosen.deadline:%Y-%m-%dT%H:%M}" if chosen.deadline else ""
            form.text("not_after", "Not after", deadline, type="datetime-local", hint="Nothing goes out later.")
            hint = "When nothing ran at its time, as in an outage."
            form.choice("late", "A start that is found too late", _LATE, chosen.late, required=True, hint=hint)

    def _told(self, form: Form) -> None:
        notify, url = self._found["notify"], self._found["notify_url"]
        with more("Who is told how it ends", shown=bool(notify or url)), tag("div", "", "pair"):
            hint = "Up to five addresses: completed, failed, stopped by itself."
            form.text("notify", "By mail", ", ".join(notify), hint=hint)
            form.text("notify_url", "By a webhook", url, type="url", placeholder="https://")

    async def _submit(self, values: Values) -> Refusal | None:
        if (problem := hours_problem(values)) is not None:
            return problem
        wanted = _start_of(self._step.mailing, values)
        if len(start.encoded(wanted)) > start.LARGEST:
            return Refusal(code="invalid", message="These are too many dates to be kept here.", field="hours.closed")
        size = {"size": values["size"], **values.given("minutes")}
        changes = {
            "limits": limits_of(values),
            "stop": stop_of(values),
            "batch": made(Batch, **size) if values["size"] or values["minutes"] else None,
            "recipient_time": values["recipient_time"] == "yes",
            "notify": words_of(values["notify"]),
            "notify_url": values["notify_url"],
        }
        refusal = await self._tried(wanted) or await replaced(self._desk, self._found, self._form.id, **changes)
        if refusal is None:
            start.keep(wanted)
            self._step.then(values)
        return refusal

    async def _tried(self, wanted: Start) -> Refusal | None:
        """Return what is wrong with the start; that nobody is fixed yet is no reason."""
        try:
            await self._desk.read(commands.Foresee.model_validate(wanted.model_dump()))
        except RefusedError as error:  # said at its field
            return None if error.refusal.code in ("audience_missing", "audience_empty") else error.refusal
        return None


def _start_of(mailing: str, values: Values) -> Start:
    """Return the start that a form holds."""
    fields = {
        **values.given("at", "zone", "late"),
        "deadline": values["not_after"] or None,
        "hours": hours_of(values),
    }
    wanted: Start = made(Start, mailing=mailing, **fields)
    return wanted


def register(console: "Console") -> None:
    """Register the page."""

    @console.page("/mailings/{mailing}/schedule", "Schedule", "edit", here="/")
    async def _(frame: Frame, mailing: str) -> None:
        step = Step(frame, mailing, "schedule")
        if (opened := await step.open(_LEAD)) is not None:
            await _Schedule(step, opened[1]).draw()
