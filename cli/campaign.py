"""`posthaste campaign`: the containers of mailings."""

from datetime import date
from typing import Annotated, Literal

import typer

from cli import choices
from cli.commands import AfterOption, KeyOption, LimitOption, command, group
from cli.session import Session
from shared.contracts import commands

app = group("campaign", "Campaigns: what mailings belong to, with lists and dates.")


Name = Annotated[str, typer.Option("--name", help="What people call it.")]
OfList = Annotated[list[str], typer.Option("--list", help="List by name or id; repeatable.")]
Kind = Annotated[Literal["email", "newsletter"], typer.Option("--kind")]
Starts = Annotated[str, typer.Option("--starts", help="First day on which its mailings go out, 2026-12-01.")]
Ends = Annotated[str, typer.Option("--ends", help="Last day; from that day on it takes no new ones.")]
Approval = Annotated[bool, typer.Option("--approval", help="No mailing starts before a second person approved of it.")]
Utm = Annotated[
    list[str], typer.Option("--utm", help="Parameter for links that have it not: `utm_source=news`; repeatable.")
]
Statuses = Annotated[
    list[str] | None,
    typer.Option(
        "--status",
        help="OUTCOME=STATUS: the status of the customer that an outcome sets (sent, bounced, read, clicked, removed); "
        "repeatable.",
    ),
]
CampaignArgument = Annotated[str, typer.Argument(metavar="CAMPAIGN", help="Campaign by id or name.")]


@command(app, "open")
async def open_campaign(
    session: Session,
    name: Name,
    of_list: OfList,
    kind: Kind = "email",
    starts: Starts = "",
    ends: Ends = "",
    approval: Approval = False,
    utm: Utm = [],  # noqa: B006 - typer reads the default, nobody changes it
    status: Statuses = None,
    key: KeyOption = "",
) -> None:
    """Open a campaign on one or more lists.

    Examples: `posthaste campaign open --name "Spring sale" --list Customers --ends 2027-03-31`,
    `posthaste campaign open --name May --list Customers --status sent="Written to" --status removed="No mail"`
    """
    wanted = commands.OpenCampaign(
        name=name,
        kind=kind,
        lists=of_list,
        starts_on=_day(starts),
        ends_on=_day(ends),
        approval=approval,
        utm=_utm(utm),
        statuses=choices.statuses(status or []),
    )
    answer = await session.ask(wanted, key=key)
    session.out.done(answer, f"Opened campaign {answer['campaign']}. Next: posthaste mailing draft --help")


@command(app, "edit")
async def edit_campaign(
    session: Session,
    campaign: CampaignArgument,
    name: Name,
    of_list: OfList,
    kind: Kind = "email",
    starts: Starts = "",
    ends: Ends = "",
    approval: Approval = False,
    utm: Utm = [],  # noqa: B006 - typer reads the default, nobody changes it
    status: Statuses = None,
    key: KeyOption = "",
) -> None:
    """Replace a campaign as a whole; mailings that were scheduled before keep their dates.

    Example: `posthaste campaign edit "Spring sale" --name "Spring sale" --list Customers --ends 2027-04-30`
    """
    wanted = commands.EditCampaign(
        campaign=await choices.campaign_id(session, campaign),
        name=name,
        kind=kind,
        lists=of_list,
        starts_on=_day(starts),
        ends_on=_day(ends),
        approval=approval,
        utm=_utm(utm),
        statuses=choices.statuses(status or []),
    )
    session.out.done(await session.ask(wanted, key=key), "Edited.")


@command(app, "close")
async def close_campaign(session: Session, campaign: CampaignArgument, key: KeyOption = "") -> None:
    """Let a campaign take no more mailings; what is scheduled goes out.

    Example: `posthaste campaign close "Spring sale"`
    """
    wanted = commands.CloseCampaign(campaign=await choices.campaign_id(session, campaign))
    session.out.done(await session.ask(wanted, key=key), "Closed: it takes no more mailings.")


@command(app, "delete")
async def delete_campaign(session: Session, campaign: CampaignArgument, key: KeyOption = "") -> None:
    """Hide a campaign of which no mailing goes out or will; its history is kept.

    Example: `posthaste campaign delete "Spring sale"`
    """
    wanted = commands.DeleteCampaign(campaign=await choices.campaign_id(session, campaign))
    session.out.done(await session.ask(wanted, key=key), "Deleted: hidden from lists.")


def _utm(given: list[str]) -> dict[str, str]:
    return {name: value for name, _, value in (one.partition("=") for one in given)}


@command(app, "statuses")
async def statuses(
    session: Session,
    campaign: Annotated[str, typer.Option("--campaign", help="Campaign by id or name; all if not given.")] = "",
    contact: Annotated[str, typer.Option("--contact", help="Only this contact (id).")] = "",
    address: Annotated[str, typer.Option("--address", help="Only contacts of this address.")] = "",
    after: AfterOption = "",
    limit: LimitOption = 100,
) -> None:
    """List the statuses of customers that campaigns set, in the order in which they were set.

    `cursor` of the answer (`--json`) goes on from there, now or later.

    Example: `posthaste campaign statuses --campaign "Spring sale" --json`
    """
    of = await choices.campaign_id(session, campaign) if campaign else ""
    query = commands.CustomerStatuses(campaign=of, contact=contact, address=address, after=after, limit=limit)
    answer = await session.ask(query)
    columns = {"address": "Address", "name": "Name", "status": "Status", "outcome": "By", "at": "At"}
    columns |= {"source": "Source", "external": "Its id", "campaign": "Campaign", "mailing": "Mailing"}
    session.out.rows(answer, "rows", columns, empty="No status was set.")


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
    session.out.rows(answer, "campaigns", columns | {"status": "Status", "mailings": "Mailings"}, empty=empty)
