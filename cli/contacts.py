"""`posthaste contacts`: lists and imports of contacts."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import BarColumn, DownloadColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from cli import choices, contact_views
from cli.commands import AfterOption, KeyOption, LimitOption, command, group
from cli.contact_views import ColumnOption, DelimiterOption, EncodingOption
from cli.errors import CliError, InputError
from cli.output import pairs, table
from cli.session import Data, Session, read_file
from shared.contracts import commands

app = group("contacts", "Contacts and lists.")
command(app, "show")(contact_views.show)
command(app, "members")(contact_views.members)
command(app, "remove")(contact_views.remove)
command(app, "preview")(contact_views.preview)

_POLL = 0.25
_SHOWN = 20
_COUNTS = ("rows", "added", "updated", "unchanged", "rejected")
_REJECTED = {"line": "Line", "column": "Column", "reason": "Reason", "value": "Value"}

UploadArgument = Annotated[str, typer.Argument(metavar="UPLOAD", help="Id that `contacts import` printed.")]


class ImportFailedError(CliError):
    """The import ended before the end of the file."""

    exit_code = 1


@command(app, "import")
async def import_file(
    session: Session,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="CSV file with a header line.")],
    to_list: Annotated[str, typer.Option("--list", help="Name of the list; it is made if it is new.")],
    column: ColumnOption = None,
    encoding: EncodingOption = "",
    delimiter: DelimiterOption = "",
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Follow it to its end.")] = True,
    key: KeyOption = "",
) -> None:
    """Import a CSV file into a list. Rows that cannot be used are left out and listed with their reason.

    `posthaste contacts preview` shows beforehand how the file would be read.

    Examples: `posthaste contacts import people.csv --list Customers`,
    `posthaste contacts import kunden.csv --list Kunden --column E-Mail=email --encoding windows-1252`
    """
    if not file.is_file():
        raise InputError("no_file", f"{file}: no such file")
    with Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TimeElapsedColumn(),
        console=session.out.notes,
        transient=True,
        disable=not session.out.notes.is_terminal,
    ) as progress:
        sent = progress.add_task("Uploading", total=file.stat().st_size)
        upload_id, parts = await session.upload(file, lambda size: progress.advance(sent, size), key=key)
    accepted = await session.ask(
        commands.ImportContacts(
            upload=upload_id,
            parts=parts,
            list=to_list,
            file_name=file.name,
            encoding=encoding,
            delimiter=delimiter,
            columns=choices.mapping(column or []),
        ),
        key=key,
    )
    if not wait:
        session.out.done(accepted, f"Accepted. Follow it: posthaste contacts status {upload_id}")
        return
    status = await _follow(session, upload_id)
    await _report(session, upload_id, status)


async def _follow(session: Session, upload_id: str) -> Data:
    with Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        TimeElapsedColumn(),
        console=session.out.notes,
        transient=True,
        disable=not session.out.notes.is_terminal,
    ) as progress:
        rows = progress.add_task("Importing", total=None)
        while True:
            status = await session.ask(commands.ImportStatus(upload=upload_id))
            progress.update(rows, description=f"Importing: {status.get('rows', 0):,} rows")
            if status["state"] in {"done", "failed"}:
                return status
            await asyncio.sleep(_POLL)


async def _report(session: Session, upload_id: str, status: Data) -> None:
    rejected: Data = {"rows": []}
    if status.get("rejected"):
        rejected = await session.ask(commands.RejectedRows(upload=upload_id, limit=_SHOWN))
    if session.out.as_json:
        session.out.json(status | {"upload": upload_id, "rejected_rows": rejected["rows"]})
    else:
        session.out.screen.print(pairs({name.capitalize(): status.get(name, 0) for name in _COUNTS}))
        if rejected["rows"]:
            session.out.screen.print(f"\nRejected (first {_SHOWN}; all: posthaste contacts rejected {upload_id}):")
            session.out.screen.print(table(rejected["rows"], _REJECTED))
    if status["state"] == "failed":
        if session.out.as_json:
            raise typer.Exit(1)
        raise ImportFailedError("import_failed", f"{status.get('problem', '')} What came before it was taken in.")


@command(app, "status")
async def status(session: Session, upload_id: UploadArgument) -> None:
    """Show how far an import is.

    Example: `posthaste contacts status k3mzb0tq9c2a`
    """
    answer = await session.ask(commands.ImportStatus(upload=upload_id))
    if session.out.as_json:
        session.out.json(answer)
    else:
        shown = {name.capitalize(): answer.get(name, 0) for name in _COUNTS}
        session.out.screen.print(pairs({"State": answer["state"], **shown, "Problem": answer.get("problem", "")}))


@command(app, "rejected")
async def rejected_rows(
    session: Session, upload_id: UploadArgument, after: AfterOption = "", limit: LimitOption = 100
) -> None:
    """List the rows an import left out, with line, column and reason.

    Example: `posthaste contacts rejected k3mzb0tq9c2a --limit 1000`
    """
    answer = await session.ask(commands.RejectedRows(upload=upload_id, after=after, limit=limit))
    session.out.rows(answer, "rows", _REJECTED, empty="No row was rejected.")


@command(app, "lists")
async def lists(session: Session) -> None:
    """List all lists with their members.

    Example: `posthaste contacts lists`
    """
    answer = await session.ask(commands.Lists())
    empty = "No list yet: posthaste contacts import FILE --list NAME"
    session.out.rows(answer, "lists", {"id": "Id", "name": "Name", "members": "Members"}, empty=empty)


@command(app, "kinds")
async def kinds(session: Session) -> None:
    """List the kinds of records that are known: what a column or field `kind` may hold, and rules ask for.

    Example: `posthaste contacts kinds`
    """
    answer = await session.ask(commands.Lists())
    rows = [{"kind": kind} for kind in answer["kinds"]]
    session.out.rows({"kinds": rows}, "kinds", {"kind": "Kind"}, empty="None is known: the planner is an older one.")


@command(app, "lift")
async def lift(
    session: Session,
    address: Annotated[str, typer.Option("--address", help="Address of the person.")] = "",
    contact: Annotated[str, typer.Option("--contact", help="Or the contact id.")] = "",
    reason: Annotated[str, typer.Option("--reason", help="Why it may be mailed again.")] = "",
    key: KeyOption = "",
) -> None:
    """Let an address be mailed again that a bounce or a complaint suppressed. An opt-out is not undone by this.

    Example: `posthaste contacts lift --address ann@example.com --reason "mailbox works again"`
    """
    wanted = commands.LiftSuppression(contact=contact, address=address, reason=reason)
    answer = await session.ask(wanted, key=key)
    session.out.done(answer, f"The address may be mailed again. It was suppressed for: {answer['reason']}.")


@command(app, "block")
async def block(
    session: Session,
    domain: Annotated[str, typer.Argument(metavar="DOMAIN", help="Its name; those below it are meant, too.")],
    reason: Annotated[str, typer.Option("--reason", help="For whoever looks later.")] = "",
    off: Annotated[bool, typer.Option("--off", help="Let it go.")] = False,
    key: KeyOption = "",
) -> None:
    """Leave contacts of a domain out of every audience from now on.

    Example: `posthaste contacts block rival.example --reason "a rival"`
    """
    answer = await session.ask(commands.BlockDomain(domain=domain, blocked=not off, reason=reason), key=key)
    session.out.done(answer, f"{answer['domain']} is mailed again." if off else f"{answer['domain']} is not mailed.")


@command(app, "blocked")
async def blocked(session: Session, after: AfterOption = "", limit: LimitOption = 100) -> None:
    """List the domains that are not mailed.

    Example: `posthaste contacts blocked`
    """
    answer = await session.ask(commands.BlockedDomains(after=after, limit=limit))
    session.out.rows(answer, "rows", {"domain": "Domain", "reason": "Reason"}, empty="No domain is blocked.")


@command(app, "confirmation")
async def confirmation(
    session: Session,
    to_list: Annotated[str, typer.Argument(metavar="LIST", help="Name or id of the list.")],
    account: Annotated[str, typer.Option("--account", help="Account (name or id) that the mail goes through.")] = "",
    sender: Annotated[str, typer.Option("--from", help='Sender, e.g. "Shop <news@example.com>".')] = "",
    language: Annotated[str, typer.Option("--language", help="Code of the language, e.g. el.")] = "",
    subject: Annotated[str, typer.Option("--subject", help="Ours in that language if not given.")] = "",
    html: Annotated[Path | None, typer.Option("--html", help="File with {{ optInLink }}; ours if not given.")] = None,
    text: Annotated[Path | None, typer.Option("--text", help="File with {{ optInUrl }}; ours if not given.")] = None,
    off: Annotated[bool, typer.Option("--off", help="Demand none any more.")] = False,
    key: KeyOption = "",
) -> None:
    """Have a list demand a confirmation of whoever joins it (double opt-in).

    Example: `posthaste contacts confirmation Customers --account relay --from "Shop <news@example.com>" --language it`
    """
    if off == bool(account):
        raise InputError("invalid", "Give --account and --from, or --off.")
    name, address = choices.sender(sender) if account else ("", "")
    answer = await session.ask(
        commands.ListConfirmation(
            list=to_list,
            account=await choices.account_id(session, account) if account else "",
            sender_address=address,
            sender_name=name,
            language=language,
            subject=subject,
            html=read_file(html) if html else "",
            text=read_file(text) if text else "",
        ),
        key=key,
    )
    session.out.done(answer, "It demands none any more." if off else "Whoever joins it is asked first.")


_STATES = {
    "subscribed": "On the list.",
    "asked": "A mail asks for the confirmation; until then nothing of this list is sent.",
    "asked_before": "Was asked already: it waits for the confirmation.",
    "unchanged": "Was on the list already.",
}


@command(app, "opt-in")
async def opt_in(
    session: Session,
    address: Annotated[str, typer.Argument(metavar="ADDRESS", help="Who wants mail.")],
    to_list: Annotated[str, typer.Option("--list", help="Of which list, name or id.")],
    name: Annotated[str, typer.Option("--name", help="Name of the person.")] = "",
    key: KeyOption = "",
) -> None:
    """Put somebody on a list, or ask for the confirmation that the list demands.

    Example: `posthaste contacts opt-in ann@example.com --list Customers --name Ann`
    """
    answer = await session.ask(commands.OptIn(address=address, list=to_list, name=name), key=key)
    session.out.done(answer, _STATES[answer["state"]])


@command(app, "opt-out")
async def opt_out(
    session: Session,
    address: Annotated[str, typer.Argument(metavar="ADDRESS", help="Who wants no mail.")],
    of_list: Annotated[str, typer.Option("--list", help="Of which list, name or id; of all mail if not given.")] = "",
    key: KeyOption = "",
) -> None:
    """Record that somebody wants no more mail of a list, or none at all.

    Example: `posthaste contacts opt-out ann@example.com`
    """
    answer = await session.ask(commands.OptOut(address=address, list=of_list), key=key)
    what = "mail" if answer["scope"] == "*" else "mail of this list"
    session.out.done(answer, f"No more {what} is sent.")


@command(app, "consent")
async def consent(
    session: Session,
    address: Annotated[str, typer.Option("--address", help="Address of the person.")] = "",
    contact: Annotated[str, typer.Option("--contact", help="Or the contact id.")] = "",
) -> None:
    """Show every consent act of one person, oldest first; those in force are marked.

    With `--json` also what the page said on which each was chosen. Acts are found by address after an erasure, too.

    Example: `posthaste contacts consent --address ann@example.com`
    """
    answer = await session.ask(commands.ConsentHistory(contact=contact, address=address))
    columns = {"at": "At", "act": "Act", "scope": "Scope", "list": "List", "how": "How", "mailing": "Mailing"}
    columns |= {"subject": "Subject", "reason": "Reason", "comment": "Comment", "principal": "By"}
    session.out.rows(answer, "acts", columns | {"holds": "In force"}, empty="No act: the person may be mailed.")
