"""`posthaste mailing audience` and what goes with it: who gets a mailing."""

import csv
import re
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

import typer

from cli.commands import AfterOption, KeyOption, MailingArgument
from cli.errors import InputError
from cli.output import pairs, table
from cli.session import Session, Work
from shared.contracts import commands
from shared.contracts.sources import OWN, SLOTS, AddressSlot, Cap, Helper, OfActivity, OfMailing, OutcomeGroup, Sources

Only = Literal["all", "recipients", "skipped"]
ListOption = Annotated[list[str], typer.Option("--list", help="A list of the campaign; repeatable. All if none.")]
From = Annotated[
    list[str],
    typer.Option("--from", help="An earlier mailing, or some of it: ID, ID:sent, ID:read, ID:not_opened; repeatable."),
]
ActivityOption = Annotated[
    list[str],
    typer.Option("--activity", help="Who took part in the most recent activity: TYPE or TYPE@CAMPAIGN; repeatable."),
]
HelperOption = Annotated[str, typer.Option("--helper", help="Take in whoever is on this list, whatever it is.")]
HelperOnly = Annotated[str, typer.Option("--only-on", help="Keep only those who are on this list as well.")]
Exclude = Annotated[list[str], typer.Option("--exclude", help="Leave out whoever is on this list; repeatable.")]
CapOption = Annotated[str, typer.Option("--cap", help="Leave out who got so many mails in so many days: 3/7.")]
NoLists = Annotated[bool, typer.Option("--no-lists", help="No list of the campaign, only the other sources.")]
AddressesOption = Annotated[
    str,
    typer.Option(
        "--addresses",
        help="Which addresses of a customer: some of first,second,third,persons (its contact persons'), or all; "
        "all of its own if not given.",
    ),
]
AddOption = Annotated[list[str], typer.Option("--add", help="Let this address get it as well; repeatable.")]
RemoveOption = Annotated[list[str], typer.Option("--remove", help="Let this address not get it; repeatable.")]
CsvOption = Annotated[Path | None, typer.Option("--csv", help="Write all rows to this file instead of showing some.")]

_SHOWN = 20
_PAGE = 1_000
_COLUMNS = {
    "contact": "Contact",
    "address": "Address",
    "name": "Name",
    "slot": "Which",
    "lane": "Lane",
    "skipped": "Left out because",
}
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


async def audience(
    session: Session,
    mailing: MailingArgument,
    of_list: ListOption = [],  # noqa: B006 - typer makes a new one
    earlier: From = [],  # noqa: B006
    activity: ActivityOption = [],  # noqa: B006
    helper: HelperOption = "",
    only_on: HelperOnly = "",
    exclude: Exclude = [],  # noqa: B006
    cap: CapOption = "",
    no_lists: NoLists = False,
    addresses: AddressesOption = "",
    add: AddOption = [],  # noqa: B006
    remove: RemoveOption = [],  # noqa: B006
    show: Annotated[bool, typer.Option("--show", help="Only show what is frozen, do not freeze anew.")] = False,
    only: Annotated[Only, typer.Option("--only", help="Which rows to show.")] = "all",
    search: Annotated[str, typer.Option("--search", help="Only rows with this in address or name.")] = "",
    to_csv: CsvOption = None,
    after: AfterOption = "",
    limit: Annotated[int, typer.Option("--limit", min=1, max=1000)] = _SHOWN,
    key: KeyOption = "",
) -> None:
    """Choose who gets it and freeze that: one mail per address, a reason for each contact left out. Then show it.

    Sources given here replace those chosen before as a whole; without any they stay as they are (at first all lists of
    the campaign). `--add` and `--remove` are about single people and add up.

    Examples:
    `posthaste mailing audience b7k2m9x0q3fd --list Customers --exclude Staff --cap 3/7`

    `posthaste mailing audience b7k2m9x0q3fd --no-lists --from p3m1x8k0z5qt:not_opened`

    `posthaste mailing audience b7k2m9x0q3fd --no-lists --activity "points awarded@May"`

    `posthaste mailing audience b7k2m9x0q3fd --show --only skipped --csv left-out.csv`
    """
    if add:  # first: they may be all there is
        await session.ask(commands.AddRecipients(mailing=mailing, addresses=add))
    if of_list or earlier or activity or helper or only_on or exclude or cap or no_lists or addresses:
        sources = _sources((of_list, earlier, activity, exclude), (helper, only_on), cap, no_lists=no_lists)
        sources = sources.model_copy(update={"addresses": _addresses(addresses)})
        await session.ask(commands.ChooseSources(mailing=mailing, sources=sources))
    if remove:
        await session.ask(commands.RemoveRecipients(mailing=mailing, addresses=remove))
    if not show and not after:
        await session.ask(commands.FreezeAudience(mailing=mailing), key=key)
    query = commands.Audience(mailing=mailing, only=only, search=search, after=after, limit=limit)
    if to_csv is not None:
        await _export(session, query, to_csv)
        return
    answer = await session.ask(query)
    if session.out.as_json:
        session.out.json(answer)
        return
    customers = answer.get("customers")
    other = {} if customers in (None, answer["recipients"]) else {"Customers": customers}
    session.out.screen.print(pairs({"Recipients": answer["recipients"], **other, "Left out": answer["skipped"]}))
    only_one = all(row.get("slot", "first") in ("", "first") for row in answer["rows"])
    columns = {name: label for name, label in _COLUMNS.items() if name != "slot" or not only_one}
    session.out.screen.print(table(answer["rows"], columns))
    if answer.get("next"):
        session.out.note(f"[dim]There are more: --show --after {answer['next']}[/dim]")
    session.out.note(
        f"Next: posthaste mailing test {mailing} --to you@example.com, posthaste mailing schedule {mailing}"
    )


