"""Templates that are kept: listed, written with a preview and what is wrong with them, deleted."""

from functools import partial
from typing import TYPE_CHECKING

from nicegui import ui

from services.reporting.console import words
from services.reporting.console.desk import Data
from services.reporting.console.dialog import Question, dialog_button
from services.reporting.console.findings import draw_findings
from services.reporting.console.form import Form, Values, made
from services.reporting.console.frame import Frame, Section, heading, nothing
from services.reporting.console.html import Tag, link, tag
from services.reporting.console.letter import SAMPLE, PreviewCard, letter_fields, letter_of
from services.reporting.console.listing import NONE, Cell, Column, Listing
from services.reporting.console.pages.tracking_urls import TrackingUrls
from services.reporting.console.written import TEXTS
from shared.contracts import commands
from shared.contracts.commands import Refusal
from shared.contracts.lint import lint
from shared.contracts.plain_braces import convert
from shared.contracts.template import TemplateError, placeholders
from shared.record_fields import record_fields

if TYPE_CHECKING:
    from services.reporting.console.mount import Console

_COLUMNS = (Column("Template", "wide"), Column("Subject", "wide"), Column("Saved", "when"), Column("Actions", "do"))
_LEAD = "What mailings and single mails begin with. A mailing copies what it takes: a later change changes no mailing."


class _Templates:
    """The list."""

    def __init__(self, frame: Frame) -> None:
        self._frame = frame
        self._desk = frame.desk
        self._section: Section

    async def draw(self) -> None:
        """Draw the page."""
        with heading("Templates", _LEAD):
            if self._desk.may("edit"):
                link("New template", "/templates/new", "button primary")
        self._section = Section(self._frame, tag("div", "", "stack"), self._list)
        await self._section.draw()
        await TrackingUrls(self._frame).draw()

    async def _list(self) -> None:
        kept = (await self._desk.read(commands.Templates()))["templates"]
        if not kept:
            may = self._desk.may("edit")
            nothing(
                "No template yet", "Keep a letter that is used again.", "Write one" if may else "", "/templates/new"
            )
            return
        Listing("Templates", _COLUMNS, "cards").fill([self._row(one) for one in kept])

    def _row(self, one: Data) -> list[Cell]:
        href, saved = f"/templates/{one['template']}", words.moment(one["saved_at"], self._desk.zone)
        return [partial(link, one["name"], href, "name"), one["subject"] or NONE, saved, partial(self._actions, one)]

    def _actions(self, one: Data) -> Tag:
        async def delete(_: Values) -> Refusal | None:
            answer = await self._desk.tell(commands.DeleteTemplate(template=one["template"]))
            if answer.refusal is None:
                self._frame.say(f"{one['name']} was deleted.")
                await self._section.draw()
            return answer.refusal

        with tag("div", "", "actions") as actions:
            if self._desk.may("delete"):
                text = "Mailings that were made from it stay as they are."
                dialog_button("Delete", Question(f"Delete {one['name']}?", text, "Delete it", "danger small"), delete)
        return actions


class _Template:
    """The form of one template, new or kept."""

    def __init__(self, frame: Frame, said: Data) -> None:
        self._frame = frame
        self._desk = frame.desk
        self._said = said

    def draw(self) -> None:
        """Draw it."""
        with tag("nav", "", "crumbs", aria_label="Back"):
            link("← Templates", "/templates")
        heading(self._said.get("name") or "New template")
        with tag("div", "", "columns"):
            with tag("div", "", "stack"):
                with tag("section", "", "card", aria_label="Template"):
                    self._form = Form(self._submit, "wide")
                    with self._form as form:
                        form.text("name", "Name", self._said.get("name", ""), required=True, maxlength=200)
                        letter_fields(form, self._said or {"html": SAMPLE})
                        text = "It was written for another system: {Person.firstName}. It is kept in our spelling."
                        form.box("single_braces", "Placeholders in single braces", text)
                        if self._desk.may("edit"):
                            form.buttons(("save", "Save"), ("look", "Preview and look it over"))
                        else:
                            form.buttons(("look", "Preview and look it over"))
                with tag("section", "", "card", aria_labelledby="findings"):
                    tag("h2", "What was found in it", id="findings")
                    self._found = tag("div", "", "stack", role="status")
            self._preview = PreviewCard()
        self._look(self._said or {"html": SAMPLE})

    def _look(self, said: Data) -> None:
        self._preview.sample(said)
        found = lint(said.get("subject", ""), said.get("html", ""), said.get("text", ""), _fields(said))
        rows = [{name: getattr(one, name) for name in one.__slots__} for one in found]
        self._found.clear()
        with self._found:
            draw_findings(rows, fields_here=True)

    async def _submit(self, values: Values) -> Refusal | None:
        letter = letter_of(values)
        if values["single_braces"] == "yes":
            letter = {name: convert(text, record_fields(), {}).source for name, text in letter.items()}
        self._look(letter)
        if values["do"] == "look":
            return None
        template = self._said.get("template", "")
        command = made(commands.SaveTemplate, template=template, name=values["name"], **letter)
        answer = await self._desk.tell(command, self._form.id)
        if answer.refusal is None:
            ui.navigate.to(f"/templates?at={answer.position}")
        return answer.refusal


def _fields(said: Data) -> set[str]:
    """Return what it asks of contacts: whether they have it is found out when it is used."""
    try:
        return {field for name in TEXTS for field in placeholders(said.get(name, ""), html=name == "html")}
    except TemplateError:  # found by the lint, with its line
        return set()


def register(console: "Console") -> None:
    """Register the pages."""

    @console.page("/templates", "Templates")
    async def _(frame: Frame) -> None:
        await _Templates(frame).draw()

    @console.page("/templates/new", "New template", "edit", here="/templates")
    async def _(frame: Frame) -> None:
        _Template(frame, {}).draw()

    @console.page("/templates/{template}", "Template", here="/templates")
    async def _(frame: Frame, template: str) -> None:
        _Template(frame, await frame.desk.read(commands.ShowTemplate(template=template))).draw()
