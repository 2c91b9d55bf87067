"""Lists that a rule makes: write a rule, see how many it finds and some of them, give it to a list."""

from services.reporting.console import words
from services.reporting.console.desk import Data, Desk, RefusedError
from services.reporting.console.form import Form, Values, made
from services.reporting.console.frame import Frame, Section
from services.reporting.console.html import tag
from services.reporting.console.listing import NONE, Column, Listing
from shared.contracts import commands
from shared.contracts.commands import Refusal

_SHOWN = 10
_HINT = (
    "For example: city = 'Athens' and birthday <= today - 18 years and not role. Texts stand in quotes; a field is "
    "called as the import called it. Also: contains, in ('a', 'b'), is empty, on list 'News', opted out of 'News'."
)


class Rule:
    """The form and whom its rule finds."""

    def __init__(self, frame: Frame, lists: Section) -> None:
        self._desk: Desk = frame.desk
        self._lists = lists
        with tag("section", "", "card", aria_labelledby="rule-title"):
            tag("h2", "A list by a rule", id="rule-title")
            self._form = Form(self._sent, "wide", aliases={"list": "rule_list"})
            with self._form:
                self._form.area("rule", "Rule", required=True, hint=_HINT, maxlength=10_000, spellcheck="false")
                if self._desk.may("edit"):
                    hint = (
                        "Made if there is none of this name. Whom the rule finds when an audience is frozen is on it."
                    )
                    self._form.text("rule_list", "List", maxlength=200, hint=hint)
                    self._form.buttons(("count", "Count"), ("save", "Give it to the list"))
                else:
                    self._form.buttons(("count", "Count"))
            self._said = tag("p", "", "under", role="status", hidden=True)
            self._place = tag("div", "", "stack")

    async def _sent(self, values: Values) -> Refusal | None:
        self._place.clear()
        self._said.put(hidden=True)
        if values["do"] == "save":
            return await self._save(values)
        try:
            query = made(commands.CountSegment, rule=values["rule"], list=values["rule_list"], limit=_SHOWN)
            found = await self._desk.read(query)
        except RefusedError as error:  # shown at the rule, with line and column
            return Refusal(code="rule_invalid", message=str(error), field="rule")
        self._tell(f"{words.many(found['count'], 'contact')} now.", found)
        if found["rows"]:
            with self._place:
                listing = Listing("Contacts that the rule finds", (Column("Address", "wide"), Column("Name", "wide")))
                listing.fill([(row["address"], row["name"] or NONE) for row in found["rows"]])
        return None

    async def _save(self, values: Values) -> Refusal | None:
        if not values["rule_list"]:
            return Refusal(code="invalid", message="Please fill this in.", field="list")
        command = made(commands.RuleList, list=values["rule_list"], rule=values["rule"])
        answer = await self._desk.tell(command)
        if answer.refusal is None:
            self._tell(f"Saved. The rule finds {words.many(answer.data['found'], 'contact')} now.", answer.data)
            await self._lists.draw()
        return answer.refusal

    def _tell(self, text: str, found: Data) -> None:
        if found["behind"]:
            text += f" About {found['behind']} contacts just came in and are not looked at yet: count again."
        if found["unknown_fields"]:
            text += f" No contact has a field {', '.join(found['unknown_fields'])}."
        self._said.say(text)
        self._said.put(hidden=None)