async def sources(session: Session, mailing: MailingArgument) -> None:
    """Show where the audience comes from, and who was added and removed one by one.

    Example: `posthaste mailing sources b7k2m9x0q3fd`
    """
    answer = await session.ask(commands.ChosenSources(mailing=mailing))
    if session.out.as_json:
        session.out.json(answer)
        return
    named, chosen = answer["lists"], answer["sources"]
    helper = chosen["helper"]
    shown = {
        "Lists": "all of the campaign" if chosen["lists"] is None else [named.get(one, one) for one in chosen["lists"]],
        "Earlier mailings": [f"{one['mailing']}:{one['group']}" for one in chosen["mailings"]],
        "Activities": ["@".join(filter(None, (one["type"], one["campaign"]))) for one in chosen["activities"]],
        "Helper list": f"{helper['mode']}: {named.get(helper['list'], helper['list'])}" if helper else "",
        "Excluded": [named.get(one, one) for one in chosen["exclude"]],
        "At most": f"{chosen['cap']['mails']} mails in {chosen['cap']['days']} days" if chosen["cap"] else "",
        "Addresses": [] if chosen["addresses"] == list(OWN) else chosen["addresses"],
        "Added": len(answer["added"]),
        "Removed": len(answer["removed"]),
    }
    session.out.screen.print(pairs({name: value for name, value in shown.items() if value}))


async def list_from(
    session: Session,
    mailing: MailingArgument,
    to_list: Annotated[str, typer.Option("--list", help="List to fill; made where new.")],
    group: Annotated[OutcomeGroup, typer.Option("--group", help="Whom: by what became of their mail.")] = "sent",
    key: KeyOption = "",
) -> None:
    """Put those behind a number of the report on a list, less those who unsubscribed by it, for the next campaign.

    Example: `posthaste mailing list-from b7k2m9x0q3fd --group read --list "Read the May news"`
    """
    answer = await session.ask(commands.ListFrom(mailing=mailing, group=group, list=to_list), key=key)
    session.out.done(
        answer, f"{answer['contacts']} contacts. Next: posthaste campaign open --name ... --list '{answer['name']}'"
    )


def _sources(
    many: tuple[list[str], list[str], list[str], list[str]], helpers: tuple[str, str], cap: str, *, no_lists: bool
) -> Sources:
    of_list, earlier, activity, exclude = many
    helper, only_on = helpers
    if helper and only_on:
        raise InputError("two_helpers", "Either --helper or --only-on: there is one helper list.")
    if no_lists and of_list:
        raise InputError("lists_or_none", "Either --list or --no-lists.")
    chosen = Helper(list=helper or only_on, mode="add" if helper else "only") if helper or only_on else None
    return Sources(
        lists=[] if no_lists else of_list or None,
        mailings=[_earlier(text) for text in earlier],
        activities=[_activity(text) for text in activity],
        helper=chosen,
        exclude=exclude,
        cap=_cap(cap),
    )


def _earlier(text: str) -> OfMailing:
    mailing, _, group = text.partition(":")
    groups = get_args(OutcomeGroup)
    if group and group not in groups:
        raise InputError("unknown_group", f"{group!r} is none of {', '.join(groups)}.")
    return OfMailing.model_validate({"mailing": mailing, "group": group or "all"})


def _activity(text: str) -> OfActivity:
    of_type, _, campaign = text.partition("@")
    if not of_type.strip():
        raise InputError("bad_activity", "Write --activity as TYPE or TYPE@CAMPAIGN, such as 'points awarded@May'.")
    return OfActivity(type=of_type, campaign=campaign)


def _addresses(text: str) -> list[AddressSlot]:
    names = list(SLOTS) if text == "all" else [name.strip() for name in text.split(",") if name.strip()] or list(OWN)
    found = [slot for slot in SLOTS if slot in names]
    if len(found) < len(set(names)):
        raise InputError("bad_addresses", f"Write --addresses as some of {','.join(SLOTS)}, or all.")
    return found


def _cap(text: str) -> Cap | None:
    if not text:
        return None
    found = re.fullmatch(r"(\d+)/(\d+)", text)
    if found is None:
        raise InputError("bad_cap", "Write --cap as mails/days, such as 3/7.")
    return Cap(mails=int(found[1]), days=int(found[2]))


async def _export(session: Session, query: commands.Audience, path: Path) -> None:
    """Write all rows, page by page; cells that a spreadsheet would compute are quoted."""
    written = 0
    try:
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(_COLUMNS)
            query = query.model_copy(update={"limit": _PAGE})
            while True:
                answer = await session.ask(query)
                writer.writerows([_cell(row[name]) for name in _COLUMNS] for row in answer["rows"])
                written += len(answer["rows"])
                if not answer.get("next"):
                    break
                query = query.model_copy(update={"after": answer["next"]})
    except OSError as error:
        raise InputError("no_file", f"{path}: {error.strerror}") from error
    session.out.done({"rows": written, "file": str(path)}, f"Wrote {written} rows to {path}.")


def _cell(value: Any) -> str:  # noqa: ANN401 - of an answer
    text = str(value)
    return f"'{text}" if text.startswith(_FORMULA) else text


COMMANDS: dict[str, Work] = {"audience": audience, "sources": sources, "list-from": list_from}
