"""Recipients of whom nobody knows whether the relay took their mail: listed, and decided by a person."""

from collections.abc import Awaitable, Callable

from services.reporting.console import words
from services.reporting.console.desk import Data
from services.reporting.console.form import Form, Values
from services.reporting.console.frame import Frame
from services.reporting.console.html import tag
from shared.contracts import commands
from shared.contracts.commands import Refusal

_MOST = 200


class Doubts:
    """There while somebody is in doubt."""

    def __init__(self, frame: Frame, mailing: str, changed: Callable[[], Awaitable[None]]) -> None:
        self._frame = frame
        self._mailing = mailing
        self._changed = changed
        self._card = tag("section", "", "card", aria_label="In doubt", hidden=True)
        self._shown: list[Data] = []

    async def refresh(self) -> None:
        """Read and draw them."""
        found = await self._frame.desk.read(commands.Doubts(mailing=self._mailing, limit=_MOST))
        rows = [row for row in found["rows"] if not row["evidence"]]
        if rows == self._shown:
            return
        self._shown = rows
        self._card.put(hidden=None if rows else True)
        self._card.clear()
        with self._card:
            tag("h2", "In doubt")
            if rows:
                self._draw(rows)

    def _draw(self, rows: list[Data]) -> None:
        tag(
            "p",
            "The connection ended between the mail and the reply. Nobody knows whether these were accepted.",
            "under",
        )
        zone = self._frame.desk.zone
        if not self._frame.desk.may("send"):
            with tag("ul", "", "plain-list"):
                for row in rows:
                    with tag("li"):
                        tag("span", row["address"] or row["contact"])
                        tag("span", words.exact(row["since"], zone), "under nowrap")
            return
        form = Form(self._decide)
        with form:
            places = [f"{row['n']}.{row['index']}" for row in rows]
            labels = [f"{row['address'] or row['contact']}, {words.exact(row['since'], zone)}" for row in rows]
            form.checks("who", "Decide for", list(zip(places, labels, strict=True)), places)
            form.buttons(("resend", "Send again"), ("accepted", "Count as sent"), ("rejected", "Count as failed"))

    async def _decide(self, values: Values) -> Refusal | None:
        chunks: dict[int, list[str]] = {}
        for place in values.all("who"):
            n, _, index = place.partition(".")
            chunks.setdefault(int(n), []).append(index)
        if not chunks:
            return Refusal(code="invalid", message="Choose at least one recipient.", field="who")
        for chunk, indexes in chunks.items():
            fields = {"mailing": self._mailing, "n": chunk, "indexes": ",".join(indexes), "decision": values["do"]}
            answer = await self._frame.desk.tell(commands.DecideDoubt.model_validate(fields))
            if answer.refusal is not None:
                return answer.refusal
        self._frame.say("Decided.")
        await self._changed()
        return None
