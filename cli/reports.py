"""What `posthaste mailing` shows: status, recipients, links, timeline, log."""

import asyncio
from typing import Annotated

import typer
from rich.console import Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar

from cli import ab_tests
from cli.commands import AfterOption, LimitOption, MailingArgument
from cli.output import pairs, text
from cli.session import Data, Session, Work
from shared.contracts import commands

_EVERY = 1.0
_ENDS = {"Completed", "Failed", "Cancelled", "Deleted"}
_STATUS = {
    "Planned": "white",
    "Scheduled": "cyan",
    "Sending": "blue",
    "Paused": "yellow",
    "Completed": "green",
    "Failed": "red",
    "Cancelled": "red",
}
_OUTCOMES = ("accepted", "deferred", "rejected", "skipped", "expired", "cancelled", "in_doubt")


async def status(
    session: Session,
    mailing: MailingArgument,
    watch: Annotated[bool, typer.Option("--watch", help="Refresh every second until it ends.")] = False,
) -> None:
    """Show status and numbers of a mailing.

    Example: `posthaste mailing status b7k2m9x0q3fd --watch`
    """
    query = commands.Status(mailing=mailing)
    answer = await session.ask(query)
    if session.out.as_json:
        while watch and answer["status"] not in _ENDS:
            await asyncio.sleep(_EVERY)
            answer = await session.ask(query)
        session.out.json(answer)
        return
    interactive = session.out.screen.is_terminal and watch
    with Live(console=session.out.screen, auto_refresh=False, transient=True) as live:
        while watch and answer["status"] not in _ENDS:
            if interactive:
                live.update(_shown(answer, interactive=True), refresh=True)
            await asyncio.sleep(_EVERY)
            answer = await session.ask(query)
    session.out.screen.print(_shown(answer, interactive=session.out.screen.is_terminal))


def _shown(answer: Data, *, interactive: bool) -> RenderableType:
    state = answer["status"]
    done = answer["total"] - answer["to_send"]
    numbers = {
        "Mailing": f"{answer['name']} ({answer['mailing']})",
        "Subject": answer["subject"],
        "Reason": answer["reason"],
        "Starts": _when(answer["scheduled_at"], answer["zone"]),
        "Window open until": answer["until"],
        "Window opens": answer["opens"],
        "Total": answer["total"],
        "Customers": "" if (whom := answer.get("customers")) in (None, answer.get("recipients")) else whom,
        "To send": answer["to_send"],
        "Sent": answer["sent"],
        "Outcomes": {name.replace("_", " "): answer[name] for name in _OUTCOMES if answer[name]},
        "Left out": answer["left_out"],
        "Read": f"{answer['read']:,} times by {answer['opened']:,}" if answer["read"] else "",
        "Clicked": f"{answer['clicks']:,} times by {answer['clicked']:,}" if answer["clicks"] else "",
        **_judged(answer),
        "Unsubscribed": answer["unsubscribed"] or "",
        "Bounced": answer["bounce_reasons"],
        "Complained": answer["complained"] or "",
        "Replied": answer["replied"] or "",
        "Automatic answers": answer["auto_replied"] or "",
        "Rate": f"{answer['rate']:,.1f} a second" if answer["rate"] else "",
        "Limits": answer["limits"],
        "Parked": answer["parked"] or "",
        "Views paused": answer.get("paused", ""),
    }
    head = f"[bold {_STATUS.get(state, 'white')}]{text(state)}[/]"
    if not interactive:
        return Group(head, pairs(numbers), *ab_tests.shown(answer.get("ab_test")))
    bar = ProgressBar(total=max(answer["total"], 1), completed=done, width=50)
    return Group(head, bar, pairs(numbers), *ab_tests.shown(answer.get("ab_test")))


def _judged(answer: Data) -> dict[str, object]:
    """Return who asked, where anybody did: people are in the figures above, machines only here."""
    by = {"Opens by": answer["opens_by"], "Clicks by": answer["clicks_by"]}
    told: dict[str, object] = {
        label: {name: number for name, number in found.items() if number}
        for label, found in by.items()
        if any(found.values())
    }
    if told:
        told["Judged by"] = f"rules {answer['rules']}"
    return told


def _when(at: str, zone: str) -> str:
    return f"{at} ({zone})" if at and zone not in ("", "UTC") else at


