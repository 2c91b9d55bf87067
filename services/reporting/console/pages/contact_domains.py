"""Domains that are not mailed: those there are, a further one, and letting one go."""

from functools import partial

from services.reporting.console.desk import Data
from services.reporting.console.form import Form, Values, made
from services.reporting.console.frame import Frame, Section
from services.reporting.console.html import Tag, tag
from services.reporting.console.listing import NONE, Column, Listing, pager
from services.reporting.console.live import later
from shared.contracts import commands
from shared.contracts.commands import Refusal

_MOST = 100


class Domains:
    """The card."""

    def __init__(self, frame: Frame) -> None:
        self._frame = frame
        self._desk = frame.desk
        self._limit = _MOST
        with tag("section", "", "card loose", aria_labelledby="domains-title"):
            tag("h2", "Domains that are not mailed", id="domains-title")
            tag("p", "Nobody of a domain here, or of one below it, gets a mail.", "under")
            self._section = Section(frame, tag("div", "", "stack"), self._list)
            if self._desk.may("edit"):
                form = Form(self._block, "row")
                with form:
                    form.text("domain", "Domain", required=True, maxlength=253, placeholder="example.com")
                    form.text("reason", "Why", maxlength=200)
                    form.buttons("Mail nobody there", style="plain")

    async def draw(self) -> None:
        """Read and draw them."""
        await self._section.draw()

    async def _list(self) -> None:
        found = await self._desk.read(commands.BlockedDomains(limit=self._limit))
        if not found["rows"]:
            tag("p", "None: every domain is mailed.", "under")
            return
        columns = [Column("Domain", "wide"), Column("Why", "wide")]
        columns += [Column("Actions", "do")] if self._desk.may("edit") else []
        Listing("Domains that are not mailed", columns, "cards flat").fill(self._row(one) for one in found["rows"])
        pager(self._more if found["next"] and self._limit < 1000 else None)

    def _more(self) -> None:
        self._limit = min(1000, self._limit * 4)
        later(0, self._section.draw)

    def _row(self, one: Data) -> list[str | partial[Tag]]:
        cells: list[str | partial[Tag]] = [one["domain"], one["reason"] or NONE]
        return [*cells, partial(self._button, one["domain"])] if self._desk.may("edit") else cells

    def _button(self, domain: str) -> Tag:
        async def click() -> None:
            answer = await self._desk.tell(commands.BlockDomain(domain=domain, blocked=False))
            self._frame.say(answer.refusal.message if answer.refusal else f"{domain} is mailed again.")
            await self.draw()

        label = f"Mail {domain} again"
        button = tag("button", "Mail again", "button small", type="button", aria_label=label)
        return button.on("click", click)

    async def _block(self, values: Values) -> Refusal | None:
        answer = await self._desk.tell(made(commands.BlockDomain, **values.given("domain", "reason")))
        if answer.refusal is None:
            self._frame.say(f"Nobody of {answer.data['domain']} is mailed from now on.")
            await self.draw()
        return answer.refusal
