"""The form of a recurring mailing: what it is made like, a name, a rhythm, and what limits each of its mailings."""

from nicegui import ui

from services.reporting.console.desk import Data, Desk
from services.reporting.console.form import Form, Values, made, more
from services.reporting.console.frame import Frame, heading, nothing
from services.reporting.console.hours import ALIASES, hours_fields, hours_of, hours_problem
from services.reporting.console.html import tag
from services.reporting.console.rhythms import ALIASES as RHYTHM_ALIASES
from services.reporting.console.rhythms import rhythm_fields, rhythm_of
from services.reporting.console.written import TEXTS, anew, written
from shared.contracts import commands
from shared.contracts.commands import DraftMailing, Refusal
from shared.contracts.mailing_settings import SendingHours

LATE = {"send": "goes out all the same", "ask": "is made, and waits for its start", "skip": "is left out"}
_LEAD = "It is made like a mailing that is there: with its sender, content, sources, rate and all else."
_MODELS = 50


class _Series:
    def __init__(self, desk: Desk, found: Data, mailings: list[Data]) -> None:
        self._desk = desk
        self._found = found
        self._mailings = mailings[:_MODELS]

    async def draw(self) -> None:
        """Draw the form."""
        found = self._found
        kept = (await self._desk.read(commands.Templates()))["templates"]
        self._form = Form(self._submit, "card wide", aliases=ALIASES | RHYTHM_ALIASES)
        with self._form as form:
            self._what(form, kept)
            rhythm_fields(form, found.get("rhythm", {}), self._desk.zone.key)
            text = "Leave a time out where everybody was among the recipients of the time before"
            form.box("only_new", "Nobody new", text, checked=bool(found.get("only_new")))
            hours = SendingHours.model_validate(found["hours"]) if found.get("hours") else None
            with more("Sending hours, days, holidays", shown=hours is not None):
                hours_fields(form, hours)
            minutes, late = found.get("deadline_minutes") or "", found.get("late", "send")
            shown = bool(minutes or late != "send")
            with more("Deadline, and a time that was missed", shown=shown), tag("div", "", "pair"):
                hint = "So many minutes after its time nothing of a mailing goes out any more."
                form.text("deadline_minutes", "Minutes to send in", minutes, type="number", min=1, hint=hint)
                hint = "When nothing ran at its time, as in an outage; of several the last one."
                options = [(rule, f"It {label}") for rule, label in LATE.items()]
                form.choice("late", "A time that was missed", options, late, required=True, hint=hint)
            form.buttons("Save" if found else "Have it made")

    def _what(self, form: Form, kept: list[Data]) -> None:
        found = self._found
        asked = str(ui.context.client.request.query_params.get("mailing", ""))
        model = next((one for one in self._mailings if one["mailing"] == asked), {})
        named = [(one["mailing"], f"{one['name']} ({one['status']})") for one in self._mailings]
        like = [("", "As it is made now"), *named] if found else named
        hint = "Single people who were added to it or removed are not taken over."
        with tag("div", "", "pair"):
            form.choice("mailing", "Made like", like, asked, required=not found, hint=hint)
            name = found.get("name") or model.get("name", "")
            form.text("name", "Name", name, required=True, maxlength=180, hint="Each of its mailings adds its date.")
        template = found["draft"]["template"] if found else ""
        said = [("", "As the mailing says"), *((one["template"], f"Template {one['name']}") for one in kept)]
        form.choice("template", "What it says", said, template, hint="A template is taken as it is at each time.")

    async def _submit(self, values: Values) -> Refusal | None:
        rhythm = rhythm_of(values)
        problem = rhythm if isinstance(rhythm, Refusal) else hours_problem(values)
        if problem is not None:
            return problem
        draft, sources = await self._made_like(values)
        wanted = {
            **values.given("late", "deadline_minutes"),
            "draft": draft,
            "sources": sources,
            "rhythm": rhythm,
            "hours": hours_of(values),
            "only_new": values["only_new"] == "yes",
        }
        if self._found:
            command = made(commands.EditSeries, series=self._found["series"], **wanted)
        else:
            command = made(commands.OpenSeries, **wanted)
        answer = await self._desk.tell(command, self._form.id)
        if answer.refusal is None:
            ui.navigate.to(f"/series/{answer.data['series']}?at={answer.position}")
        return answer.refusal

    async def _made_like(self, values: Values) -> tuple[DraftMailing, Data | None]:
        """Return what is drafted each time, and its sources."""
        name, template = values["name"], values["template"]
        if not values["mailing"]:
            draft = says(self._found["draft"], template) | {"name": name}
            return DraftMailing.model_validate(draft), self._found["sources"]
        status = await self._desk.read(commands.Status(mailing=values["mailing"]))
        chosen = await self._desk.read(commands.ChosenSources(mailing=values["mailing"]))
        return anew(says(await written(self._desk, status), template), name=name), chosen["sources"]


def says(draft: Data, template: str) -> Data:
    """Return a draft that says what a template does; what it says itself beside its own template stays."""
    if template == draft.get("template", ""):
        return draft
    return draft | {"template": template} | dict.fromkeys(TEXTS if template else (), "")


async def draw_new(frame: Frame) -> None:
    """Draw the form of a new one, or what has to be there first."""
    heading("New recurring mailing", _LEAD)
    mailings = (await frame.desk.read(commands.Mailings()))["mailings"]
    if not mailings:
        nothing("There is no mailing yet", "It is made like one that is there.", "Draft a mailing", "/mailings/new")
        return
    await _Series(frame.desk, {}, mailings).draw()


async def draw_edit(frame: Frame, series: str) -> None:
    """Draw the form with what it is."""
    found = await frame.desk.read(commands.ShowSeries(series=series))
    heading(f"Edit {found['name']}", "What is said here holds for all mailings that are made from now on.")
    if found["stopped"]:
        nothing("It was stopped", "A stopped one stays as it is.", "Make another one", "/series/new")
        return
    mailings = (await frame.desk.read(commands.Mailings()))["mailings"]
    await _Series(frame.desk, found, mailings).draw()
