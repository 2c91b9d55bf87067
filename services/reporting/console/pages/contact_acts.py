"""What somebody told us by phone or letter, recorded: subscribed, unsubscribed, may be mailed again."""

from collections.abc import Awaitable, Callable

from services.reporting.console.desk import Data, Desk
from services.reporting.console.form import Form, Values, made
from services.reporting.console.html import tag
from shared.contracts import commands
from shared.contracts.commands import Command, Refusal
from shared.contracts.consent import EVERYTHING

_STATES = {
    "subscribed": "Is on the list now.",
    "asked": "The list demands a confirmation: a mail that asks for it is on its way.",
    "asked_before": "A confirmation was asked for before and is waited for.",
    "unchanged": "Was on the list already.",
}


class Acts:
    """The forms, for one address; `changed` hears what to say and shows what is there now."""

    def __init__(self, desk: Desk, address: str, changed: Callable[[str], Awaitable[None]]) -> None:
        self._desk = desk
        self._address = address
        self._changed = changed

    async def draw(self, acts: list[Data]) -> None:
        """Draw what the person at the console may do."""
        joins, leaves = self._desk.may("add_recipient"), self._desk.may("remove_recipient")
        if not (joins or leaves):
            return
        tag("h3", "What this person told you")
        lists = [(one["id"], one["name"]) for one in (await self._desk.read(commands.Lists()))["lists"]]
        form = Form(self._said, "row")
        with form:
            form.choice("list", "About", [("", "Choose"), *lists, (EVERYTHING, "All mail")], required=True)
            if joins:
                form.text("person", "Name", maxlength=300)
            does = [("in", "Subscribe")] if joins else []
            form.buttons(*does, *([("out", "Unsubscribe")] if leaves else []), style="plain")
        if joins and any(act["act"] == "suppressed" and act["holds"] for act in acts):
            lift = Form(self._lift, "row")
            with lift:
                lift.text("reason", "Why mail may go there again", maxlength=200)
                lift.buttons("Let it be mailed again", style="plain")

    async def _said(self, values: Values) -> Refusal | None:
        if values["do"] == "out":
            scope = "" if values["list"] == EVERYTHING else values["list"]
            wanted = made(commands.OptOut, address=self._address, list=scope)
            return await self._told(wanted, lambda _: "Unsubscribed.")
        if values["list"] == EVERYTHING:
            return Refusal(code="invalid", message="Choose a list to subscribe to.", field="list")
        wanted = made(commands.OptIn, address=self._address, list=values["list"], name=values["person"])
        return await self._told(wanted, lambda data: _STATES[data["state"]])

    async def _lift(self, values: Values) -> Refusal | None:
        wanted = made(commands.LiftSuppression, address=self._address, reason=values["reason"])
        return await self._told(wanted, lambda _: "May be mailed again.")

    async def _told(self, command: Command, said: Callable[[Data], str]) -> Refusal | None:
        answer = await self._desk.tell(command)
        if answer.refusal is None:
            await self._changed(said(answer.data))
        return answer.refusal
