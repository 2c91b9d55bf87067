"""Where one is among the steps, and what every step does first: show the way, and whether anything can be changed.

Once a start is set the steps are closed: withdrawing it opens them again. A further step is a row in `STEPS`, a line in
`standing` and a file beside this one.
"""

from dataclasses import dataclass
from urllib.parse import urlencode

from nicegui import ui

from services.reporting.console import words
from services.reporting.console.desk import Data, Desk
from services.reporting.console.form import Form, Values
from services.reporting.console.frame import Frame, heading
from services.reporting.console.html import link, tag
from services.reporting.console.letter import SAMPLE
from services.reporting.console.pages.wizard.start import start_of
from services.reporting.console.written import written
from shared.contracts import commands
from shared.contracts.commands import Refusal

STEPS = (
    ("basics", "Basics"),
    ("recipients", "Recipients"),
    ("content", "Content"),
    ("schedule", "Schedule"),
    ("check", "Check and start"),
)


def standing(status: Data, found: Data) -> dict[str, str]:
    """Say of each step what was done in it, "" of one that is open."""
    people = words.many(status["recipients"] or 0, "person", "people") if status["audience"] else ""
    return {
        "basics": f"from {found['sender_address']}",
        "recipients": people,
        "content": found["subject"] if found["html"] != SAMPLE else "",
        "schedule": start_of(status, status["mailing"]),
        "check": "" if status["status"] == "Planned" else status["status"],
    }


def next_step(done: dict[str, str]) -> str:
    """Return the first step that is open."""
    return next((step for step, _ in STEPS if not done[step]), "check")


def show_steps(mailing: str, done: dict[str, str], here: str = "") -> None:
    """Draw the steps; before there is a mailing only the first one can be gone to."""
    with tag("nav", "", "", aria_label="Steps"), tag("ol", "", "stepper"):
        for step, label in STEPS:
            with tag("li", "", "done" if done.get(step) else ""):
                current = "step" if step == here else None
                if mailing:
                    link(label, f"/mailings/{mailing}/{step}", aria_current=current)
                else:
                    tag("span", label, "name", aria_current=current)
                tag("span", done.get(step) or "open", "under")


@dataclass
class Step:
    """One step of one mailing."""

    frame: Frame
    mailing: str
    name: str

    @property
    def desk(self) -> Desk:
        """The desk of the page."""
        return self.frame.desk

    async def open(self, lead: str) -> tuple[Data, Data] | None:
        """Draw the way; return status and draft, None where nothing can be changed in this step."""
        status = await self.desk.read(commands.Status(mailing=self.mailing))
        found = await written(self.desk, status)
        with tag("nav", "", "crumbs", aria_label="Back"):
            link(f"← {status['name']}", f"/mailings/{self.mailing}")
        heading(dict(STEPS)[self.name], lead)
        self._way = tag("div")
        self._show(status, found)
        if status["status"] != "Planned":
            self._closed(status)
            return None
        return status, found

    def _show(self, status: Data, found: Data) -> None:
        self._way.clear()
        with self._way:
            show_steps(self.mailing, standing(status, found), self.name)

    async def again(self) -> Data:
        """Show the way anew after something changed on the page; return the status."""
        status = await self.desk.read(commands.Status(mailing=self.mailing))
        self._show(status, await written(self.desk, status))
        return status

    def _closed(self, status: Data) -> None:
        """Say why nothing can be changed, and how it could be."""
        with tag("div", "", "nothing"):
            if status["started_at"] or status["status"] not in ("Scheduled", "Paused", "Failed"):
                tag("h2", "It has started" if status["started_at"] else f"It is {status['status'].lower()}")
                tag("p", "What it says and who gets it stay as they are.")
                link("To its page", f"/mailings/{self.mailing}", "button primary")
                return
            tag("h2", "Its start is set")
            begins = start_of(status, self.mailing)
            tag("p", f"It starts {begins}. To change something withdraw the start; it is set anew after.")
            if self.desk.may("send"):
                form = Form(self._withdraw)
                with form:
                    form.buttons("Withdraw the start")

    async def _withdraw(self, _: Values) -> Refusal | None:
        answer = await self.desk.tell(commands.UnscheduleMailing(mailing=self.mailing))
        if answer.refusal is None:
            self.go(self.name)
        return answer.refusal

    def go(self, step: str, **more: str) -> None:
        """Go to a step, with what was seen of the log."""
        query = urlencode({"at": self.desk.position, **more})
        ui.navigate.to(f"/mailings/{self.mailing}/{step}?{query}")

    def then(self, values: Values) -> None:
        """Go on after something was saved: to the next step, or stay where the person wants to."""
        names = [step for step, _ in STEPS]
        self.go(names[names.index(self.name) + 1] if values["do"] == "next" else self.name)
