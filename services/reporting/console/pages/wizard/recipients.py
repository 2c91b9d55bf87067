"""Second step: where the recipients come from, all of it combined; then how many that are, and single people.

What is saved replaces the choice as a whole. An earlier mailing or an activity that was chosen stands as a box; a
further one is added by its fields.
"""

from typing import TYPE_CHECKING, Any

from services.reporting.console.desk import Data
from services.reporting.console.form import Form, Values, made, more, words_of
from services.reporting.console.frame import Frame, Section
from services.reporting.console.html import link, tag
from services.reporting.console.outcome_groups import GROUPS
from services.reporting.console.pages.wizard.counted import draw_counting
from services.reporting.console.pages.wizard.steps import Step
from shared.contracts import commands
from shared.contracts.commands import Command, Refusal

if TYPE_CHECKING:
    from services.reporting.console.mount import Console

_LEAD = "Lists, earlier mailings, activities: all of it is combined, and one mail goes to each address."
_EARLIER = 50
_MODES = (("add", "Adds its contacts"), ("only", "Only contacts on the helper list"))
_SLOTS = (
    ("first", "The first of its own"),
    ("second", "The second"),
    ("third", "The third"),
    ("persons", "Those of its contact persons"),
)
_ALIASES = {"mailings": "mailing", "activities": "type", "cap": "mails", "cap.mails": "mails", "cap.days": "days"}
_HAND = (("add", "Let them get it", "add_recipient"), ("remove", "Leave them out", "remove_recipient"))


class _Sources:
    """The form of sources."""

    def __init__(self, step: Step, campaign: str, sources: Data) -> None:
        self._step = step
        self._desk = step.desk
        self._campaign = campaign
        self._sources = sources

    async def draw(self) -> None:
        """Draw it with what was chosen."""
        sources = self._sources
        lists = [(row["id"], row["name"]) for row in (await self._desk.read(commands.Lists()))["lists"]]
        campaigns = (await self._desk.read(commands.Campaigns()))["campaigns"]
        earlier = await self._earlier({row["campaign"]: row["name"] for row in campaigns})
        self._own = next(row["lists"] for row in campaigns if row["campaign"] == self._campaign)
        with tag("section", "", "card", aria_label="Sources"), Form(self._save, aliases=_ALIASES) as form:
            own = [(key, name) for key, name in lists if key in self._own]
            chosen = self._own if sources["lists"] is None else sources["lists"]
            form.checks("lists", "Lists of the campaign", own, chosen)
            with more("Which addresses of a customer", shown=sources["addresses"] != ["first", "second", "third"]):
                form.checks("addresses", "Addresses of a customer", _SLOTS, sources["addresses"])
            self._of_mailings(form, earlier)
            self._of_activities(form, campaigns)
            helper, cap = sources["helper"] or {}, sources["cap"] or {}
            with more("Helper list", shown=bool(helper)), tag("div", "", "pair"):
                form.choice("helper", "Helper list", (("", "None"), *lists), helper.get("list", ""))
                form.choice("mode", "What it does", _MODES, helper.get("mode", "add"), required=True)
            with more("Leave out", shown=bool(sources["exclude"] or cap)):
                form.checks("exclude", "Leave out who is on", lists, sources["exclude"])
                with tag("div", "", "pair"):
                    form.text("mails", "Leave out who got as many mails", cap.get("mails", ""), inputmode="numeric")
                    form.text("days", "within days", cap.get("days", ""), inputmode="numeric")
            form.buttons(("next", "Save and go on"), ("count", "Save and count"))

    def _of_mailings(self, form: Form, earlier: list[tuple[str, str]]) -> None:
        chosen = [f"{one['mailing']} {one['group']}" for one in self._sources["mailings"]]
        with more("Recipients of an earlier mailing", shown=bool(chosen)):
            if chosen:
                names, groups = dict(earlier), dict(GROUPS)
                labels = [
                    f"{groups[one['group']]}: {names.get(one['mailing'], one['mailing'])}"
                    for one in self._sources["mailings"]
                ]
                form.checks("mailings", "Chosen", list(zip(chosen, labels, strict=True)), chosen)
            with tag("div", "", "pair"):
                form.choice("mailing", "Earlier mailing", (("", "None" if not chosen else "No other"), *earlier))
                form.choice("group", "Of it", GROUPS, "all", required=True)

    def _of_activities(self, form: Form, campaigns: list[Data]) -> None:
        chosen = [f"{one['type']}\n{one['campaign']}" for one in self._sources["activities"]]
        with more("Who took part in something", shown=bool(chosen)):
            if chosen:
                labels = [f"{one['type']} {one['campaign']}".strip() for one in self._sources["activities"]]
                form.checks("activities", "Chosen", list(zip(chosen, labels, strict=True)), chosen)
            with tag("div", "", "pair"):
                form.text(
                    "type", "Who took part in the most recent", hint="Type, as a program tells it: points awarded."
                )
                form.text("campaign", "Of the campaign", list=f"campaigns-{form.id}", hint="Name or id; any if empty.")
            with tag("datalist", id=f"campaigns-{form.id}"):
                for row in campaigns:
                    tag("option", value=row["name"])

    async def _earlier(self, campaigns: dict[str, str]) -> list[tuple[str, str]]:
        """Return the last mailings of this campaign that have recipients, then the last of the others."""
        rows = (await self._desk.read(commands.Mailings()))["mailings"]
        fixed = [row for row in rows if row["audience"] and row["mailing"] != self._step.mailing]
        own = [row for row in fixed if row["campaign"] == self._campaign][:_EARLIER]
        others = [row for row in fixed if row["campaign"] != self._campaign][:_EARLIER]
        chosen = {one["mailing"] for one in self._sources["mailings"]}
        further = [row for row in fixed if row["mailing"] in chosen and row not in own and row not in others]

        def named(row: Data) -> str:
            name = f"{row['name']} ({row['status']})"
            return name if row["campaign"] == self._campaign else f"{name}, {campaigns[row['campaign']]}"

        return [(row["mailing"], named(row)) for row in (*own, *others, *further)]

    async def _save(self, values: Values) -> Refusal | None:
        lists = values.all("lists")
        mailings = [dict(zip(("mailing", "group"), one.split(" "), strict=True)) for one in values.all("mailings")]
        activities = [dict(zip(("type", "campaign"), one.split("\n"), strict=True)) for one in values.all("activities")]
        wanted = self._sources | {  # what the form does not show stays as it is
            "lists": None if set(lists) == set(self._own) else lists,
            "mailings": mailings + ([values.given("mailing", "group")] if values["mailing"] else []),
            "activities": activities + ([values.given("type", "campaign")] if values["type"] else []),
            "helper": {"list": values["helper"], "mode": values["mode"]} if values["helper"] else None,
            "exclude": values.all("exclude"),
            "addresses": values.all("addresses"),
            "cap": values.given("mails", "days") or None,
        }
        answer = await self._desk.tell(made(commands.ChooseSources, mailing=self._step.mailing, sources=wanted))
        if answer.refusal is None and values["do"] == "count":
            answer = await self._desk.tell(commands.FreezeAudience(mailing=self._step.mailing))
        if answer.refusal is None:
            self._step.then(values)
        return answer.refusal


