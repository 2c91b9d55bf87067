"""A campaign: its name, its kind, its dates, and the lists its mailings go to; opened, edited, closed, deleted."""

from typing import TYPE_CHECKING

from nicegui import ui

from services.reporting.console import words
from services.reporting.console.desk import Data
from services.reporting.console.form import Form, Values, made, more
from services.reporting.console.frame import Frame, heading, nothing
from services.reporting.console.html import tag
from shared.contracts import commands
from shared.contracts.commands import Answer, Refusal
from shared.contracts.statuses import ORDER

if TYPE_CHECKING:
    from services.reporting.console.mount import Console

_KINDS = (("email", "Campaign"), ("newsletter", "Newsletter"))
_OUTCOMES = {
    "sent": "Sent",
    "bounced": "Refused or came back",
    "read": "Read",
    "clicked": "Clicked",
    "removed": "Opted out or complained",
}
_UTM = {
    "utm_source": "Who sends the visitor, such as newsletter.",
    "utm_medium": "By what, such as email.",
    "utm_campaign": "Of which campaign.",
    "utm_term": "",
    "utm_content": "",
}
_ENDS = {"close": commands.CloseCampaign, "delete": commands.DeleteCampaign}


class _Campaign:
    """The form, empty or with what the campaign is."""

    def __init__(self, frame: Frame, campaign: Data | None = None) -> None:
        self._desk = frame.desk
        self._known = campaign

    def draw(self, lists: list[Data]) -> None:
        """Draw it."""
        known = self._known or {}
        asked = str(ui.context.client.request.query_params.get("list", ""))
        chosen = known.get("lists") or [one["id"] for one in lists if len(lists) == 1 or one["id"] == asked]
        self._form = Form(self._submit, "card")
        with self._form as form:
            form.text("name", "Name", known.get("name", ""), required=True, autofocus=True, maxlength=200)
            form.choice("kind", "Kind", _KINDS, known.get("kind", "email"), required=True)
            options = [(one["id"], f"{one['name']} ({_held(one)})") for one in lists]
            form.checks("lists", "Lists", options, chosen)
            with tag("div", "", "pair"):
                form.text("starts_on", "First day", known.get("starts_on", ""), type="date")
                form.text("ends_on", "Last day", known.get("ends_on", ""), type="date")
            text = "A second person approves of each mailing"
            form.box("approval", "Approval", text, checked=bool(known.get("approval")))
            _statuses(form, known.get("statuses", {}))
            self._utm = _utm(form, known.get("utm", {}))
            if not known:
                form.buttons("Open the campaign")
                return
            ends = [("close", "Take no more mailings")] if known["status"] == "open" else []
            ends += [("delete", "Delete")] if self._desk.may("delete") else []
            form.buttons(("save", "Save"), *ends)

    async def _submit(self, values: Values) -> Refusal | None:
        answer = await self._ask(values)
        if isinstance(answer, Refusal) or answer.refusal is not None:
            return answer if isinstance(answer, Refusal) else answer.refusal
        new = f"/mailings/new?campaign={answer.data['campaign']}&at={answer.position}"
        ui.navigate.to(f"/?at={answer.position}" if self._known else new)
        return None

    async def _ask(self, values: Values) -> Answer | Refusal:
        if self._known and values["do"] in _ENDS:
            return await self._desk.tell(made(_ENDS[values["do"]], campaign=self._known["campaign"]), self._form.id)
        if not values.all("lists"):
            return Refusal(code="invalid", message="Choose at least one list.", field="lists")
        fields: dict[str, object] = {
            **values.given("name", "kind", "starts_on", "ends_on"),
            "lists": values.all("lists"),
        }
        fields["approval"] = values["approval"] == "yes"
        fields["statuses"] = {outcome: word for outcome in ORDER if (word := values[f"status_{outcome}"])}
        fields["utm"] = values.given(*self._utm)
        if self._known:
            command = made(commands.EditCampaign, campaign=self._known["campaign"], **fields)
            return await self._desk.tell(command, self._form.id)
        return await self._desk.tell(made(commands.OpenCampaign, **fields), self._form.id)


def _statuses(form: Form, mapping: Data) -> None:
    """Draw the statuses that outcomes set."""
    with more("Statuses of customers", shown=bool(mapping)):
        tag("p", "What an outcome makes of a customer, in your own words. Left empty, it changes nothing.", "hint")
        for outcome in ORDER:
            form.text(f"status_{outcome}", _OUTCOMES[outcome], mapping.get(outcome, ""), maxlength=80)


def _utm(form: Form, given: Data) -> list[str]:
    """Draw the parameters of links; return their names: those that everybody knows, and others it has."""
    with more("Parameters of links (UTM)", shown=bool(given)):
        tag("p", "Links of its mailings get them where they have them not. Left empty, they get none.", "hint")
        names = [*_UTM, *(name for name in given if name not in _UTM)]
        for name in names:
            hint = _UTM.get(name, "")
            form.text(name, name, given.get(name, ""), maxlength=200, hint=hint, spellcheck=False)
    return names


def _held(one: Data) -> str:
    """Return how many are on a list, or that a rule says it."""
    return "by a rule" if one["rule"] else words.many(one["members"], "contact")


def register(console: "Console") -> None:
    """Register the pages."""

    @console.page("/campaigns/new", "New campaign", "create", here="/")
    async def _(frame: Frame) -> None:
        lists = (await frame.desk.read(commands.Lists()))["lists"]
        heading("New campaign", "A campaign holds the mailings to some of your lists.")
        if not lists:
            nothing("There is no list yet", "A campaign needs somebody to write to.", "Import contacts", "/contacts")
            return
        _Campaign(frame).draw(lists)

    @console.page("/campaigns/{campaign}/edit", "Edit campaign", "edit", here="/")
    async def _(frame: Frame, campaign: str) -> None:
        lists = (await frame.desk.read(commands.Lists()))["lists"]
        found = [
            one for one in (await frame.desk.read(commands.Campaigns()))["campaigns"] if one["campaign"] == campaign
        ]
        if not found:
            nothing("There is no such campaign", "It may have been deleted.", "All mailings", "/")
            return
        heading("Edit campaign", "Mailings that are scheduled keep their dates.")
        _Campaign(frame, found[0]).draw(lists)
