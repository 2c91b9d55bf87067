"""The dry run of a mailing: every mail made and none sent; how far it is, then what was found."""

from services.reporting.console import words
from services.reporting.console.desk import AwayError, Data, RefusedError
from services.reporting.console.form import Form, Values
from services.reporting.console.frame import Section
from services.reporting.console.html import tag
from services.reporting.console.listing import Column, Listing
from services.reporting.console.live import later
from services.reporting.console.pages.wizard.steps import Step
from shared.contracts import commands
from shared.contracts.commands import Refusal

_LOOK = 1.0
_SHOWN = 20
_COLUMNS = (Column("Recipient", "wide"), Column("Why no mail can be made", "wide"))


class DryRun:
    """The card."""

    def __init__(self, step: Step) -> None:
        self._step = step
        self._desk = step.desk
        place = tag("section", "", "card loose", aria_labelledby="dry-run")
        self._section = Section(step.frame, place, self._draw)

    async def draw(self) -> None:
        """Draw it."""
        await self._section.draw()

    async def _draw(self) -> None:
        tag("h2", "Dry run", id="dry-run")
        try:
            seen = await self._desk.read(commands.DryRunStatus(mailing=self._step.mailing))
        except RefusedError:  # there was none yet
            seen = {"state": ""}
        if seen["state"] == "running":
            await self._running(seen)
            return
        if seen["state"] == "done":
            await self._done(seen)
        elif seen["state"]:
            tag("p", seen["problem"] or "It was ended before it was done.", "problem", role="status")
        else:
            tag("p", "Makes the mail of every recipient as it would be sent, and sends none.", "under")
        if self._desk.may("edit"):
            self._button("Make every mail once more" if seen["state"] else "Make every mail", commands.StartDryRun)

    def _button(self, label: str, command: type[commands.StartDryRun] | type[commands.CancelDryRun]) -> None:
        async def submit(_: Values) -> Refusal | None:
            answer = await self._desk.tell(command(mailing=self._step.mailing))
            if answer.refusal is None:
                await self.draw()
            return answer.refusal

        form = Form(submit)
        with form:
            form.buttons(label, style="plain")

    async def _running(self, seen: Data) -> None:
        waits = f" {seen['problem']}" if seen["problem"] else ""
        tag("p", f"{words.count(seen['done'])} of {words.count(seen['recipients'])} made.{waits}", "", role="status")
        if self._desk.may("edit"):
            self._button("End it", commands.CancelDryRun)
        later(_LOOK, self._again)

    async def _again(self) -> None:
        try:
            await self.draw()
        except AwayError:  # the section shows it, and tries again
            return

    async def _done(self, seen: Data) -> None:
        if not seen["current"]:
            tag("p", "The mailing was changed since.", "problem")
        if not seen["failed"]:
            tag("p", f"All {words.many(seen['mails'], 'mail')} can be made.", "", data_tone="green", role="status")
        else:
            text = f"{words.many(seen['failed'], 'mail')} of {words.count(seen['recipients'])} cannot be made."
            tag("p", text, "problem", role="status")
            missing = ", ".join(f"{field} ({words.count(number)})" for field, number in seen["missing"].items())
            if missing:
                tag("p", f"Fields that are missing: {missing}", "under")
            wanted = commands.DryRunRows(mailing=self._step.mailing, limit=_SHOWN)
            rows = (await self._desk.read(wanted))["rows"]
            listing = Listing("Recipients whose mail cannot be made", _COLUMNS, "cards flat")
            listing.fill([(row["address"] or row["contact"], row["cause"]) for row in rows])
        if seen["mails"]:
            largest, together = words.count(seen["largest"]), words.count(seen["bytes"])
            tag("p", f"The largest mail has {largest} bytes, all together {together}.", "under")
