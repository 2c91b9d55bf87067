"""Last step: everything looked at once more, then the start is set. Nothing goes out before that."""

from typing import TYPE_CHECKING

from nicegui import ui

from services.reporting.console import words
from services.reporting.console.desk import Data, RefusedError
from services.reporting.console.findings import draw_findings
from services.reporting.console.form import Form, Values
from services.reporting.console.frame import Frame, Section
from services.reporting.console.html import link, tag
from services.reporting.console.letter import SAMPLE
from services.reporting.console.pages.wizard import start
from services.reporting.console.pages.wizard.counted import draw_counting
from services.reporting.console.pages.wizard.dry_run import DryRun
from services.reporting.console.pages.wizard.fitness import draw_fitness
from services.reporting.console.pages.wizard.steps import Step
from shared.contracts import commands
from shared.contracts.commands import Refusal, Start

if TYPE_CHECKING:
    from services.reporting.console.mount import Console

_LEAD = "What it says, who gets it and when, looked at once more. Then it starts."
_UNWRITTEN = {
    "severity": "error",
    "message": "It still says what a new mailing says: nobody wrote it.",
    "remedy": "Write it in the step before.",
    "field": "html",
    "line": 1,
}


class _Check:
    def __init__(self, step: Step, found: Data) -> None:
        self._step = step
        self._desk = step.desk
        self._found = found
        self._wanted = start.chosen(step.mailing) or Start(mailing=step.mailing, zone=step.desk.zone.key)

    async def draw(self) -> None:
        """Draw a card for each thing to look at, and the start."""
        with tag("div", "", "columns"):
            with tag("div", "", "stack"):
                await self._content()
                self._dry_run = DryRun(self._step)
                with tag("section", "", "card", aria_labelledby="account"):
                    tag("h2", "Account", id="account")
                    await draw_fitness(self._desk, self._found)
            with tag("div", "", "stack"):
                place = tag("div", "", "stack")
                self._counted = Section(self._step.frame, place, self._people_and_start)
                await self._counted.draw()

    async def _content(self) -> None:
        found = (await self._desk.read(commands.LintMailing(mailing=self._step.mailing)))["findings"]
        unwritten = [_UNWRITTEN] if self._found["html"] == SAMPLE else []
        with tag("section", "", "card loose", aria_labelledby="content"):
            tag("h2", "Content", id="content")
            tag("p", self._found["subject"], "preview-subject")
            draw_findings([*unwritten, *found], fields_here=False)
            link("To the content", f"/mailings/{self._step.mailing}/content")

    async def _people_and_start(self) -> None:
        status = await self._step.again()
        with tag("section", "", "card loose", aria_labelledby="counted"):
            tag("h2", "Recipients", id="counted")
            draw_counting(self._desk, status, self._counted.draw)
        await self._dry_run.draw()
        with tag("section", "", "card loose", aria_labelledby="start"):
            tag("h2", "Start", id="start")
            await self._forecast()
            await self._approval()
            if not self._desk.may("send"):
                tag("p", "This needs the permission “send”.", "under")
            elif status["audience"]:
                form = Form(self._set)
                with form:
                    form.buttons("Schedule it" if self._wanted.at else "Start now")

    async def _forecast(self) -> None:
        wanted = self._wanted
        with tag("dl", "", "facts narrow"):
            _fact("Starts", start.told(wanted.at, wanted.zone))
            _fact("Goes out", start.hours_of(wanted.hours, wanted.zone))
            if wanted.deadline:
                _fact("Not after", start.told(wanted.deadline, wanted.zone))
        try:
            seen = await self._desk.read(commands.Foresee.model_validate(wanted.model_dump()))
        except RefusedError as error:  # said here, with the way to mend it
            tag(
                "p",
                error.refusal.message,
                "problem" if error.refusal.code != "audience_missing" else "under",
                role="status",
            )
        else:
            self._foreseen(seen)
        link("Change the schedule", f"/mailings/{self._step.mailing}/schedule")

    def _foreseen(self, seen: Data) -> None:
        zone, at = self._desk.zone, f"{seen['per_second'] * 3600:,.0f} an hour"
        ends = words.moment(seen["finishes_at"], zone)
        assumed = f", if {at} go out: nothing limits the rate" if seen["assumed"] else ""
        tag("p", f"Finished about {ends}{assumed}." if ends else "It would not be finished within sight.", "forecast")
        if seen["expired"]:
            tag(
                "p",
                f"{words.many(seen['expired'], 'person', 'people')} would not get it before the deadline.",
                "problem",
            )
        if seen["sharing"]:
            tag("p", f"{words.many(seen['sharing'], 'other mailing')} on the account at present.", "under")

    async def _approval(self) -> None:
        campaigns = (await self._desk.read(commands.Campaigns()))["campaigns"]
        if any(row["approval"] for row in campaigns if row["campaign"] == self._found["campaign"]):
            tag(
                "p",
                "Its campaign asks for approval: it starts when somebody else has approved of it, on its page.",
                "said",
            )

    async def _set(self, _: Values) -> Refusal | None:
        answer = await self._desk.tell(commands.ScheduleMailing.model_validate(self._wanted.model_dump()))
        if answer.refusal is None:
            start.forget(self._step.mailing)
            ui.navigate.to(f"/mailings/{self._step.mailing}?at={answer.position}")
        return answer.refusal


def _fact(label: str, text: str) -> None:
    with tag("div"):
        tag("dt", label)
        tag("dd", text)


def register(console: "Console") -> None:
    """Register the page."""

    @console.page("/mailings/{mailing}/check", "Check and start", here="/")
    async def _(frame: Frame, mailing: str) -> None:
        step = Step(frame, mailing, "check")
        if (opened := await step.open(_LEAD)) is not None:
            await _Check(step, opened[1]).draw()