async def list_mailings(
    session: Session,
    campaign: Annotated[str, typer.Option("--campaign", help="Only those of this campaign (id).")] = "",
    limit: Annotated[int, typer.Option("--limit", min=0, max=1000, help="Only the last so many; 0: all.")] = 0,
) -> None:
    """List mailings, newest first.

    Examples: `posthaste mailing list`, `posthaste mailing list --campaign c3k8v1q9z2mt --limit 50`
    """
    columns = {"mailing": "Id", "name": "Name", "status": "Status", "total": "Total", "sent": "Sent"}
    columns |= {"failed": "Failed", "opened": "Opened", "clicked": "Clicked", "unsubscribed": "Unsubscribed"}
    columns |= {"bounced": "Bounced", "complained": "Complained"}
    answer = await session.ask(commands.Mailings(campaign=campaign, limit=limit))
    session.out.rows(answer, "mailings", columns, empty="No mailing yet: posthaste mailing draft --help")


_IF_ANY = {
    "opened_at": "Opened",
    "machines": "Not by people",
    "bounced": "Bounced",
    "reply": "Answer",
    "answered": "Answered by us",
    "reason": "Reason",
    "comment": "Comment",
}
"""Columns of `recipients` that are shown where somebody has anything in them."""


async def recipients(
    session: Session,
    mailing: MailingArgument,
    outcome: Annotated[
        str,
        typer.Option(
            "--outcome",
            help="Pending, Sent, Failed, an outcome, opened, clicked, machines, unsubscribed, bounced, complained "
            "or replied.",
        ),
    ] = "",
    after: AfterOption = "",
    limit: LimitOption = 100,
) -> None:
    """List who gets it and what became of each, with the relay's reply.

    Example: `posthaste mailing recipients b7k2m9x0q3fd --outcome rejected`
    """
    columns = {
        "address": "Address",
        "slot": "Which",
        "name": "Name",
        "status": "Status",
        "outcome": "Outcome",
        "at": "At",
    }
    columns |= {"attempts": "Attempts", "code": "Code", "enhanced": "", "text": "Reply", "cause": "Cause"}
    columns |= {"opens": "Opens", "clicks": "Clicks"}
    answer = await session.ask(commands.Recipients(mailing=mailing, outcome=outcome, after=after, limit=limit))
    if all(row.get("slot", "first") in ("", "first") for row in answer["rows"]):
        del columns["slot"]
    columns |= {name: label for name, label in _IF_ANY.items() if any(row.get(name) for row in answer["rows"])}
    session.out.rows(answer, "rows", columns, empty="Nobody.")


async def customers(session: Session, mailing: MailingArgument) -> None:
    """Count mails and customers apart, by what became of the mails: one customer may get several.

    Example: `posthaste mailing customers b7k2m9x0q3fd`
    """
    answer = await session.ask(commands.CustomerCounts(mailing=mailing))
    columns = {"group": "What became of it", "mails": "Mails", "customers": "Customers"}
    some = [row for row in answer["groups"] if row["mails"] or session.out.as_json]
    session.out.rows(answer | {"groups": some}, "groups", columns, empty="Nothing is planned yet.")


async def links(session: Session, mailing: MailingArgument) -> None:
    """Show how often people followed each link, how many they are, and who else asked for it.

    Example: `posthaste mailing links b7k2m9x0q3fd`
    """
    answer = await session.ask(commands.Links(mailing=mailing))
    columns = {"link": "Link", "url": "URL", "hits": "Hits", "people": "People"}
    if any(row["name"] for row in answer["links"]):
        columns = {"link": "Link", "name": "Name"} | columns
    if any(any(row["by"].values()) for row in answer["links"]):
        columns["by"] = "All hits by"
    session.out.rows(answer, "links", columns, empty="It has no links.")


async def timeline(session: Session, mailing: MailingArgument) -> None:
    """Show accepted mails, opens and clicks by people, and all other hits, over time.

    Example: `posthaste mailing timeline b7k2m9x0q3fd --json`
    """
    answer = await session.ask(commands.Timeline(mailing=mailing))
    columns = {"at": "At", "accepted": "Accepted", "opens": "Opens", "clicks": "Clicks", "others": "Machines"}
    session.out.rows(answer, "points", columns, empty="Nothing happened yet.")


async def log(session: Session, mailing: MailingArgument, after: AfterOption = "", limit: LimitOption = 100) -> None:
    """Show what happened to a mailing, newest first, and who did it.

    Example: `posthaste mailing log b7k2m9x0q3fd`
    """
    answer = await session.ask(commands.LogLines(mailing=mailing, after=after, limit=limit))
    columns = {"at": "At", "text": "What", "principal": "Who", "type": "Event", "seq": "Seq"}
    session.out.rows(answer, "rows", columns, empty="Nothing happened yet.")


COMMANDS: dict[str, Work] = {
    "list": list_mailings,
    "status": status,
    "recipients": recipients,
    "customers": customers,
    "links": links,
    "timeline": timeline,
    "log": log,
}
