"""`posthaste mailbox`: the mailboxes that mail comes back to."""

import os
from typing import Annotated, Any

import typer

from cli import choices
from cli.commands import KeyOption, command, group
from cli.output import pairs, text
from cli.session import Session
from shared.contracts import commands
from shared.contracts.mailbox import Security

app = group("mailbox", "Mailboxes that bounces, complaints and replies come back to, read over IMAP.")

Name = Annotated[str, typer.Option("--name", help="What people call it.")]
Host = Annotated[str, typer.Option("--host", help="Host of the IMAP server.")]
Port = Annotated[int, typer.Option("--port", help="993 with TLS, 143 with STARTTLS; by itself where it is not given.")]
Secure = Annotated[Security, typer.Option("--security", help="How the connection is encrypted.")]
Username = Annotated[str, typer.Option("--username", help="Whom to log in as.")]
Folder = Annotated[list[str] | None, typer.Option("--folder", help="Folder to read; repeatable. INBOX by itself.")]
Since = Annotated[str, typer.Option("--since", metavar="DATE", help="Leave alone what came before that day.")]
Target = Annotated[str, typer.Option("--target", help="Folder to move to what was read; else it stays.")]
Sent = Annotated[str, typer.Option("--sent", help="Folder of what people of ours sent by their mail programs.")]
Interval = Annotated[int, typer.Option("--interval", help="Seconds from one look to the next.")]
Which = Annotated[str, typer.Argument(metavar="MAILBOX", help="Id or name.")]


@command(app, "add")
async def add(
    session: Session,
    name: Name,
    host: Host,
    username: Username,
    port: Port = 0,
    security: Secure = "tls",
    folder: Folder = None,
    since: Since = "",
    target: Target = "",
    interval: Interval = 300,
    sent: Sent = "",
    key: KeyOption = "",
) -> None:
    """Read a mailbox from now on.

    The password is asked for, or taken from POSTHASTE_IMAP_PASSWORD: never as an argument, which others could see.

    Example: `posthaste mailbox add --name bounces --host imap.example.com --username bounces@example.com`
    """
    wanted = {
        "name": name,
        "host": host,
        "port": port or _PORTS[security],
        "security": security,
        "username": username,
        "password": _password(),
        "folders": folder or ["INBOX"],
        "since": since or None,
        "target": target,
        "interval": interval,
        "sent": sent,
    }
    answer = await session.ask(commands.AddMailbox.model_validate(wanted), key=key)
    session.out.done(
        answer, f"Added mailbox {answer['mailbox']}. See whether it works: posthaste mailbox test {answer['mailbox']}"
    )


@command(app, "edit")
async def edit(
    session: Session,
    mailbox: Which,
    name: Name = "",
    host: Host = "",
    username: Username = "",
    port: Port = 0,
    security: Annotated[Security | None, typer.Option("--security", help="How the connection is encrypted.")] = None,
    folder: Folder = None,
    since: Annotated[str | None, typer.Option("--since", metavar="DATE", help='First day; "" means all.')] = None,
    target: Annotated[str | None, typer.Option("--target", help='Folder to move to; "" moves nothing.')] = None,
    interval: Interval = 0,
    sent: Annotated[str | None, typer.Option("--sent", help='Folder of what people of ours sent; "" for none.')] = None,
    password: Annotated[bool, typer.Option("--password", help="Ask for a new password.")] = False,
    key: KeyOption = "",
) -> None:
    """Change a mailbox; what is not given stays. A pause ends, and it is read at once.

    Another host, user or first day reads it from that day on again; nothing counts twice.

    Example: `posthaste mailbox edit bounces --folder INBOX --folder Junk --interval 60`
    """
    row = await _row(session, mailbox)
    given: dict[str, Any] = {"name": name, "host": host, "username": username, "port": port, "security": security}
    given |= {"folders": folder, "interval": interval}
    wanted = {name: row[name] for name in _FIELDS} | {name: value for name, value in given.items() if value}
    wanted |= {} if since is None else {"since": since or None}
    wanted |= {} if target is None else {"target": target}
    wanted |= {} if sent is None else {"sent": sent}
    wanted |= {"mailbox": row["mailbox"], "password": _password() if password else None}
    answer = await session.ask(commands.EditMailbox.model_validate(wanted), key=key)
    session.out.done(answer, f"Changed mailbox {row['mailbox']}.")


@command(app, "test")
async def test(session: Session, mailbox: Which, key: KeyOption = "") -> None:
    """Let a tracker log in and look for the folders. A good test ends a pause, and the mailbox is read at once.

    What does not work is refused as `mailbox_not_working`, with what is wrong and what to do.

    Example: `posthaste mailbox test bounces`
    """
    chosen = (await _row(session, mailbox))["mailbox"]
    answer = await session.ask(commands.TestMailbox(mailbox=chosen), key=key)
    session.out.done(answer, f"[green]Works.[/green] {text(answer.get('detail', ''))}")


@command(app, "show")
async def show(session: Session, mailbox: Which) -> None:
    """Show one mailbox: its settings, how reading it stands, and what is wrong with it.

    Example: `posthaste mailbox show bounces`
    """
    row = await _row(session, mailbox)
    if session.out.as_json:
        session.out.json(row)
        return
    session.out.screen.print(pairs({name.replace("_", " ").capitalize(): value for name, value in row.items()}))


@command(app, "list")
async def list_mailboxes(session: Session) -> None:
    """List all mailboxes, and how reading them stands.

    Example: `posthaste mailbox list --json`
    """
    shown = ("mailbox", "name", "host", "folders", "state", "read_at", "taken", "parked", "detail")
    columns = {name: name.replace("_", " ").capitalize() for name in shown}
    empty = "No mailbox yet: posthaste mailbox add --help"
    session.out.rows(await session.ask(commands.Mailboxes()), "mailboxes", columns, empty=empty)


@command(app, "remove")
async def remove(session: Session, mailbox: Which, key: KeyOption = "") -> None:
    """Read a mailbox no more and forget its password. Mails in it, and what came of them, stay.

    Example: `posthaste mailbox remove bounces`
    """
    chosen = (await _row(session, mailbox))["mailbox"]
    answer = await session.ask(commands.RemoveMailbox(mailbox=chosen), key=key)
    session.out.done(answer, f"Removed mailbox {chosen}.")


_PORTS = {"tls": 993, "starttls": 143, "none": 143}
_FIELDS = ("name", "host", "port", "security", "username", "folders", "since", "target", "interval", "sent")


async def _row(session: Session, given: str) -> dict[str, Any]:
    chosen = await choices.mailbox_id(session, given)
    rows: list[dict[str, Any]] = (await session.ask(commands.Mailboxes()))["mailboxes"]
    return next(row for row in rows if row["mailbox"] == chosen)


def _password() -> str:
    found: str = os.environ.get("POSTHASTE_IMAP_PASSWORD") or typer.prompt("Password", hide_input=True, err=True)
    return found
