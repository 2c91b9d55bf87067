"""Third step: what it says, in each language and version, with a preview, what is wrong with it, a test to oneself."""

from typing import TYPE_CHECKING
from urllib.parse import urlencode

from nicegui import ui
from pydantic import BaseModel

from services.reporting.console.desk import Data, RefusedError
from services.reporting.console.findings import draw_findings
from services.reporting.console.form import Form, Values, made, words_of
from services.reporting.console.frame import Frame
from services.reporting.console.html import link, tag
from services.reporting.console.letter import PreviewCard, letter_fields, letter_of
from services.reporting.console.outcome import Outcome
from services.reporting.console.pages.wizard.ab_test import AbTest
from services.reporting.console.pages.wizard.details import detail_fields, details_of, preheader_field
from services.reporting.console.pages.wizard.files import Files
from services.reporting.console.pages.wizard.steps import Step
from services.reporting.console.wordings import (
    LETTERS,
    Draft,
    Language,
    Version,
    Wording,
    all_of,
    next_version,
)
from services.reporting.console.written import TEXTS, replaced
from shared.contracts import commands
from shared.contracts.commands import Refusal
from shared.contracts.commands.mailings import Language as LanguageCode

if TYPE_CHECKING:
    from services.reporting.console.mount import Console

_LEAD = "What it says. Whoever speaks a language you add gets it in that one; versions are tried on a sample."
_OFFERED = 20


class _Content:
    """The letter in one of its wordings."""

    def __init__(self, step: Step, status: Data, found: Data) -> None:
        asked = ui.context.client.request.query_params
        self._step = step
        self._desk = step.desk
        self._status = status
        self._found = found
        self._wording = _asked(str(asked.get("language", ""))[:12].lower(), str(asked.get("version", "")))
        self._template = str(asked.get("template", ""))[:24]
        self._contact = str(asked.get("contact", ""))[:320]

    async def draw(self) -> None:
        """Draw the letter with all that helps to write it."""
        said = await self._said()
        self._wordings()
        with tag("div", "", "columns"):
            with tag("div", "", "stack"):
                with tag("section", "", "card", aria_label="Letter"):
                    await self._take()
                    self._form = Form(self._save, "wide", aliases={name: name for name in TEXTS})
                    with self._form as form:
                        self._fields(form, said)
                        removes = [("remove", "Leave this out")] if self._wording.query else []
                        form.buttons(("next", "Save and go on"), ("save", "Save"), ("preview", "Preview"), *removes)
                AbTest(self._step, self._found).draw()
                await self._findings()
            with tag("div", "", "stack"):
                self._preview = PreviewCard()
                with self._preview.below:
                    await self._as_somebody()
                self._test()
        self._preview.sample(said)
        if self._contact:
            await self._show_as(Values([("contact", self._contact)]))

    def _fields(self, form: Form, said: Data) -> None:
        """Draw the letter; what is said once for all wordings stands with the one of the draft."""
        if self._wording.query:
            letter_fields(form, said)
            return
        letter_fields(form, said, lambda: preheader_field(form, self._found))
        self._files = Files(self._desk, self._found["attachments"])
        self._files.draw(form)
        detail_fields(form, self._found)

    async def _said(self) -> Data:
        """Return what the fields begin with: the template that was chosen, else what was written."""
        if self._template:
            return await self._desk.read(commands.ShowTemplate(template=self._template))
        return self._wording.said(self._found)

    def _wordings(self) -> None:
        here, known = f"/mailings/{self._step.mailing}/content", all_of(self._found)
        with tag("section", "", "languages", aria_label="Languages and versions"):
            with tag("div", "", "chips"):
                for one in known if self._wording in known else [*known, self._wording]:
                    href = f"{here}?{urlencode(one.query)}" if one.query else here
                    link(one.label, href, "chip", aria_current="page" if one == self._wording else None)
                if letter := next_version(self._found):
                    link("Try another version", f"{here}?version={letter}", "quiet")
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
        self._step.go("content", template=values["template"], **self._wording.query)
        return None

    async def _save(self, values: Values) -> Refusal | None:
        letter = letter_of(values)
        if values["do"] == "preview":
            self._preview.sample(letter)
            return None
        if self._wording.query:
            leaves = values["do"] == "remove"
            changes = self._wording.removed(self._found) if leaves else self._wording.changes(self._found, letter)
            refusal = await replaced(self._desk, self._found, self._form.id, **changes)
        else:
            refusal = await self._draft(values, letter)
        if refusal is None:
            self._after(values)
        return refusal

    async def _draft(self, values: Values, letter: Data) -> Refusal | None:
        details = details_of(values)
        if isinstance(details, Refusal):
            return details
        changes = {**letter, **details, "attachments": self._files.said(values)}
        refusal = await replaced(self._desk, self._found, self._form.id, **changes)
        return refusal and self._files.placed(refusal, values)

    def _after(self, values: Values) -> None:
        if values["do"] == "save":
            contact = {"contact": self._contact} if self._contact else {}
            self._step.go("content", **self._wording.query, **contact)
        else:
            self._step.then(values)

    async def _findings(self) -> None:
        found = (await self._desk.read(commands.LintMailing(mailing=self._step.mailing)))["findings"]
        with tag("section", "", "card", aria_labelledby="findings"):
            tag("h2", "What was found in it", id="findings")
            tag("p", "As it was saved, for everybody who gets no language of their own.", "under")
            draw_findings(found, fields_here=not self._wording.query)

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
        named = {"contact": values["contact"], "version": self._wording.version}
        wanted = commands.PreviewMailing.model_validate({"mailing": self._step.mailing, **named})
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
                hint = "One or more addresses; yours, if empty. It goes as it was saved."
                form.text("to", "Send a test to", hint=hint)
                form.buttons("Send the test", style="plain")
            self._outcome = Outcome(self._desk)

    async def _send_test(self, values: Values) -> Refusal | None:
        wanted = made(commands.SendTest, mailing=self._step.mailing, to=words_of(values["to"]))
        answer = await self._desk.tell(wanted)
        if answer.refusal is None:
            self._outcome.follow(answer.data["test"])
        return answer.refusal


def _asked(language: str, version: str) -> Wording:
    """Return the wording that a page was asked for."""
    if version in LETTERS:
        return Version(version)
    return Language(language) if language else Draft({})


class _Spoken(BaseModel):
    """The code of a language, as drafts spell it."""

    language: LanguageCode


def register(console: "Console") -> None:
    """Register the page."""

    @console.page("/mailings/{mailing}/content", "Content", "edit", here="/")
    async def _(frame: Frame, mailing: str) -> None:
        step = Step(frame, mailing, "content")
        if (opened := await step.open(_LEAD)) is not None:
            await _Content(step, *opened).draw()
