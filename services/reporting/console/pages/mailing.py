"""One mailing, live: its numbers, its chart, who got it, and what can be done about it.

The parts stand in files of their own (`mailing_*.py`). News of the log move the numbers at once; what costs more to
read (chart, recipients, links, log) is read again every two seconds while something happens.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from services.reporting.console import words
from services.reporting.console.desk import AwayError, Data
from services.reporting.console.frame import Frame, Section, heading
from services.reporting.console.html import link, pill, tag
from services.reporting.console.live import follow, later
from services.reporting.console.pages.mailing_approval import Approval
from services.reporting.console.pages.mailing_chart import Chart
from services.reporting.console.pages.mailing_controls import Controls
from services.reporting.console.pages.mailing_doubts import Doubts
from services.reporting.console.pages.mailing_facts import Facts, Ledger, Links, Log
from services.reporting.console.pages.mailing_message import Message
from services.reporting.console.pages.mailing_numbers import Numbers
from services.reporting.console.pages.mailing_recipients import Recipients
from services.reporting.console.pages.mailing_steps import Steps
from services.reporting.console.pages.mailing_versions import Versions
from shared.contracts import commands

if TYPE_CHECKING:
    from services.reporting.console.mount import Console

_SLOW = 2.0


class _Mailing:
    """The page as it stands."""

    def __init__(self, frame: Frame, mailing: str) -> None:
        self._frame = frame
        self._mailing = mailing
        self._shown: tuple[object, ...] = ()
        self._refreshing = False
        self._again = False

    async def draw(self) -> None:
        """Read and draw everything."""
        frame, mailing = self._frame, self._mailing
        status = await frame.desk.read(commands.Status(mailing=mailing))
        with heading(status["name"], status["subject"]) as actions:
            self._controls = Controls(frame, mailing, self.changed)
        with actions.beside:
            self._state = pill("", "plain")
        self._reason = tag("p", "", "reason", hidden=True)
        self._steps = Section(frame, tag("div", "", "stack"), Steps(frame, mailing).draw)
        self._approval = Approval(frame, mailing, self.changed)
        with tag("div", "", "stack") as self._sent:
            self._numbers = Numbers(self._open)
        with tag("div", "", "columns") as self._columns:
            with tag("div", "", "stack"):
                self._chart = Chart(frame.desk, mailing)
                self._versions = Versions(frame, mailing, self.changed)
                self._recipients = Recipients(frame, mailing)
            with tag("div", "", "stack"):
                self._facts = Facts(frame.desk)
                self._message = Message(frame.desk, mailing)
                self._doubts = Doubts(frame, mailing, self.changed)
                self._links = Links(frame.desk, mailing)
                self._ledger = Ledger(frame, mailing)
        self._log = Log(frame.desk, mailing)
        await self._news(status)
        await self._slowly()
        follow(frame.desk, mailing, self._news, self._away)

    async def _open(self, outcome: str) -> None:
        """Show who is behind a number."""
        await self._recipients.choose(outcome)

    async def changed(self) -> None:
        """Show what a command did without waiting for news."""
        await self._news(await self._frame.desk.read(commands.Status(mailing=self._mailing)))

    async def _news(self, status: Data) -> None:
        self._frame.back()
        self._state.say(status["status"])
        self._state.put(data_tone=words.tone(status["status"]))
        why = status["reason"] or words.closed(status, self._frame.desk.zone)
        self._reason.say(why)
        self._reason.put(hidden=None if why else True)
        self._numbers.show(status)
        self._facts.show(status)
        self._versions.show(status)
        begun = status["status"] != "Planned"
        self._sent.put(hidden=None if begun else True)
        self._columns.put(data_planned=None if begun else "")
        shown = (status["status"], status["audience"], status["limits"], status["scheduled_at"], status["name"])
        if shown != self._shown:  # what can be done depends on these alone
            self._shown = shown
            self._controls.show(status)
            await self._steps.draw()
            await self._approval.refresh()
            await self._message.refresh()
        await self._soon()

    async def _soon(self) -> None:
        """Read what costs more, at most every two seconds and once more after the last news."""
        if self._refreshing:
            self._again = True
            return
        self._refreshing = True
        later(_SLOW, self._refresh)

    async def _refresh(self) -> None:
        self._refreshing = self._again = False
        try:
            await self._slowly()
        except AwayError as error:  # the news will say when it is back
            self._away(error)

    async def _slowly(self) -> None:
        parts: tuple[Callable[[], Awaitable[None]], ...] = (
            self._chart.refresh,
            self._versions.refresh,
            self._recipients.refresh,
            self._doubts.refresh,
            self._links.refresh,
            self._log.refresh,
        )
        await asyncio.gather(*(part() for part in parts))

    def _away(self, error: AwayError) -> None:
        self._frame.away(str(error), self.changed)


def register(console: "Console") -> None:
    """Register the page."""

    @console.page("/mailings/{mailing}", "Mailing", here="/")
    async def _(frame: Frame, mailing: str) -> None:
        with tag("nav", "", "crumbs", aria_label="Back"):
            link("← All mailings", "/")
        await _Mailing(frame, mailing).draw()
