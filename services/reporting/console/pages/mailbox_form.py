"""The form of a mailbox, new or there already: server, folders, what becomes of what was read."""

from nicegui import ui

from services.reporting.console.desk import Data
from services.reporting.console.form import Form, Values, made
from services.reporting.console.frame import Frame, heading, nothing
from services.reporting.console.html import tag
from shared.contracts import commands
from shared.contracts.commands import Command, Refusal

SECURITY = (("tls", "TLS from the start"), ("starttls", "STARTTLS"), ("none", "None: in clear"))
_TEXTS = ("name", "host", "port", "security", "username", "since", "target", "interval", "sent")


def mailbox_fields(form: Form, known: Data) -> None:
    """Add the fields, with what is `known` of the mailbox."""
    hint = "What people call it here."
    form.text("name", "Name", known.get("name", ""), required=True, maxlength=200, hint=hint)
    with tag("div", "", "pair"):
        host = known.get("host", "")
        form.text("host", "Server", host, required=True, maxlength=253, placeholder="imap.example.com")
        form.text("port", "Port", known.get("port", 993), required=True, type="number", min=1, max=65535)
    form.choice("security", "Encryption", SECURITY, known.get("security", "tls"), required=True)
    with tag("div", "", "pair"):
        form.text("username", "User", known.get("username", ""), required=True, autocomplete="off")
        hint = "Empty: it keeps the one it has." if known else ""
        form.text("password", "Password", required=not known, type="password", autocomplete="new-password", hint=hint)
    folders = ", ".join(known.get("folders", ["INBOX"]))
    form.text("folders", "Folders to read", folders, required=True, hint="Separated by commas.")
    with tag("div", "", "pair"):
        form.text("since", "Leave alone what came before", known.get("since") or "", type="date")
        hint, target = "Empty: it stays where it is.", known.get("target", "")
        form.text("target", "Move what was read to", target, maxlength=250, hint=hint)
    hint = "What people of ours sent to recipients by their mail programs is taken in from there."
    form.text("sent", "Folder of sent mail", known.get("sent", ""), maxlength=250, hint=hint)
    interval = known.get("interval", 300)
    form.text("interval", "Seconds between looks", interval, required=True, type="number", min=5, max=86_400)


def mailbox_of(values: Values) -> Data:
    """Return what a form with these fields says, the password left out."""
    folders = [part.strip() for part in values["folders"].split(",") if part.strip()]
    return {**values.given(*_TEXTS), "folders": folders}


async def draw_edit(frame: Frame, mailbox: str) -> None:
    """Draw the page on which one is edited."""
    mailboxes = (await frame.desk.read(commands.Mailboxes()))["mailboxes"]
    known = next((one for one in mailboxes if one["mailbox"] == mailbox), None)
    if known is None:
        nothing("There is no such mailbox", "It was removed, or never added.", "To the mailboxes", "/mailboxes")
        return
    heading(f"Edit {known['name']}", "It is read this way from now on.")

    async def save(values: Values) -> Refusal | None:
        password = values.raw("password") or None
        command: Command = made(commands.EditMailbox, mailbox=mailbox, password=password, **mailbox_of(values))
        answer = await frame.desk.tell(command, form.id)
        if answer.refusal is None:
            ui.navigate.to(f"/mailboxes?at={answer.position}")
        return answer.refusal

    form = Form(save, "card")
    with form:
        mailbox_fields(form, known)
        form.buttons("Save")
