"""Third step: what it says, in each language, with a preview, what is wrong with it, and a test to oneself."""

from typing import TYPE_CHECKING

from nicegui import ui
from pydantic import BaseModel

from services.reporting.console.desk import Data, RefusedError
from services.reporting.console.findings import draw_findings
from services.reporting.console.form import Form, Values, made, words_of
from services.reporting.console.frame import Frame
from services.reporting.console.html import link, tag
from services.reporting.console.letter import TEXTS, PreviewCard, letter_fields, letter_of
from services.reporting.console.outcome import Outcome
from services.reporting.console.pages.wizard.steps import Step
from services.reporting.console.written import kept, replaced
from shared.contracts import commands
from shared.contracts.commands import LanguageVariant, Refusal
from shared.contracts.commands.mailings import Language

if TYPE_CHECKING:
    from services.reporting.console.mount import Console

_LEAD = "What it says. Whoever speaks a language you add gets it in that one."
_OFFERED = 20


class _Content:
    """The letter in one language, "" for the draft itself."""

    def __init__(self, step: Step, status: Data, found: Data) -> None:
        asked = ui.context.client.request.query_params
        self._step = step
        self._desk = step.desk
        self._status = status
        self._found = found
        self._language = str(asked.get("language", ""))[:12].lower()
        self._template = str(asked.get("template", ""))[:24]
        self._contact = str(asked.get("contact", ""))[:320]

    async def draw(self) -> None:
        """Draw the letter with all that helps to write it."""
        said = await self._said()
        self._languages()
        with tag("div", "", "columns"):
            with tag("div", "", "stack"):
                with tag("section", "", "card", aria_label="Letter"):
                    await self._take()
                    self._form = Form(self._save, "wide", aliases={name: name for name in TEXTS})
                    with self._form as form:
                        letter_fields(form, said)
                        removes = [("remove", "Leave out this language")] if self._language else []
                        form.buttons(("next", "Save and go on"), ("save", "Save"), ("preview", "Preview"), *removes)
                await self._findings()
            with tag("div", "", "stack"):
                self._preview = PreviewCard()
                with self._preview.below:
                    await self._as_somebody()
                self._test()
        self._preview.sample(said)
        if self._contact:
            await self._show_as(Values([("contact", self._contact)]))

    async def _said(self) -> Data:
        """Return what the fields begin with: the template that was chosen, else what was written."""
        if self._template:
            return await self._desk.read(commands.ShowTemplate(template=self._template))
        variants: dict[str, Data] = self._found["variants"]
        return variants.get(self._language, self._found)

    def _languages(self) -> None:
        here = f"/mailings/{self._step.mailing}/content"
        codes = ["", *sorted({*self._found["variants"], *([self._language] if self._language else [])})]
        with tag("section", "", "languages", aria_label="Languages"):
            with tag("div", "", "chips"):
                for code in codes:
                    href = f"{here}?language={code}" if code else here
                    current = "page" if code == self._language else None
                    link(code or "Everybody else", href, "chip", aria_current=current)
            form = Form(self._other, "row tight")
            with form:
                form.text("language", "Another language", required=True, maxlength=12, placeholder="de")
                form.buttons("Add", style="plain")

    async def _other(self, values: Values) -> Refusal | None:
        spoken: _Spoken = made(_Spoken, language=values["language"].lower())
        self._step.go("content", language=spoken.language)
        return None

    async def _take(self) -> None:
        kept_ones = (await self._desk.read(commands.Templates()))["templates"]
        if not kept_ones:
            return
        form = Form(self._taken, "row")
        with form:
            options = [(one["template"], one["name"]) for one in kept_ones]
            form.choice("template", "Template", options, self._template, required=True)
            form.buttons("Write it into the fields", style="plain")

    async def _taken(self, values: Values) -> Refusal | None:
        self._step.go(
            "content", template=values["template"], **({"language": self._language} if self._language else {})
        )
        return None

    async def _save(self, values: Values) -> Refusal | None:
        letter = letter_of(values)
        if values["do"] == "preview":
            self._preview.sample(letter)
            return None
        changes: Data = letter
        if self._language:
            variants = kept(self._found)["variants"] | {self._language: LanguageVariant.model_validate(letter)}
            if values["do"] == "remove":
                variants.pop(self._language, None)
            changes = {"variants": variants}
        refusal = await replaced(self._desk, self._found, self._form.id, **changes)
        if refusal is None:
            self._after(values)
        return refusal

    def _after(self, values: Values) -> None:
        if values["do"] == "save":
            shown = {"language": self._language, "contact": self._contact}
            self._step.go("content", **{key: value for key, value in shown.items() if value})
        else:
            self._step.then(values)

    async def _findings(self) -> None:
        found = (await self._desk.read(commands.LintMailing(mailing=self._step.mailing)))["findings"]
        with tag("section", "", "card", aria_labelledby="findings"):
            tag("h2", "What was found in it", id="findings")
            tag("p", "As it was saved, for everybody who gets no language of their own.", "under")
            draw_findings(found, fields_here=not self._language)

    async def _as_somebody(self) -> None:
        form = Form(self._show_as, "row")
        with form:
            somebody = f"somebody-{form.id}"
            form.text("contact", "Preview for a contact", self._contact, required=True, type="email", list=somebody)
            form.buttons("Show", style="plain")
        with tag("datalist", id=somebody):
            for row in await self._offered():
                tag("option", value=row["address"])

    async def _offered(self) -> list[Data]:
        if not self._status["audience"]:
            return []
        wanted = commands.Audience(mailing=self._step.mailing, only="recipients", limit=_OFFERED)
        rows: list[Data] = (await self._desk.read(wanted))["rows"]
        return rows

    async def _show_as(self, values: Values) -> Refusal | None:
        wanted = commands.PreviewMailing(mailing=self._step.mailing, contact=values["contact"])
        try:
            self._preview.real(await self._desk.read(wanted))
        except RefusedError as error:  # said at the field: another contact may do
            return error.refusal
        self._contact = values["contact"]
        return None

    def _test(self) -> None:
        if not self._desk.may("send"):
            return
        with tag("section", "", "card", aria_labelledby="test"):
            tag("h2", "Try it on yourself", id="test")
            form = Form(self._send_test)
            with form:
                form.text("to", "Send a test to", required=True, hint="One or more addresses. It goes as it was saved.")
                form.buttons("Send the test", style="plain")
            self._outcome = Outcome(self._desk)

    async def _send_test(self, values: Values) -> Refusal | None:
        wanted = made(commands.SendTest, mailing=self._step.mailing, to=words_of(values["to"]))
        answer = await self._desk.tell(wanted)
        if answer.refusal is None:
            self._outcome.follow(answer.data["test"])
        return answer.refusal


class _Spoken(BaseModel):
    """The code of a language, as drafts spell it."""

    language: Language


def register(console: "Console") -> None:
    """Register the page."""

    @console.page("/mailings/{mailing}/content", "Content", "edit", here="/")
    async def _(frame: Frame, mailing: str) -> None:
        step = Step(frame, mailing, "content")
        if (opened := await step.open(_LEAD)) is not None:
            await _Content(step, *opened).draw()
