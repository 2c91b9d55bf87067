"""Mailboxes that mail comes back to: how reading each stands, what to do where it stands still, a test, a new one."""

from functools import partial
from typing import TYPE_CHECKING

from services.reporting.console import words
from services.reporting.console.desk import Data
from services.reporting.console.dialog import Question, dialog_button
from services.reporting.console.form import Form, Values, made
from services.reporting.console.frame import Frame, Section, heading, nothing
from services.reporting.console.html import link, pill, tag
from services.reporting.console.pages import mailbox_form
from services.reporting.console.pages.mailbox_form import SECURITY, mailbox_fields, mailbox_of
from shared.contracts import commands
from shared.contracts.commands import Refusal

if TYPE_CHECKING:
    from services.reporting.console.mount import Console

_PAUSED = (
    "It is not tried again by itself, so that the account is not locked. Set the right password here, "
    "or mend the account and test it: a good test ends the pause."
)
_STATES = {
    "new": ("Not read yet", "amber", "No tracker looked at it yet. If that stays so, no tracker is running."),
    "waiting": ("Works", "green", ""),
    "reading": ("Is being read", "green", ""),
    "failing": (
        "Cannot be read",
        "red",
        "It is tried again by itself. Mend the cause, then test it to read it at once.",
    ),
    "paused": ("Paused", "red", _PAUSED),
}


class _Mailboxes:
    def __init__(self, frame: Frame) -> None:
        self._frame = frame
        self._desk = frame.desk

    async def draw(self) -> None:
        """Draw the page."""
        heading("Mailboxes", "Bounces, complaints and answers come back to these. They are read over IMAP.")
        place = tag("div", "", "stack")
        self._section = Section(self._frame, place, self._list)
        self._new()
        await self._section.draw()

    async def _list(self) -> None:
        mailboxes = (await self._desk.read(commands.Mailboxes()))["mailboxes"]
        if not mailboxes:
            nothing("No mailbox yet", "Add the mailbox that your sender addresses or return paths lead to.")
        for mailbox in mailboxes:
            self._mailbox(mailbox)

    def _mailbox(self, mailbox: Data) -> None:
        label, tone, remedy = _STATES[mailbox["state"]]
        with tag("article", "", "card account", aria_label=mailbox["name"]):
            with tag("div", "", "section-head"):
                tag("h2", mailbox["name"])
                pill(label, tone)
            with tag("dl", "", "facts"):
                _fact("Server", f"{mailbox['host']}:{mailbox['port']}, {dict(SECURITY)[mailbox['security']]}")
                _fact("User", mailbox["username"])
                _fact("Folders", ", ".join(mailbox["folders"]))
                _fact("What was read goes to", mailbox["target"] or "stays where it is")
                _fact("Last read", words.moment(mailbox["read_at"], self._desk.zone) if mailbox["read_at"] else "never")
                _fact("Taken in", words.many(mailbox["taken"], "mail") + _parked(mailbox["parked"]))
            if mailbox["detail"]:
                tag("p", mailbox["detail"], "said")
            if remedy:
                tag("p", remedy, "said")
            self._actions(mailbox)

    def _actions(self, mailbox: Data) -> None:
        with tag("div", "", "actions"):
            test = tag("button", "Test", "button small", type="button", aria_label=f"Test {mailbox['name']}")
            test.on("click", partial(self._test, mailbox))
            href = f"/mailboxes/{mailbox['mailbox']}/edit"
            link("Edit", href, "button small", aria_label=f"Edit {mailbox['name']}")
            text = (
                f"{mailbox['name']} is read no more, its password forgotten. Mails in it, and what came of them, stay."
            )
            question = Question("Remove this mailbox?", text, "Remove it", "danger small")
            dialog_button("Remove", question, partial(self._remove, mailbox))

    async def _test(self, mailbox: Data) -> None:
        answer = await self._desk.tell(commands.TestMailbox(mailbox=mailbox["mailbox"]))
        works = f"{mailbox['name']} works: "
        said = answer.refusal.message if answer.refusal else works + answer.data["detail"]
        self._frame.say(said)
        await self._section.draw()

    async def _remove(self, mailbox: Data, _: Values) -> Refusal | None:
        answer = await self._desk.tell(commands.RemoveMailbox(mailbox=mailbox["mailbox"]))
        if answer.refusal is None:
            self._frame.say(f"{mailbox['name']} was removed.")
            await self._section.draw()
        return answer.refusal

    def _new(self) -> None:
        with tag("section", "", "card", aria_labelledby="new-mailbox"):
            tag("h2", "Add a mailbox", id="new-mailbox")
            form = Form(lambda values: self._add(form, values))
            with form:
                mailbox_fields(form, {})
                form.buttons("Add the mailbox")

    async def _add(self, form: Form, values: Values) -> Refusal | None:
        command = made(commands.AddMailbox, password=values.raw("password"), **mailbox_of(values))
        answer = await self._desk.tell(command, form.id)
        if answer.refusal is None:
            self._frame.say(f"{values['name']} was added and is read from now on.")
            await self._section.draw()
        return answer.refusal


def _parked(count: int) -> str:
    return f", {words.count(count)} more could not be read and are parked" if count else ""


def _fact(label: str, text: str) -> None:
    with tag("div"):
        tag("dt", label)
        tag("dd", text)


def register(console: "Console") -> None:
    """Register the page."""

    @console.page("/mailboxes", "Mailboxes", "administer")
    async def _(frame: Frame) -> None:
        await _Mailboxes(frame).draw()

    @console.page("/mailboxes/{mailbox}/edit", "Edit mailbox", "administer", here="/mailboxes")
    async def _(frame: Frame, mailbox: str) -> None:
        with tag("nav", "", "crumbs", aria_label="Back"):
            link("← Mailboxes", "/mailboxes")
        await mailbox_form.draw_edit(frame, mailbox)
