"""`posthaste campaign`: the containers of mailings."""

from datetime import date
from typing import Annotated, Literal

import typer

from cli import choices
from cli.commands import KeyOption, command, group
from cli.session import Session
from shared.contracts import commands

app = group("campaign", "Campaigns: what mailings belong to, with lists and dates.")


@command(app, "open")
async def open_campaign(
    session: Session,
    name: Annotated[str, typer.Option("--name", help="What people call it.")],
    of_list: Annotated[list[str], typer.Option("--list", help="List by name or id; repeatable.")],
    kind: Annotated[Literal["email", "newsletter"], typer.Option("--kind")] = "email",
    starts: Annotated[str, typer.Option("--starts", help="First day, 2026-12-01.")] = "",
    ends: Annotated[str, typer.Option("--ends", help="Last day.")] = "",
    key: KeyOption = "",
) -> None:
    """Open a campaign on one or more lists.

    Example: `posthaste campaign open --name "Spring sale" --list Customers --ends 2027-03-31`
    """
    wanted = commands.OpenCampaign(name=name, kind=kind, lists=of_list, starts_on=_day(starts), ends_on=_day(ends))
    answer = await session.ask(wanted, key=key)
    session.out.done(answer, f"Opened campaign {answer['campaign']}. Next: posthaste mailing draft --help")


def _day(text: str) -> date | None:
    return choices.day(text) if text else None


@command(app, "list")
async def list_campaigns(session: Session) -> None:
    """List all campaigns, newest first.

    Example: `posthaste campaign list`
    """
    columns = {"campaign": "Id", "name": "Name", "kind": "Kind", "lists": "Lists", "starts_on": "From", "ends_on": "To"}
    answer = await session.ask(commands.Campaigns())
    empty = "No campaign yet: posthaste campaign open --help"
    session.out.rows(answer, "campaigns", columns | {"mailings": "Mailings"}, empty=empty)