class _People:
    """Who gets it now, and single people."""

    def __init__(self, step: Step) -> None:
        self._step = step
        self._desk = step.desk
        place = tag("section", "", "card loose", aria_labelledby="counted")
        self.section = Section(step.frame, place, self._count)

    async def draw(self) -> None:
        """Draw both cards."""
        await self.section.draw()
        offered = [(do, label) for do, label, needs in _HAND if self._desk.may(needs)]  # type: ignore[arg-type]
        if not offered:
            return
        with tag("section", "", "card loose", aria_labelledby="people"):
            tag("h2", "Single people", id="people")
            with Form(self._named) as form:
                form.area(
                    "addresses",
                    "Addresses",
                    required=True,
                    hint="Separated by lines or commas. A CSV file becomes a list first.",
                )
                form.buttons(*offered, style="plain")
            if self._desk.may("add_recipient"):
                link("Import a CSV file", "/contacts")

    async def _count(self) -> None:
        status = await self._step.again()
        chosen = await self._desk.read(commands.ChosenSources(mailing=self._step.mailing))
        tag("h2", "Who gets it", id="counted")
        draw_counting(self._desk, status, self.section.draw)
        if chosen["added"] or chosen["removed"]:
            tag("p", f"{len(chosen['added'])} added, {len(chosen['removed'])} removed by hand.", "under")

    async def _named(self, values: Values) -> Refusal | None:
        model: type[Command] = commands.AddRecipients if values["do"] == "add" else commands.RemoveRecipients
        command = made(model, mailing=self._step.mailing, addresses=words_of(values["addresses"]))
        answer = await self._desk.tell(command)
        if answer.refusal is None:
            self._step.frame.say("Noted. Now fix the recipients.")
            await self.section.draw()
        return answer.refusal


def register(console: "Console") -> None:
    """Register the page."""

    @console.page("/mailings/{mailing}/recipients", "Where recipients come from", here="/")
    async def _(frame: Frame, mailing: str) -> None:
        step = Step(frame, mailing, "recipients")
        opened = await step.open(_LEAD)
        if opened is None:
            return
        sources: dict[str, Any] = (await frame.desk.read(commands.ChosenSources(mailing=mailing)))["sources"]
        with tag("div", "", "columns"):
            with tag("div", "", "stack"):
                if frame.desk.may("edit"):
                    await _Sources(step, opened[0]["campaign"], sources).draw()
            with tag("div", "", "stack"):
                await _People(step).draw()
