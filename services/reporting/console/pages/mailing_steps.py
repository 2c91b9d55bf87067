"""Before its start: the steps of a mailing with what was done in each, and the way to the next one."""

from services.reporting.console.frame import Frame
from services.reporting.console.html import link, tag
from services.reporting.console.pages.wizard.steps import STEPS, next_step, show_steps, standing
from services.reporting.console.written import written
from shared.contracts import commands


class Steps:
    """The card; there while the mailing is planned."""

    def __init__(self, frame: Frame, mailing: str) -> None:
        self._desk = frame.desk
        self._mailing = mailing

    async def draw(self) -> None:
        """Draw it."""
        status = await self._desk.read(commands.Status(mailing=self._mailing))
        if status["status"] != "Planned" or not (self._desk.may("edit") or self._desk.may("send")):
            return
        done = standing(status, await written(self._desk, status))
        step = next_step(done)
        with tag("section", "", "card", aria_labelledby="steps"):
            with tag("div", "", "section-head"):
                tag("h2", "Before it starts", id="steps")
                label = dict(STEPS)[step]
                link(f"Go on: {label.lower()}", f"/mailings/{self._mailing}/{step}", "button primary")
            show_steps(self._mailing, done)
