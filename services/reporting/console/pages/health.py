"""How the system is: whether each view keeps up with the log, and why one that stands still does."""

from typing import TYPE_CHECKING

from services.reporting.console import words
from services.reporting.console.desk import Data
from services.reporting.console.frame import Frame, Section, heading
from services.reporting.console.html import pill, tag
from services.reporting.console.listing import NONE, Cell, Column, Listing
from services.reporting.console.live import later
from shared.contracts import commands

if TYPE_CHECKING:
    from services.reporting.console.mount import Console

_EVERY = 5.0
_COLUMNS = (
    Column("View"),
    Column("State", "state"),
    Column("Position", "number"),
    Column("Behind", "number"),
    Column("Why", "wide"),
)
_PROVIDERS = (
    Column("Provider", "wide"),
    Column("Hour", "when"),
    *(Column(name, "number") for name in ("Accepted", "Deferred", "Rejected", "Slowed", "Suspended")),
)


class _Health:
    def __init__(self, frame: Frame) -> None:
        self._frame = frame
        self._desk = frame.desk

    async def draw(self) -> None:
        """Draw the page and keep it up to date."""
        heading("Health", "Every number is computed from the log of events. Here is how far each view has read it.")
        self._section = Section(self._frame, tag("div", "", "stack"), self._views)
        await self._again()

    async def _again(self) -> None:
        await self._section.draw()
        later(_EVERY, self._again)

    async def _views(self) -> None:
        found = await self._desk.read(commands.ViewHealth())
        accounts = (await self._desk.read(commands.Accounts()))["accounts"]
        paused = [view for view in found["views"] if view["state"] != "running"]
        broken = [account["name"] for account in accounts if account["tested"] and not account["working"]]
        with tag("dl", "", "tiles"):
            _tile("Events in the log", words.count(found["end"]))
            _tile("Views standing still", words.count(len(paused)))
            _tile("Furthest behind", words.count(max((view["lag"] for view in found["views"]), default=0)))
            _tile("Accounts that do not work", words.count(len(broken)))
        listing = Listing("Views", _COLUMNS, "cards")
        listing.fill([_cells(view) for view in found["views"]])
        names = {account["account"]: account["name"] for account in accounts}
        hours = (await self._desk.read(commands.ProviderHealth(hours=6)))["rows"]
        if hours:
            tag("h2", "Providers, the last hours")
            Listing("Providers", _PROVIDERS, "cards").fill([_hour(each, names) for each in hours])


def _hour(row: Data, names: dict[str, str]) -> list[Cell]:
    counts = (row[name] for name in ("accepted", "deferred", "rejected", "slowed", "suspended"))
    who = f"{names.get(row['account'], row['account'])}: {row['provider'] or 'all'}"
    return [who, f"{row['hour'][:13]}:00 UTC".replace("T", " "), *(words.count(count) for count in counts)]


def _tile(label: str, figure: str) -> None:
    with tag("div", "", "tile"):
        tag("dt", label)
        with tag("dd"):
            tag("span", figure, "figure")


def _cells(view: Data) -> list[Cell]:
    state = "Reading" if view["state"] == "running" else str(view["state"]).capitalize()
    tone = "green" if view["state"] == "running" else "red"
    why = f"{view['reason']} (event {view['failed_seq']})" if view["reason"] else NONE
    return [
        view["name"],
        lambda: pill(state, tone),
        words.count(view["position"]),
        words.count(view["lag"]),
        why,
    ]


def register(console: "Console") -> None:
    """Register the page."""

    @console.page("/health", "Health")
    async def _(frame: Frame) -> None:
        await _Health(frame).draw()
