"""What `posthaste contacts` shows of contacts, of who is on a list and of a file before it is imported."""

from pathlib import Path
from typing import Annotated, Any

import typer

from cli import choices
from cli.commands import AfterOption, KeyOption, LimitOption
from cli.errors import InputError
from cli.output import pairs, table, text
from cli.session import Session
from shared.contracts import commands

_ADDRESSES = {"address": "Address", "name": "Name", "slot": "Which", "contact": "Contact"}
_RECORDS = {"source": "Source", "external": "Id there", "version": "Version", "slot": "Which address"}

EncodingOption = Annotated[str, typer.Option("--encoding", help="E.g. windows-1252; detected if not given.")]
DelimiterOption = Annotated[str, typer.Option("--delimiter", help="One character; detected if not given.")]
ColumnOption = Annotated[
    list[str] | None,
    typer.Option("--column", help="HEADER=FIELD; `email` is the address, `name` the display name. Repeatable."),
]


async def show(
    session: Session,
    who: Annotated[str, typer.Argument(metavar="ADDRESS", help="Address, or the contact id.")],
) -> None:
    """Show one contact: fields, account, records of producers, addresses of the customer, lists, status, flags.

    What the person consented to is told by `posthaste contacts consent`.

    Example: `posthaste contacts show ann@example.com`
    """
    wanted = commands.ShowContact(address=who) if "@" in who else commands.ShowContact(contact=who)
    answer = await session.ask(wanted)
    if session.out.as_json:
        session.out.json(answer)
        return
    screen = session.out.screen
    screen.print(pairs(_told(answer)))
    if answer["fields"]:
        screen.print("\n[bold]Fields[/bold]", pairs(answer["fields"]), sep="\n")
    if len(answer["addresses"]) > 1:
        screen.print("\n[bold]Addresses of the customer[/bold]", table(answer["addresses"], _ADDRESSES), sep="\n")
    if answer["records"]:
        rows = [row | {"source": row["source"] or "row of a file"} for row in answer["records"]]
        screen.print("\n[bold]Records[/bold]", table(rows, _RECORDS), sep="\n")


def _told(answer: dict[str, Any]) -> dict[str, Any]:
    account = answer["account"]
    return {
        "Contact": answer["contact"],
        "Address": answer["address"],
        "Name": answer["name"],
        "Kind": answer["kind"],
        "Account": f"{account['name']} ({account['external']} of {account['source']})".strip() if account else "",
        "Provider": answer["provider"],
        "Status": answer["status"],
        "Flags": answer["flags"],
        "Lists": [one["name"] for one in answer["lists"]],
        "Created": answer["created"],
        "Updated": answer["updated"],
    }


async def members(
    session: Session,
    of_list: Annotated[str, typer.Argument(metavar="LIST", help="Name or id of the list.")],
    after: AfterOption = "",
    limit: LimitOption = 100,
) -> None:
    """List who was put on a list. Whom its rule finds beside them is told by `posthaste lists count`.

    Example: `posthaste contacts members Customers --limit 1000`
    """
    answer = await session.ask(commands.ListMembers(list=of_list, after=after, limit=limit))
    columns = {"contact": "Contact", "address": "Address", "name": "Name"}
    session.out.rows(answer, "rows", columns, empty="Nobody was put on it." if not after else "Nobody more.")
    if answer["rule"]:
        session.out.note(f"On it is also whom its rule finds: {text(answer['rule'])}")


async def remove(
    session: Session,
    address: Annotated[str, typer.Argument(metavar="ADDRESS", help="Whom to take off.")],
    of_list: Annotated[str, typer.Option("--list", help="Off which list, name or id.")],
    key: KeyOption = "",
) -> None:
    """Take an address off a list. It may come back: by an import, an opt-in, or a later word of a producer.

    Whoever wants no mail is recorded by `posthaste contacts opt-out`, which nothing of this undoes.

    Example: `posthaste contacts remove ann@example.com --list Customers`
    """
    answer = await session.ask(commands.RemoveFromList(address=address, list=of_list), key=key)
    session.out.done(answer, "Taken off the list." if answer["removed"] else "Nobody had put it on the list.")
    if answer["rule"]:
        session.out.note(f"The list has a rule, and on it is whom that finds all the same: {text(answer['rule'])}")


async def preview(
    session: Session,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="CSV file with a header line.")],
    column: ColumnOption = None,
    encoding: EncodingOption = "",
    delimiter: DelimiterOption = "",
    limit: Annotated[int, typer.Option("--limit", min=1, max=100, help="Rows at most.")] = 20,
) -> None:
    """Show the first rows of a CSV file as an import would read them; nothing is imported.

    Exit code 1 where something would keep the file from being imported.

    Example: `posthaste contacts preview kunden.csv --column E-Mail=email`
    """
    if not file.is_file():
        raise InputError("no_file", f"{file}: no such file")
    columns = choices.mapping(column or [])
    upload, _ = await session.upload(file, lambda _: None)
    wanted = commands.PreviewImport(upload=upload, encoding=encoding, delimiter=delimiter, columns=columns, limit=limit)
    answer = await session.ask(wanted)
    if session.out.as_json:
        session.out.json(answer)
    else:
        _print(session, answer)
    if answer["problem"]:
        raise typer.Exit(1)


def _print(session: Session, answer: dict[str, Any]) -> None:
    screen = session.out.screen
    found = {"Encoding": answer["encoding"], "Delimiter": {"\t": "tab"}.get(answer["delimiter"], answer["delimiter"])}
    screen.print(pairs(found))
    heads = [f"{each['header']} > {each['field'] or 'left out'}" for each in answer["columns"]]
    titles = {"line": "Line"} | {f"c{place}": text(head) for place, head in enumerate(heads)} | {"reason": "Rejected"}
    rows = [
        {"line": row["line"], "reason": f"{row['column']}: {row['reason']}" if row["reason"] else ""}
        | {f"c{place}": cell for place, cell in enumerate(row["cells"][: len(heads)])}
        for row in answer["rows"]
    ]
    if rows:
        screen.print(table(rows, titles))
    if problem := answer["problem"]:
        line = f" (line {problem['line']})" if problem["line"] else ""
        screen.print(f"[bold red]{problem['code']}[/bold red]: {text(problem['message'])}{line}")
