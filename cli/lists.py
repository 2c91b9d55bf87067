"""`posthaste lists`: lists that a rule makes, and whom a rule finds now."""

from pathlib import Path
from typing import Annotated

import typer

from cli.commands import AfterOption, KeyOption, command, group
from cli.errors import InputError
from cli.session import Data, Session, read_file
from shared.contracts import commands

app = group("lists", "Dynamic lists: on them is whom a rule finds.")

RuleArgument = Annotated[str, typer.Argument(metavar="RULE", help="E.g. \"city = 'Athens'\"; docs/segments.md.")]
FileOption = Annotated[Path | None, typer.Option("--file", help="File that holds the rule.")]
_CONTACTS = {"contact": "Contact", "address": "Address", "name": "Name"}


@command(app, "rule")
async def rule(
    session: Session,
    to_list: Annotated[str, typer.Argument(metavar="LIST", help="Name or id; it is made if it is new.")],
    words: RuleArgument = "",
    file: FileOption = None,
    off: Annotated[bool, typer.Option("--off", help="Take its rule away.")] = False,
    key: KeyOption = "",
) -> None:
    """Give a list a rule. Whom it finds when an audience is frozen is on the list beside those who were put on it.

    Examples: `posthaste lists rule "Adults in Athens" "city = 'Athens' and birthday <= today - 18 years"`,
    `posthaste lists rule Adults --file adults.rule`
    """
    text = "" if off else _rule(words, file)
    answer = await session.ask(commands.RuleList(list=to_list, rule=text), key=key)
    _warn(session, answer)
    session.out.done(answer, "It has no rule any more." if off else f"The rule finds {answer['found']:,} contacts now.")


@command(app, "count")
async def count(
    session: Session,
    words: RuleArgument = "",
    file: FileOption = None,
    after: AfterOption = "",
    limit: Annotated[int, typer.Option("--limit", min=0, max=1000, help="Contacts to show; 0 only counts.")] = 20,
) -> None:
    """Count whom a rule finds now, and show some of them.

    Example: `posthaste lists count "language in ('el', 'it') and not role" --limit 5`
    """
    answer = await session.ask(commands.CountSegment(rule=_rule(words, file), after=after, limit=limit))
    _warn(session, answer)
    if not session.out.as_json:
        session.out.screen.print(f"{answer['count']:,} contacts")
    session.out.rows(answer, "rows", _CONTACTS, empty="")


@command(app, "show")
async def show(session: Session) -> None:
    """List all lists with their members, and the rules of those that have one.

    Example: `posthaste lists show`
    """
    answer = await session.ask(commands.Lists())
    columns = {"id": "Id", "name": "Name", "members": "Members", "rule": "Rule"}
    session.out.rows(answer, "lists", columns, empty="No list yet: posthaste contacts import FILE --list NAME")


def _rule(words: str, file: Path | None) -> str:
    if bool(words) == bool(file):
        raise InputError("invalid", "Give a rule, or --file.")
    return read_file(file).strip() if file else words


def _warn(session: Session, answer: Data) -> None:
    if answer["behind"]:
        session.out.notes.print(f"About {answer['behind']} contacts just came in and are not looked at yet: ask again.")
    if answer["unknown_fields"]:
        session.out.notes.print(f"No contact has: {', '.join(answer['unknown_fields'])}. Is it spelled as imported?")
