"""What a person consented to: every act of one address, with what its page said, as the contacts page shows it."""

from functools import partial

from services.reporting.console import words
from services.reporting.console.desk import Data, RefusedError
from services.reporting.console.form import Form, Values
from services.reporting.console.frame import Frame
from services.reporting.console.html import pill, tag
from services.reporting.console.listing import NONE, Column, Listing
from services.reporting.console.pages.contact_acts import Acts
from shared.contracts import commands
from shared.contracts.commands import Refusal

_COLUMNS = (Column("What", "state"), Column("Of what", "wide"), Column("When and how", "wide"), Column("Why", "wide"))
_ACTS = {
    "opted_out": ("Unsubscribed", "red"),
    "opt_in_requested": ("Asked to confirm", "amber"),
    "opted_in": ("Subscribed", "green"),
    "suppressed": ("Not to be mailed", "red"),
    "lifted": ("May be mailed again", "green"),
}


class Consent:
    """The form and what it found."""

    def __init__(self, frame: Frame) -> None:
        self._desk = frame.desk
        with tag("section", "", "card", aria_labelledby="consent-title"):
            tag("h2", "What somebody consented to", id="consent-title")
            form = Form(self._look, "row")
            with form:
                hint = "Also of people who were erased: acts are kept under a keyed hash of the address."
                form.text("consent_address", "E-mail address", required=True, type="email", maxlength=320, hint=hint)
                form.buttons("Show")
            self._said = tag("p", "", "under spaced", role="status", hidden=True)
            self._place = tag("div", "", "stack")

    async def _look(self, values: Values) -> Refusal | None:
        await self.show(values["consent_address"])
        return None

    async def show(self, address: str, before: str = "") -> None:
        """Show what there is of an address; `before` is what was just done."""
        self._place.clear()
        try:
            found = await self._desk.read(commands.ConsentHistory(address=address))
        except RefusedError as error:  # said where it was asked
            self._tell(str(error))
            return
        acts = found["acts"]
        said = words.many(len(acts), "act") if acts else "No act: mail was neither asked for nor refused."
        self._tell(f"{before} {said}".strip())
        if acts:
            with self._place:
                listing = Listing("Consent", _COLUMNS, "cards")
                listing.fill([[partial(part, self, act) for part in _PARTS] for act in acts])
        await self._statuses(address)
        with self._place:
            await Acts(self._desk, address, partial(self.show, address)).draw(acts)

    async def _statuses(self, address: str) -> None:
        """Draw what campaigns made of the person."""
        rows = (await self._desk.read(commands.CustomerStatuses(address=address)))["rows"]
        if not rows:
            return
        campaigns = (await self._desk.read(commands.Campaigns()))["campaigns"]
        names = {one["campaign"]: one["name"] for one in campaigns}
        with self._place:
            tag("h3", "Status of the customer")
            columns = (Column("Status", "state"), Column("Campaign", "wide"), Column("By"), Column("Since", "wide"))
            listing = Listing("Statuses", columns, "cards")
            listing.fill(
                (row["status"], names.get(row["campaign"], row["campaign"]), row["outcome"], self._since(row))
                for row in rows
            )

    def _since(self, row: Data) -> str:
        return words.exact(row["at"], self._desk.zone)

    def _tell(self, text: str) -> None:
        self._said.say(text)
        self._said.put(hidden=None)

    def _what(self, act: Data) -> None:
        label, tone = _ACTS[act["act"]]
        pill(label, tone)
        if act["holds"]:
            tag("span", "in force", "under")

    def _scope(self, act: Data) -> None:
        tag("span", "All mail" if act["scope"] == "*" else act["list"] or act["scope"])
        if act["subject"]:
            tag("span", f"by the mail “{act['subject']}”", "under")

    def _how(self, act: Data) -> None:
        tag("span", words.exact(act["at"], self._desk.zone))
        who = f", {act['principal']}" if act["principal"] else ""
        tag("span", f"{act['how'].replace('-', ' ') or 'by us'}{who}", "under")
        if act["words"]:
            with tag("details", "", "more"):
                tag("summary", "What the page said")
                tag("pre", act["words"], "preview")

    def _why(self, act: Data) -> None:
        tag("span", words.reason(act["reason"]) if act["reason"] else NONE)
        if act["comment"]:
            tag("span", f"“{act['comment']}”", "under")


_PARTS = (Consent._what, Consent._scope, Consent._how, Consent._why)  # noqa: SLF001 - of the class above, in order
