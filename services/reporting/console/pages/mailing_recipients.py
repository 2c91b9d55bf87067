"""Recipients of a mailing by what became of them, searched by address or name, page by page, with replies."""

from functools import partial

from nicegui import ui

from services.reporting.console import words
from services.reporting.console.desk import Data
from services.reporting.console.frame import Frame
from services.reporting.console.html import Tag, link, pill, tag
from services.reporting.console.listing import NONE, Cell, Column, Listing
from services.reporting.console.searching import search_form
from shared.contracts import commands

_PAGE = 15
_SHOWN = 400
_FILTERS = (
    ("", "All"),
    ("Pending", "Pending"),
    ("Sent", "Sent"),
    ("Failed", "Failed"),
    ("in_doubt", "In doubt"),
    ("opened", "Opened"),
    ("clicked", "Clicked"),
    ("machines", "Machines only"),
    ("unsubscribed", "Unsubscribed"),
    ("bounced", "Bounced later"),
    ("complained", "Complained"),
    ("replied", "Replied"),
)
_GROUPS = {
    "Sent": "sent",
    "Failed": "failed",
    "in_doubt": "in_doubt",
    "opened": "read",
    "clicked": "clicked",
    "bounced": "bounced",
}
_COLUMNS = (
    Column("Recipient", "wide"),
    Column("State", "state"),
    Column("Reply or cause", "wide"),
    Column("Opens", "number"),
    Column("Clicks", "number"),
)


class Recipients:
    """The list; it keeps its filter, search and page while the numbers move."""

    def __init__(self, frame: Frame, mailing: str) -> None:
        self._frame = frame
        self._desk = frame.desk
        self._mailing = mailing
        self._outcome = ""
        self._search = ""
        self._cursors = [""]
        self._rows: list[Data] | None = None
        with tag("section", "", "", aria_labelledby="recipients-title"):
            with tag("div", "", "section-head"):
                tag("h2", "Recipients", id="recipients-title")
                self._follow_up = link("Follow up", f"/mailings/{mailing}/follow-up")
                self._follow_up.put(hidden=None if frame.desk.may("add_recipient") else True)
            with tag("div", "", "chips", role="group", aria_label="Show"):
                self._chips = {value: self._chip(value, label) for value, label in _FILTERS}
            search_form("recipients", self._searched)
            self._empty = tag("p", "", "under", hidden=True, role="status")
            self._listing = Listing("Recipients", _COLUMNS, "cards")
            with tag("div", "", "pager"):
                self._before = tag("button", "Previous", "button", type="button").on("click", self._back)
                self._where = tag("span", "", "under")
                self._after = tag("button", "Next", "button", type="button").on("click", self._forth)

    def _chip(self, value: str, label: str) -> Tag:
        pressed = "true" if value == self._outcome else "false"
        return tag("button", label, "chip", type="button", aria_pressed=pressed).on(
            "click", partial(self.choose, value)
        )

    async def choose(self, value: str) -> None:
        """Show those of one state, and bring them into sight."""
        ui.run_javascript("document.getElementById('recipients-title')?.scrollIntoView({block: 'nearest'})")
        self._outcome, self._cursors = value, [""]
        for key, chip in self._chips.items():
            chip.put(aria_pressed="true" if key == value else "false")
        group = _GROUPS.get(value, "all")
        self._follow_up.put(href=f"/mailings/{self._mailing}/follow-up?group={group}")
        await self.refresh()

    async def _searched(self, text: str) -> None:
        self._search, self._cursors = text, [""]
        await self.refresh()

    async def _back(self) -> None:
        if len(self._cursors) > 1:
            self._cursors.pop()
            await self.refresh()

    async def _forth(self) -> None:
        if self._next:
            self._cursors.append(self._next)
            await self.refresh()

    async def refresh(self) -> None:
        """Read the page that is shown, and draw it if it changed."""
        query = self._wanted()
        found = await self._desk.read(query)
        if query != self._wanted():  # something else was asked for meanwhile, whose answer is drawn
            return
        self._next = found["next"] if len(found["rows"]) == _PAGE else ""
        self._pages()
        if found["rows"] == self._rows:
            return
        self._rows = found["rows"]
        self._listing.fill([self._cells(row) for row in found["rows"]])
        self._listing.wrap.put(hidden=None if found["rows"] else True)
        self._empty.say("" if found["rows"] else self._why_empty())
        self._empty.put(hidden=True if found["rows"] else None)

    def _wanted(self) -> commands.Recipients:
        return commands.Recipients(
            mailing=self._mailing,
            outcome=self._outcome,
            search=self._search,
            after=self._cursors[-1],
            limit=_PAGE,
        )

    def _pages(self) -> None:
        self._before.put(disabled=True if len(self._cursors) == 1 else None)
        self._after.put(disabled=None if self._next else True)
        several = len(self._cursors) > 1 or bool(self._next)
        for part in (self._before, self._after, self._where):
            part.put(hidden=None if several else True)
        self._where.say(f"Page {len(self._cursors)}")

    def _why_empty(self) -> str:
        if self._search:
            return f"Nobody here has “{self._search}” in address or name."
        return "Nobody in this state." if self._outcome else "Recipients appear here once sending has started."

    def _cells(self, row: Data) -> list[Cell]:
        return [
            partial(_who, row),
            partial(_state, row),
            partial(self._what, row),
            str(row["opens"] or NONE),
            str(row["clicks"] or NONE),
        ]

    def _what(self, row: Data) -> None:
        reply = " ".join(str(part) for part in (row["code"] or "", row["enhanced"], row["text"]) if part)
        cause = words.cause(row["outcome"]) if row["status"] == "Failed" and not reply else ""
        tag("span", reply or cause or NONE)
        tries = f" · {words.many(row['attempts'], 'attempt')}" if row["attempts"] > 1 else ""
        again = f" · again {words.exact(row['until'], self._desk.zone)}" if row["until"] else ""
        left = " · unsubscribed" if row["unsubscribed"] else ""
        left += f": {words.reason(row['reason'])}" if row["reason"] else ""
        left += f" · bounced: {row['bounced']}" if row["bounced"] else ""
        left += " · complained" if row["complained"] else ""
        left += " · replied" if row["replied"] else ""
        said = "".join(f" “{text[:_SHOWN]}”" for text in (row["comment"], row["reply"]) if text)
        under = f"{words.exact(row['at'], self._desk.zone)}{tries}{again}{left}{said}".removeprefix(" · ")
        if under:
            tag("span", under, "under")


def _who(row: Data) -> None:
    tag("span", row["address"] or "erased", "name")
    if row["name"]:
        tag("span", row["name"], "under")


def _state(row: Data) -> None:
    if row["outcome"] in ("accepted", "pending"):
        pill(row["status"], words.tone(row["status"]))
    else:
        tone = {"Pending": "amber", "Failed": "amber" if row["outcome"] == "in_doubt" else "red"}[row["status"]]
        pill(row["outcome"].replace("_", " ").capitalize(), tone)
