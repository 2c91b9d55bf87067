"""`posthaste mailing dry-run`: every mail made as it would be sent, looked at, and not sent."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Annotated, Any

import typer
from rich.console import Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar

from cli.commands import AfterOption, KeyOption, LimitOption, MailingArgument
from cli.output import pairs, table
from cli.session import Data, Session
from shared.contracts import commands

_EVERY = 0.5
_SOME = 20

Look = Annotated[bool, typer.Option("--look", help="Only look at the last one, begin none.")]
Cancel = Annotated[bool, typer.Option("--cancel", help="End the one that goes on.")]
Everybody = Annotated[bool, typer.Option("--all", help="Also those whose mail can be made, with its digest.")]


async def dry_run(
    session: Session, mailing: MailingArgument, look: Look = False, cancel: Cancel = False, key: KeyOption = ""
) -> None:
    """Make every mail of the frozen audience as it would be sent, and send none. Exit code 1 where some cannot be made.

    Example: `posthaste mailing dry-run b7k2m9x0q3fd`
    """
    if cancel:
        session.out.done(await session.ask(commands.CancelDryRun(mailing=mailing), key=key), "Ended.")
        return
    if not look:
        await session.ask(commands.StartDryRun(mailing=mailing), key=key)
    query = commands.DryRunStatus(mailing=mailing)
    answer = await session.ask(query)
    with Live(console=session.out.notes, auto_refresh=False, transient=True) as live:
        while answer["state"] == "running" and not look:
            live.update(_under_way(answer), refresh=True)
            await asyncio.sleep(_EVERY)
            answer = await session.ask(query)
    if session.out.as_json:
        session.out.json(answer)
    else:
        session.out.screen.print(_shown(answer))
        if answer["failed"]:
            page = await session.ask(commands.DryRunRows(mailing=mailing, limit=_SOME))
            session.out.screen.print(table(page["rows"], {"address": "Address", "name": "Name", "cause": "Why not"}))
    if answer["state"] == "failed" or answer["failed"]:
        raise typer.Exit(1)


def _under_way(answer: Data) -> RenderableType:
    bar = ProgressBar(total=max(answer["recipients"], 1), completed=answer["done"], width=50)
    return Group(bar, f"{answer['done']:,} of {answer['recipients']:,} {answer['problem']}")


def _shown(answer: Data) -> RenderableType:
    foreseen = answer["forecast"]
    numbers = {
        "Dry run": f"{answer['state']} ({answer['run']})",
        "Problem": answer["problem"],
        "Not of it as it is now": "" if answer["current"] else "it was changed since",
        "Mails": answer["mails"],
        "Cannot be made": answer["causes"],
        "Fields that are missing": answer["missing"],
        "Left out": answer["left_out"],
        "All together": f"{answer['bytes']:,} bytes",
        "The largest": f"{answer['largest']:,} bytes, to {answer['largest_contact']}" if answer["mails"] else "",
        "Digest": answer["digest"],
        "Starts": foreseen.get("starts_at"),
        "Finished": foreseen.get("finishes_at"),
        "Plan": foreseen.get("plan"),
    }
    return pairs(numbers)


async def dry_run_list(
    session: Session,
    mailing: MailingArgument,
    everybody: Everybody = False,
    after: AfterOption = "",
    limit: LimitOption = 100,
) -> None:
    """List the recipients whose mail cannot be made, and why.

    Example: `posthaste mailing dry-run-list b7k2m9x0q3fd`
    """
    query = commands.DryRunRows(mailing=mailing, only="all" if everybody else "failed", after=after, limit=limit)
    columns = {"address": "Address", "name": "Name", "contact": "Contact"}
    columns |= {"digest": "Digest", "cause": "Why not"} if everybody else {"cause": "Why not"}
    session.out.rows(await session.ask(query), "rows", columns, empty="Nobody.")


COMMANDS: dict[str, Callable[..., Coroutine[Any, Any, None]]] = {"dry-run": dry_run, "dry-run-list": dry_run_list}
