"""Who gets a mailing, fixed: everybody with address and name, and everybody left out with the reason.

While it is planned, single people are left out here or let in; the rest is fixed anew with each.
"""

from functools import partial
from typing import TYPE_CHECKING

from services.reporting.console import words
from services.reporting.console.desk import Data
from services.reporting.console.frame import Frame, Section, heading, nothing
from services.reporting.console.html import Tag, link, tag
from services.reporting.console.listing import NONE, Cell, Column, Listing
from services.reporting.console.searching import search_form
from shared.contracts import commands
from shared.contracts.commands import AddRecipients, RemoveRecipients

if TYPE_CHECKING:
    from services.reporting.console.mount import Console

_PAGE = 50
_SHOW = (("all", "All"), ("recipients", "Get it"), ("skipped", "Left out"))
_COLUMNS = (Column("Address", "wide"), Column("Name", "wide"), Column("Left out because", "wide"))
_LET_IN = ("removed", "excluded", "not_on_helper_list", "frequency_cap")
"""Reasons that do not hold for who was added by hand."""


class _Audience:
    def __init__(self, frame: Frame, mailing: str) -> None:
        self._frame = frame
        self._desk = frame.desk
        self._mailing = mailing
        self._only = "all"
        self._search = ""
        self._after = ""

    async def draw(self) -> None:
        """Draw the page."""
        status = await self._desk.read(commands.Status(mailing=self._mailing))
        with tag("nav", "", "crumbs", aria_label="Back"):
            link(f"← {status['name']}", f"/mailings/{self._mailing}")
        heading("Recipients")
        if not status["audience"]:
            href = f"/mailings/{self._mailing}/recipients"
            nothing("Nobody is fixed yet", "Choose where they come from, and count them.", "To the recipients", href)
            return
        self._changes = status["status"] == "Planned" and self._desk.may("edit")
        self._counts = Section(self._frame, tag("div", "", "stack"), self._count)
        await self._counts.draw()
        with tag("section"):
            with tag("div", "", "chips", role="group", aria_label="Show"):
                self._chips = {key: self._chip(key, label) for key, label in _SHOW}
            search_form("audience", self._searched)
            columns = (*_COLUMNS, Column("Change", "do")) if self._changes else _COLUMNS
            self._listing = Listing("Recipients", columns, "cards")
            self._more = tag("button", "Show more", "button", type="button").on("click", self._further)
        await self._further()

    async def _count(self) -> None:
        status = await self._desk.read(commands.Status(mailing=self._mailing))
        people = words.many(status["recipients"] or 0, "person gets", "people get")
        tag("p", f"{people} it, {words.count(sum(status['left_out'].values()))} left out.", "lead", role="status")

    def _chip(self, key: str, label: str) -> Tag:
        async def choose() -> None:
            self._only = key
            for other, chip in self._chips.items():
                chip.put(aria_pressed="true" if other == key else "false")
            await self._anew()

        pressed = "true" if key == self._only else "false"
        return tag("button", label, "chip", type="button", aria_pressed=pressed).on("click", choose)

    async def _searched(self, text: str) -> None:
        self._search = text
        await self._anew()

    async def _anew(self) -> None:
        self._after = ""
        self._listing.fill([])
        await self._further()

    async def _further(self) -> None:
        place = {"after": self._after, "limit": _PAGE}
        fields = {"mailing": self._mailing, "only": self._only, "search": self._search} | place
        found = await self._desk.read(commands.Audience.model_validate(fields))
        for row in found["rows"]:
            self._listing.row(self._cells(row))
        self._after = found["next"]
        self._more.put(hidden=None if self._after else True)

    def _cells(self, row: Data) -> list[Cell]:
        because = words.reason(row["skipped"]) if row["skipped"] else NONE
        cells: list[Cell] = [row["address"] or row["contact"], row["name"] or NONE, because]
        return [*cells, partial(self._change, row)] if self._changes else cells

    def _change(self, row: Data) -> None:
        name = row["address"] or row["contact"]
        if not row["skipped"] and self._desk.may("remove_recipient"):
            self._button("Leave out", name, RemoveRecipients(mailing=self._mailing, contacts=[row["contact"]]))
        elif row["skipped"] in _LET_IN and self._desk.may("add_recipient"):
            self._button("Let in", name, AddRecipients(mailing=self._mailing, contacts=[row["contact"]]))

    def _button(self, label: str, who: str, command: AddRecipients | RemoveRecipients) -> None:
        async def click() -> None:
            answer = await self._desk.tell(command)
            if answer.refusal is None:
                answer = await self._desk.tell(commands.FreezeAudience(mailing=self._mailing))
            self._frame.say(
                answer.refusal.message if answer.refusal else f"{label}: {who}. Everybody was counted again."
            )
            if answer.refusal is None:
                await self._counts.draw()
                await self._anew()

        tag("button", label, "button small", type="button", aria_label=f"{label}: {who}").on("click", click)


def register(console: "Console") -> None:
    """Register the page."""

    @console.page("/mailings/{mailing}/audience", "Recipients", here="/")
    async def _(frame: Frame, mailing: str) -> None:
        await _Audience(frame, mailing).draw()
