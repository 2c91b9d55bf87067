"""From a draft to its start: recipients, a test, the time. Each step says what it needs and what comes next."""

from collections.abc import Awaitable, Callable
from datetime import datetime

from services.reporting.console import words
from services.reporting.console.desk import AwayError, Data, RefusedError
from services.reporting.console.form import Form, Values, made
from services.reporting.console.frame import Frame
from services.reporting.console.html import Tag, link, tag
from services.reporting.console.live import later
from shared.contracts import commands
from shared.contracts.commands import Refusal

_DAYS = (("0", "Mon"), ("1", "Tue"), ("2", "Wed"), ("3", "Thu"), ("4", "Fri"), ("5", "Sat"), ("6", "Sun"))
_ALIASES = {"hours": "from", "deadline": "not_after", "weekdays": "days"}
_LOOK = 0.7
_LOOKS = 40


class Steps:
    """The steps; there until the mailing is scheduled."""

    def __init__(self, frame: Frame, mailing: str, changed: Callable[[], Awaitable[None]]) -> None:
        self._frame = frame
        self._desk = frame.desk
        self._mailing = mailing
        self._changed = changed

    async def draw(self) -> None:
        """Draw them in the state the mailing is in."""
        status = await self._desk.read(commands.Status(mailing=self._mailing))
        if status["status"] != "Planned" or not (self._desk.may("edit") or self._desk.may("send")):
            return
        with tag("div", "", "steps-grid"):
            self._audience(status)
            if status["audience"]:
                self._test()
                await self._start()

    def _audience(self, status: Data) -> None:
        with tag("section", "", "card", aria_labelledby="step-audience"):
            tag("h2", "1. Recipients", id="step-audience")
            if status["audience"]:
                text = f"{words.many(status['recipients'], 'person', 'people')} will get it."
                tag("p", text)
                for reason, number in status["left_out"].items():
                    tag("p", f"{words.count(number)} left out: {words.reason(reason)}", "under")
                link("See who", f"/mailings/{self._mailing}/audience")
            else:
                tag("p", "Fix who gets it: one mail per address, with a reason for everybody left out.", "under")
            link("Choose where they come from", f"/mailings/{self._mailing}/sources")
            if self._desk.may("edit"):
                label = "Fix again" if status["audience"] else "Fix the recipients"
                form = Form(self._freeze, "spaced")
                with form:
                    form.buttons(label, style="plain" if status["audience"] else "")

    async def _freeze(self, _: Values) -> Refusal | None:
        answer = await self._desk.tell(commands.FreezeAudience(mailing=self._mailing))
        if answer.refusal is None:
            self._frame.say(f"{words.many(answer.data['recipients'], 'recipient')} fixed.")
            await self._changed()
        return answer.refusal

    def _test(self) -> None:
        if not self._desk.may("send"):
            return
        with tag("section", "", "card", aria_labelledby="step-test"):
            tag("h2", "2. Try it on yourself", id="step-test")
            form = Form(self._send_test)
            with form:
                form.text("to", "Send a test to", required=True, hint="One or more addresses, separated by commas.")
                form.buttons("Send the test")
            self._came = tag("p", "", "said", role="status", hidden=True)

    async def _send_test(self, values: Values) -> Refusal | None:
        to = [part.strip() for part in values["to"].split(",") if part.strip()]
        answer = await self._desk.tell(made(commands.SendTest, mailing=self._mailing, to=to))
        if answer.refusal is None:
            self._came.put(hidden=None)
            self._came.say("On its way …")
            later(_LOOK, lambda: self._look(answer.data["test"], self._came, _LOOKS))
        return answer.refusal

    async def _look(self, test: str, came: Tag, left: int) -> None:
        """Say what came of the test, as soon as it is known."""
        try:
            status = await self._desk.read(commands.Status(mailing=test))
            rows = (await self._desk.read(commands.Recipients(mailing=test, limit=20)))["rows"]
        except (AwayError, RefusedError):  # not there yet: looked at again
            status, rows = {"status": ""}, []
        settled = rows and all(row["status"] != "Pending" for row in rows)
        if settled:
            texts = [f"{row['outcome'].replace('_', ' ')}: {row['code']} {row['text']}".strip() for row in rows]
            came.say("; ".join(texts))
        elif left:
            later(_LOOK, lambda: self._look(test, came, left - 1))
        else:
            came.say(f"Still on its way ({status['status'] or 'not started'}).")

    async def _start(self) -> None:
        if not self._desk.may("send"):
            return
        with tag("section", "", "card", aria_labelledby="step-start"):
            tag("h2", "3. Start", id="step-start")
            foreseen = await self._desk.read(commands.Forecast(mailing=self._mailing))
            if foreseen["finishes_at"] and not foreseen["assumed"]:
                ends = words.moment(foreseen["finishes_at"], self._desk.zone)
                tag("p", f"Started now, at any hour, it would be finished {ends}.", "under")
            form = Form(self._schedule, aliases=_ALIASES)
            with form:
                form.text("at", "Date and time", type="datetime-local", hint="Empty: at once.")
                form.text("zone", "Time zone", self._desk.zone.key, required=True)
                with tag("details", "", "more"):
                    tag("summary", "Sending hours and deadline")
                    with tag("div", "", "form"):
                        with tag("div", "", "pair"):
                            form.text("from", "From", type="time")
                            form.text("until", "Until", type="time")
                        form.checks("days", "Only on", _DAYS, [day for day, _ in _DAYS])
                        form.text("holidays", "Not on public holidays of", hint="Countries, or parts: CZ, DE-BY.")
                        form.text("not_after", "Not after", type="datetime-local")
                form.buttons("Start or schedule")

    async def _schedule(self, values: Values) -> Refusal | None:
        fields: dict[str, object] = {**values.given("at", "zone")}
        if bool(values["from"]) != bool(values["until"]):
            return Refusal(code="invalid", message="Give both hours, or none.", field="from")
        days = [int(day) for day in values.all("days")]
        holidays = values["holidays"].upper().replace(",", " ").split()
        if values["from"] or len(days) < 7 or holidays:
            start, end = values["from"] or "00:00", values["until"] or "00:00"
            fields["hours"] = {"start": start, "end": end, "weekdays": days, "holidays": holidays}
        if values["not_after"]:
            fields["deadline"] = datetime.fromisoformat(values["not_after"])
        answer = await self._desk.tell(made(commands.ScheduleMailing, mailing=self._mailing, **fields))
        if answer.refusal is None:
            self._frame.say("Scheduled." if values["at"] else "It starts now.")
            await self._changed()
        return answer.refusal
