"""The approval of a mailing by a second person: what would be approved, and the button of whoever may."""

from collections.abc import Awaitable, Callable

from services.reporting.console import words
from services.reporting.console.desk import Data, RefusedError
from services.reporting.console.form import Form, Values
from services.reporting.console.frame import Frame, Section
from services.reporting.console.html import link, tag
from shared.contracts import commands
from shared.contracts.commands import Refusal


class Approval:
    """The card; there while a start is set of a mailing whose campaign asks for approval."""

    def __init__(self, frame: Frame, mailing: str, changed: Callable[[], Awaitable[None]]) -> None:
        self._frame = frame
        self._desk = frame.desk
        self._mailing = mailing
        self._changed = changed
        self._section = Section(frame, tag("div", "", "stack"), self._draw)

    async def refresh(self) -> None:
        """Read and draw it."""
        await self._section.draw()

    async def _draw(self) -> None:
        status = await self._desk.read(commands.Status(mailing=self._mailing))
        if status["started_at"] or status["status"] not in ("Scheduled", "Paused"):
            return
        campaigns = (await self._desk.read(commands.Campaigns()))["campaigns"]
        if not any(row["approval"] for row in campaigns if row["campaign"] == status["campaign"]):
            return
        try:
            seen = await self._desk.read(commands.Forecast(mailing=self._mailing))
        except RefusedError:  # it has ended meanwhile: the news say so
            return
        with tag("section", "", "card", aria_labelledby="approval"):
            tag("h2", "Approval", id="approval")
            if seen["approved"]:
                tag("p", "Somebody approved of it. Any change takes that back.", "", data_tone="green")
                return
            self._plan(status, seen)

    def _plan(self, status: Data, seen: Data) -> None:
        text = "It does not start before somebody approves of it who had no part in it."
        tag("p", text)
        ends = words.moment(seen["finishes_at"], self._desk.zone) or "not within sight"
        people = words.many(status["recipients"] or 0, "person", "people")
        begins = words.moment(seen["starts_at"], self._desk.zone) or "not within sight"
        tag("p", f"{people}, starts {begins}, finished about {ends}. What it says stands below.", "under")
        link("See who gets it", f"/mailings/{self._mailing}/audience")
        if not self._desk.may("approve"):
            return

        async def approve(_: Values) -> Refusal | None:
            answer = await self._desk.tell(commands.ApproveMailing(mailing=self._mailing, plan=seen["plan"]))
            if answer.refusal is None:
                self._frame.say("Approved: it goes out exactly like this.")
                await self._changed()
                await self.refresh()
            return answer.refusal

        form = Form(approve, "spaced")
        with form:
            form.buttons("Approve of exactly this")
