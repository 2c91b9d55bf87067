"""The first page: every campaign with its mailings, their state and how far they are, live.

Where nothing is there yet it says what to do first, in order.
"""

from functools import partial
from typing import TYPE_CHECKING

from services.reporting.console import words
from services.reporting.console.desk import AwayError, Data, Desk
from services.reporting.console.figures import Progress
from services.reporting.console.frame import Frame, heading, nothing
from services.reporting.console.html import link, pill, tag
from services.reporting.console.listing import NONE, Column, Listing
from services.reporting.console.live import follow
from services.reporting.console.pages.mailings_stop import stop_buttons
from shared.contracts import commands

if TYPE_CHECKING:
    from services.reporting.console.mount import Console

_COLUMNS = (
    Column("Mailing", "wide"),
    Column("State", "state"),
    Column("Progress", "broad"),
    Column("Opened", "number"),
    Column("Clicked", "number"),
    Column("When", "when"),
)


def _title(status: Data) -> None:
    link(status["name"], f"/mailings/{status['mailing']}", "name")
    tag("span", status["subject"], "under")


class _Mailings:
    """The page as it stands."""

    def __init__(self, frame: Frame) -> None:
        self._frame = frame
        self._desk = frame.desk
        self._rows: dict[str, _Line] = {}

    async def draw(self) -> None:
        """Read and draw everything."""
        campaigns = (await self._desk.read(commands.Campaigns()))["campaigns"]
        mailings = (await self._desk.read(commands.Mailings()))["mailings"]
        self._rows.clear()
        self._actions(campaigns, mailings)
        if not campaigns:
            await self._first_steps()
        by_campaign: dict[str, list[Data]] = {}
        for status in mailings:
            by_campaign.setdefault(status["campaign"], []).append(status)
        for campaign in campaigns:
            self._campaign(campaign, by_campaign.get(campaign["campaign"], []))
        follow(self._desk, "", self._news, self._away)

    def _actions(self, campaigns: list[Data], mailings: list[Data]) -> None:
        with heading("Mailings"):
            if self._desk.may("send"):
                stop_buttons(self._frame, mailings)
            if self._desk.may("create"):
                if campaigns:
                    link("New mailing", "/mailings/new", "button primary")
                link("New campaign", "/campaigns/new", "button")
            if mailings:
                link("Recurring mailings", "/series", "button")
            if campaigns and self._desk.may("send"):
                link("A single mail", "/mails/new", "button")

    async def _first_steps(self) -> None:
        accounts = (await self._desk.read(commands.Accounts()))["accounts"]
        lists = (await self._desk.read(commands.Lists()))["lists"]
        working = any(account["working"] for account in accounts)
        steps = (
            ("Add an account", "The SMTP relay that mails go out through. Test it once.", "/accounts", working),
            ("Import contacts", "A CSV file becomes a list.", "/contacts", bool(lists)),
            ("Open a campaign", "It names the lists its mailings go to.", "/campaigns/new", False),
            ("Draft a mailing", "Write it, try it on yourself, start it.", "/mailings/new", False),
        )
        with tag("div", "", "nothing"):
            tag("h2", "Four steps to the first mailing")
            with tag("ol", "", "steps"):
                for title, text, href, done in steps:
                    with tag("li", "", "done" if done else ""):
                        link(title, href)
                        tag("span", "done" if done else text, "under")

    def _campaign(self, campaign: Data, mailings: list[Data]) -> None:
        with tag("section", "", "campaign", aria_label=campaign["name"]):
            with tag("div", "", "section-head"):
                tag("h2", campaign["name"])
                tag("p", _about(campaign), "under")
                if self._desk.may("edit"):
                    link("Edit", f"/campaigns/{campaign['campaign']}/edit", "quiet")
            if not mailings:
                text = "A mailing says what goes to the lists of this campaign."
                href = f"/mailings/new?campaign={campaign['campaign']}"
                action = "Draft a mailing" if self._desk.may("create") else ""
                nothing("No mailing yet", text, action, href)
                return
            listing = Listing(f"Mailings of {campaign['name']}", _COLUMNS, "cards")
            with listing.body:
                for status in mailings:
                    self._rows[status["mailing"]] = _Line(listing, self._desk, status)

    async def _news(self, status: Data) -> None:
        self._frame.back()
        line = self._rows.get(status.get("mailing", ""))
        if line is not None:
            line.show(status)

    def _away(self, error: AwayError) -> None:
        self._frame.away(str(error), _nothing_more)


async def _nothing_more() -> None:
    """It is listened again anyway."""


class _Line:
    """One mailing in the list; `show` brings it up to date."""

    def __init__(self, listing: Listing, desk: Desk, status: Data) -> None:
        self._zone = desk.zone
        drawn = listing.row((lambda: _title(status), partial(pill, "", ""), Progress, *[partial(tag, "span")] * 3))
        _, self._state, self._progress, self._opened, self._clicked, self._when = drawn
        self.show(status)

    def show(self, status: Data) -> None:
        """Show where it stands."""
        self._state.say(status["status"])
        self._state.put(data_tone=words.tone(status["status"]))
        self._progress.show(status)
        self._opened.say(words.share(status["opened"], status["sent"]) or NONE)
        self._clicked.say(words.share(status["clicked"], status["sent"]) or NONE)
        self._when.say(words.when(status, self._zone))


def _about(campaign: Data) -> str:
    dates = [
        f"{word} {campaign[name]}" for word, name in (("from", "starts_on"), ("until", "ends_on")) if campaign[name]
    ]
    kind = "Newsletter" if campaign["kind"] == "newsletter" else "Campaign"
    return " ".join([kind, *dates])


def register(console: "Console") -> None:
    """Register the page."""

    @console.page("/", "Mailings")
    async def _(frame: Frame) -> None:
        await _Mailings(frame).draw()
