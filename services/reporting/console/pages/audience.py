"""Who gets a mailing, frozen: everybody with address and name, and everybody left out with the reason."""

from typing import TYPE_CHECKING

from nicegui.events import GenericEventArguments

from services.reporting.console import words
from services.reporting.console.desk import Data
from services.reporting.console.frame import Frame, heading
from services.reporting.console.html import Tag, link, tag
from services.reporting.console.listing import NONE, Column, Listing
from shared.contracts import commands

if TYPE_CHECKING:
    from services.reporting.console.mount import Console

_PAGE = 50
_SENT = "(e) => { e.preventDefault(); emit(e.target.elements.search.value); }"
_SHOW = (("all", "All"), ("recipients", "Get it"), ("skipped", "Left out"))
_COLUMNS = (Column("Address", "wide"), Column("Name", "wide"), Column("Left out because", "wide"))


class _Audience:
    def __init__(self, frame: Frame, mailing: str) -> None:
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
        left = sum(status["left_out"].values())
        heading(
            "Recipients",
            f"{words.many(status['recipients'] or 0, 'person gets', 'people get')} it, {words.count(left)} left out.",
        )
        with tag("section"):
            with tag("div", "", "chips", role="group", aria_label="Show"):
                self._chips = {key: self._chip(key, label) for key, label in _SHOW}
            search = tag("form", "", "search", role="search")
            search.on("submit", self._searched, js_handler=_SENT)
            with search:
                label = "Search for an address or a name"
                tag("label", label, "unseen", for_="audience-search")
                fields = {"name": "search", "type": "search", "placeholder": label, "maxlength": 200}
                tag("input", id="audience-search", **fields)
                tag("button", "Search", "button", type="submit")
            self._listing = Listing("Recipients", _COLUMNS, "cards")
            self._more = tag("button", "Show more", "button", type="button").on("click", self._further)
        await self._further()

    def _chip(self, key: str, label: str) -> Tag:
        async def choose() -> None:
            self._only = key
            for other, chip in self._chips.items():
                chip.put(aria_pressed="true" if other == key else "false")
            await self._anew()

        pressed = "true" if key == self._only else "false"
        return tag("button", label, "chip", type="button", aria_pressed=pressed).on("click", choose)

    async def _searched(self, event: GenericEventArguments) -> None:
        self._search = str(event.args)
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
            self._listing.row(_cells(row))
        self._after = found["next"]
        self._more.put(hidden=None if self._after else True)


def _cells(row: Data) -> tuple[str, str, str]:
    return (
        row["address"] or row["contact"],
        row["name"] or NONE,
        words.reason(row["skipped"]) if row["skipped"] else NONE,
    )


def register(console: "Console") -> None:
    """Register the page."""

    @console.page("/mailings/{mailing}/audience", "Recipients", here="/")
    async def _(frame: Frame, mailing: str) -> None:
        await _Audience(frame, mailing).draw()
