"""One contact, looked up by its address: what is known of it, and its lists, off which it can be taken.

Nobody there is said at the field. What the person consented to is shown by the section of its own below.
"""

from functools import partial

from services.reporting.console import words
from services.reporting.console.desk import Data, RefusedError
from services.reporting.console.form import Form, Values, made
from services.reporting.console.frame import Frame, Section
from services.reporting.console.html import Tag, tag
from services.reporting.console.listing import NONE, Column, Listing
from services.reporting.console.pages.contact_consent import Consent
from shared.contracts import commands
from shared.contracts.commands import Refusal

_SLOTS = {"first": "first", "second": "second", "third": "third", "persons": "contact person"}
_FLAGS = {"role": "of a function", "disposable": "throw-away"}


class Look:
    """The form and the contact it found; `consent` shows what the person consented to, `lists` how many are on each."""

    def __init__(self, frame: Frame, consent: Consent, lists: Section) -> None:
        self._frame = frame
        self._desk = frame.desk
        self._consent = consent
        self._of_all = lists
        with tag("section", "", "card loose", aria_labelledby="look-title"):
            tag("h2", "Look at a contact", id="look-title")
            form = Form(self._look, "row", aliases={"address": "look_address"})
            with form:
                form.text("look_address", "Address of the contact", required=True, type="email", maxlength=320)
                form.buttons("Look it up")
            self._place = tag("div", "", "stack")

    async def _look(self, values: Values) -> Refusal | None:
        self._place.clear()
        try:
            found = await self._desk.read(made(commands.ShowContact, address=values["look_address"]))
        except RefusedError as error:  # said at the field
            return error.refusal
        with self._place:
            self._draw(found)
        return None

    def _draw(self, found: Data) -> None:
        with tag("dl", "", "facts"):
            for label, said in self._facts(found):
                if said:
                    with tag("div"):
                        tag("dt", label)
                        tag("dd", said)
        if found["fields"]:
            listing = Listing("Fields", (Column("Field", "wide"), Column("Value", "wide")), "cards flat")
            listing.fill(list(found["fields"].items()))
        columns = (Column("Address", "wide"), Column("Name", "wide"), Column("Which"))
        if len(found["addresses"]) > 1:
            tag("h3", "Addresses of the customer")
            listing = Listing("Addresses of the customer", columns, "cards flat")
            listing.fill((one["address"], one["name"] or NONE, _SLOTS[one["slot"]]) for one in found["addresses"])
        if found["records"]:
            tag("h3", "Records")
            columns = (Column("Source", "wide"), Column("Id there", "wide"), Column("Version", "number"))
            listing = Listing("Records", columns, "cards flat")
            rows = found["records"]
            listing.fill(
                (one["source"] or "row of a file", one["external"] or NONE, str(one["version"])) for one in rows
            )
        self._lists(found)
        with tag("div"):  # else as wide as the card
            button = tag("button", "What this person consented to", "button plain", type="button")
        button.on("click", partial(self._consent.show, found["address"]))

    def _facts(self, found: Data) -> list[tuple[str, str]]:
        zone, account = self._desk.zone, found["account"]
        return [
            ("Address", found["address"]),
            ("Name", found["name"]),
            ("Kind", found["kind"]),
            ("Account", (account["name"] or account["external"]) if account else ""),
            ("Mailbox of", found["provider"]),
            ("Status of the customer", found["status"]),
            ("This address is", ", ".join(_FLAGS[flag] for flag in found["flags"])),
            ("Came in", words.moment(found["created"], zone)),
            ("Changed", words.moment(found["updated"], zone)),
        ]

    def _lists(self, found: Data) -> None:
        tag("h3", "Lists")
        if not found["lists"]:
            tag("p", "Nobody put it on a list; rules may find it.", "under")
            return
        may = self._desk.may("remove_recipient")
        listing = Listing(
            "On which it was put", (Column("List", "wide"), *([Column("Actions", "do")] if may else [])), "cards flat"
        )
        for one in found["lists"]:
            listing.row([one["name"], partial(self._button, found["address"], one)] if may else [one["name"]])

    def _button(self, address: str, one: Data) -> Tag:
        async def click() -> None:
            answer = await self._desk.tell(commands.RemoveFromList(address=address, list=one["id"]))
            said = f"{address} is not on {one['name']} any more."
            self._frame.say(answer.refusal.message if answer.refusal else said)
            await self._look(Values([("look_address", address)]))
            await self._of_all.draw()

        button = tag("button", "Take off", "button small", type="button", aria_label=f"Take it off {one['name']}")
        return button.on("click", click)
