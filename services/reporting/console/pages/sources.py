"""Where the recipients of a mailing come from: lists, an earlier mailing, the helper list, exclusions, single people.

What is saved replaces the choice as a whole; the recipients are fixed anew afterwards, on the page of the mailing.
"""

from typing import TYPE_CHECKING, Any

from services.reporting.console.desk import Data
from services.reporting.console.form import Form, Values, made
from services.reporting.console.frame import Frame, heading
from services.reporting.console.html import link, tag
from shared.contracts import commands
from shared.contracts.commands import Refusal

if TYPE_CHECKING:
    from services.reporting.console.mount import Console

_EARLIER = 50
GROUPS = (
    ("all", "All recipients"),
    ("sent", "Who got it"),
    ("read", "Who read it"),
    ("clicked", "Who clicked"),
    ("not_opened", "Who did not open it"),
    ("bounced", "Whose mail came back"),
    ("in_doubt", "In doubt"),
    ("failed", "Failed"),
)
ADDRESSES = (
    ("first", "The first of its own"),
    ("second", "The second"),
    ("third", "The third"),
    ("persons", "Those of its contact persons"),
)
_MODES = (("add", "Add its contacts"), ("only", "Only contacts on the helper list"))
_ALIASES = {"mailings": "mailing", "activities": "type", "cap": "mails"}


class _Sources:
    def __init__(self, frame: Frame, mailing: str) -> None:
        self._frame = frame
        self._desk = frame.desk
        self._mailing = mailing
        self._kept: list[Any] = []  # further earlier mailings and activities, which the form does not show
        self._happened: list[Any] = []

    async def draw(self) -> None:
        """Draw the page."""
        status = await self._desk.read(commands.Status(mailing=self._mailing))
        with tag("nav", "", "crumbs", aria_label="Back"):
            link(f"← {status['name']}", f"/mailings/{self._mailing}")
        heading("Where recipients come from", "All of it is combined; one mail goes to each address.")
        chosen = await self._desk.read(commands.ChosenSources(mailing=self._mailing))
        if self._desk.may("edit"):
            await self._choice(status["campaign"], chosen["sources"])
        if self._desk.may("add_recipient") or self._desk.may("remove_recipient"):
            self._people(len(chosen["added"]), len(chosen["removed"]))

    async def _choice(self, campaign: str, sources: Data) -> None:
        lists = [(row["id"], row["name"]) for row in (await self._desk.read(commands.Lists()))["lists"]]
        campaigns = (await self._desk.read(commands.Campaigns()))["campaigns"]
        self._own = next(row["lists"] for row in campaigns if row["campaign"] == campaign)
        first, *self._kept = sources["mailings"] or [{"mailing": "", "group": "all"}]
        activity, *self._happened = sources["activities"] or [{"type": "", "campaign": ""}]
        helper, cap = sources["helper"] or {}, sources["cap"] or {}
        form = Form(self._save, aliases=_ALIASES)
        with tag("section", "", "card"), form:
            own = [(key, name) for key, name in lists if key in self._own]
            form.checks(
                "lists", "Lists of the campaign", own, self._own if sources["lists"] is None else sources["lists"]
            )
            form.choice("mailing", "Earlier mailing", await self._earlier(campaign), first["mailing"])
            form.choice("group", "Of it", GROUPS, first["group"])
            form.text("type", "Who took part in the most recent", activity["type"], hint="Type, told by a program.")
            form.text("campaign", "Of the campaign", activity["campaign"], hint="Id, or name as the program says it.")
            form.choice("helper", "Helper list", (("", "None"), *lists), helper.get("list", ""))
            form.choice("mode", "What it does", _MODES, helper.get("mode", "add"))
            form.checks("exclude", "Leave out who is on", lists, sources["exclude"])
            form.checks("addresses", "Which addresses of a customer", ADDRESSES, sources["addresses"])
            form.text("mails", "Leave out who got as many mails", cap.get("mails", ""), inputmode="numeric")
            form.text("days", "within days", cap.get("days", ""), inputmode="numeric")
            form.buttons("Save")

    async def _earlier(self, campaign: str) -> list[tuple[str, str]]:
        """Return the last mailings that have recipients, those of this campaign first."""
        rows = (await self._desk.read(commands.Mailings()))["mailings"]
        fixed = [row for row in rows if row["audience"] and row["mailing"] != self._mailing]
        fixed.sort(key=lambda row: row["campaign"] != campaign)  # stable: newest first within each
        return [("", "None"), *((row["mailing"], f"{row['name']} ({row['status']})") for row in fixed[:_EARLIER])]

    async def _save(self, values: Values) -> Refusal | None:
        lists = values.all("lists")
        wanted = {
            "lists": None if set(lists) == set(self._own) else lists,
            "mailings": [*([values.given("mailing", "group")] if values["mailing"] else []), *self._kept],
            "activities": [*([values.given("type", "campaign")] if values["type"] else []), *self._happened],
            "helper": {"list": values["helper"], "mode": values["mode"]} if values["helper"] else None,
            "exclude": values.all("exclude"),
            "cap": values.given("mails", "days") or None,
            "addresses": values.all("addresses"),
        }
        command = made(commands.ChooseSources, mailing=self._mailing, sources=wanted)
        return await self._told(command, "Saved. Now fix the recipients.")

    def _people(self, added: int, removed: int) -> None:
        form = Form(self._named)
        with tag("section", "", "card", aria_labelledby="people"):
            tag("h2", "Single people", id="people")
            tag("p", f"{added} added, {removed} removed by hand.", "under")
            with form:
                form.area("addresses", "Addresses", required=True, hint="One in a line.")
                offered = (
                    ("add", "Let them get it", "add_recipient"),
                    ("remove", "Leave them out", "remove_recipient"),
                )
                form.buttons(*((do, label) for do, label, needs in offered if self._desk.may(needs)))  # type: ignore[arg-type]

    async def _named(self, values: Values) -> Refusal | None:
        model = commands.AddRecipients if values["do"] == "add" else commands.RemoveRecipients
        addresses = values["addresses"].split()
        return await self._told(
            made(model, mailing=self._mailing, addresses=addresses), "Noted. Now fix the recipients."
        )

    async def _told(self, command: commands.Command, said: str) -> Refusal | None:
        answer = await self._desk.tell(command)
        if answer.refusal is None:
            self._frame.say(said)
        return answer.refusal


def register(console: "Console") -> None:
    """Answer for the page."""

    @console.page("/mailings/{mailing}/sources", "Where recipients come from", here="/")
    async def _(frame: Frame, mailing: str) -> None:
        await _Sources(frame, mailing).draw()
