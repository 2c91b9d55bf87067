"""Beside the numbers: what the mailing is, which links were followed, whether the ledger balances, what happened."""

from services.reporting.console import words
from services.reporting.console.desk import AwayError, Data, Desk, RefusedError
from services.reporting.console.frame import Frame
from services.reporting.console.html import tag
from shared.contracts import commands

_LOG = 20


class Facts:
    """What it is and when."""

    def __init__(self, desk: Desk) -> None:
        self._zone = desk.zone
        with tag("section", "", "card", aria_label="Details"):
            tag("h2", "Details")
            self._list = tag("dl", "", "facts narrow")
        self._shown: list[tuple[str, str]] = []

    def show(self, status: Data) -> None:
        """Show them, drawn anew only where they changed."""
        facts = [(label, text) for label, text in self._facts(status) if text]
        if facts == self._shown:
            return
        self._shown = facts
        self._list.clear()
        with self._list:
            for label, text in facts:
                with tag("div"):
                    tag("dt", label)
                    tag("dd", text)

    def _facts(self, status: Data) -> list[tuple[str, str]]:
        zone, limits = self._zone, status["limits"]
        rate = [f"{words.count(limits['per_hour'])} an hour"] if limits["per_hour"] else []
        rate += [f"{limits['seconds_between']:g} s between mails"] if limits["seconds_between"] else []
        return [
            ("Starts", words.moment(status["scheduled_at"], zone) if not status["started_at"] else ""),
            ("Started", words.moment(status["started_at"], zone)),
            ("Finished", words.moment(status["finished_at"], zone)),
            ("Sends again", words.moment(status["opens"], zone) if status["status"] == "Scheduled" else ""),
            ("Hours", words.hours(status["hours"], status["zone"]) if status["hours"] else ""),
            ("Not after", words.moment(status["deadline"], zone)),
            ("Limits", ", ".join(rate) or "none"),
            ("Tracking", {"person": "per person", "anonymous": "in sum only", "off": "off"}[status["tracking"]]),
            ("In doubt", "held for a decision" if status["doubt"] == "hold" else "sent again"),
            ("Drafted", words.moment(status["drafted_at"], zone)),
        ]


class Links:
    """How often each link was followed, and by how many."""

    def __init__(self, desk: Desk, mailing: str) -> None:
        self._desk = desk
        self._mailing = mailing
        with tag("section", "", "card once-begun", aria_label="Links", hidden=True) as self._card:
            tag("h2", "Links")
            self._list = tag("ul", "", "plain-list")
        self._shown: list[Data] = []

    async def refresh(self) -> None:
        """Read and draw them."""
        links = (await self._desk.read(commands.Links(mailing=self._mailing)))["links"]
        if links == self._shown:
            return
        self._shown = links
        self._card.put(hidden=None if links else True)
        self._list.clear()
        with self._list:
            for link in sorted(links, key=lambda link: -link["hits"]):
                with tag("li"):
                    tag("span", link["name"] or link["url"], title=link["url"])
                    machines = sum(link["by"].values()) - link["hits"]
                    others = f" · {words.count(machines)} not by people" if machines else ""
                    said = f"{words.many(link['hits'], 'hit')} · {words.count(link['people'])} people{others}"
                    tag("span", said, "under nowrap")


class Ledger:
    """The proof on demand: counted again from the log and the frozen audience."""

    def __init__(self, frame: Frame, mailing: str) -> None:
        self._frame = frame
        self._mailing = mailing
        with tag("section", "", "card once-begun", aria_label="Ledger"):
            tag("h2", "Ledger")
            self._verdict = tag(
                "p",
                "Counts again, from the log and the frozen audience, whether everybody is accounted for.",
                "under",
                role="status",
            )
            self._gaps = tag("ul", "", "plain-list")
            with tag("div", "", "buttons spaced"):
                tag("button", "Verify", "button", type="button").on("click", self._verify)

    async def _verify(self) -> None:
        self._verdict.say("Counting …")
        try:
            found = await self._frame.desk.read(commands.VerifyLedger(mailing=self._mailing))
        except (AwayError, RefusedError) as error:  # said where it was asked; it can be asked again
            self._verdict.say(str(error))
            return
        totals = ", ".join(f"{number:,} {name.replace('_', ' ')}" for name, number in found["totals"].items() if number)
        pending = f", {found['pending']:,} pending" if found["pending"] else ""
        verdict = "Balanced" if found["balanced"] else f"Not balanced: {words.many(found['gap_count'], 'gap')}"
        self._verdict.say(
            f"{verdict}. {words.many(found['planned'], 'recipient')}: {totals or 'none settled'}{pending}."
        )
        self._verdict.put(data_tone="green" if found["balanced"] else "red")
        self._gaps.clear()
        with self._gaps:
            for gap in found["gaps"][:_LOG]:
                with tag("li"):
                    tag("span", f"Chunk {gap['n']}, place {gap['index']}: {gap['why']}")


class Log:
    """What happened, newest first."""

    def __init__(self, desk: Desk, mailing: str) -> None:
        self._desk = desk
        self._mailing = mailing
        self._limit = _LOG
        with tag("section", "", "card", aria_label="Log"):
            tag("h2", "Log")
            self._list = tag("ol", "", "log")
            self._more = tag("button", "Show more", "button small", type="button", hidden=True).on(
                "click", self._further
            )
        self._shown: list[Data] = []

    async def _further(self) -> None:
        self._limit = min(1000, self._limit * 4)
        await self.refresh()

    async def refresh(self) -> None:
        """Read and draw it."""
        found = await self._desk.read(commands.LogLines(mailing=self._mailing, limit=self._limit))
        self._more.put(hidden=None if found["next"] and self._limit < 1000 else True)
        if found["rows"] == self._shown:
            return
        self._shown = found["rows"]
        self._list.clear()
        with self._list:
            for row in found["rows"]:
                with tag("li"):
                    tag("time", words.exact(row["at"], self._desk.zone), "under", datetime=row["at"])
                    tag("span", row["text"])
                    who = row["principal"]
                    tag("span", self._desk.name if who == self._desk.id else who, "under")
