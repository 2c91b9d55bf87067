"""Who was put on a list, some at a time, and the rule that finds others beside them."""

from typing import TYPE_CHECKING

from services.reporting.console.frame import Frame, Section, heading
from services.reporting.console.html import link, tag
from services.reporting.console.listing import NONE, Column, Listing, pager
from services.reporting.console.live import later
from shared.contracts import commands

if TYPE_CHECKING:
    from services.reporting.console.mount import Console

_AT_ONCE = 100
_COLUMNS = (Column("Address", "wide"), Column("Name", "wide"))


class _Members:
    def __init__(self, frame: Frame, key: str) -> None:
        self._desk = frame.desk
        self._list = key
        self._after = ""
        self._section = Section(frame, tag("div", "", "stack"), self._page)

    async def draw(self) -> None:
        """Draw the first of them."""
        await self._section.draw()

    async def _page(self) -> None:
        wanted = commands.ListMembers(list=self._list, after=self._after, limit=_AT_ONCE)
        found = await self._desk.read(wanted)
        heading(found["name"], "Who was put on this list, by imports, opt-ins and other systems.")
        if found["rule"]:
            tag("p", f"On it is also whom its rule finds: {found['rule']}", "under")
        if not found["rows"]:
            tag("p", "Nobody more." if self._after else "Nobody was put on it.", "under")
            return
        listing = Listing("Contacts of the list", _COLUMNS, "cards")
        listing.fill((row["address"], row["name"] or NONE) for row in found["rows"])
        self._next = found["next"]
        pager(self._more if self._next else None, "The next ones")

    def _more(self) -> None:
        self._after = self._next
        later(0, self._section.draw)


def register(console: "Console") -> None:
    """Register the page."""

    @console.page("/lists/{key}/members", "Contacts of a list", here="/contacts")
    async def _(frame: Frame, key: str) -> None:
        with tag("nav", "", "crumbs", aria_label="Back"):
            link("← Contacts", "/contacts")
        await _Members(frame, key).draw()
