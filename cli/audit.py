"""`posthaste audit`: who asked for what."""

from typing import Annotated

import typer

from cli.commands import AfterOption, LimitOption
from cli.session import Session
from shared.contracts import commands


async def audit(
    session: Session,
    principal: Annotated[str, typer.Option("--principal", help="Only what this one asked for (an id).")] = "",
    only: Annotated[str, typer.Option("--command", help="Only this command, e.g. mailing.schedule.")] = "",
    after: AfterOption = "",
    limit: LimitOption = 100,
) -> None:
    """List all commands, newest first: who, when, by which way, from where, and what came of it.

    Example: `posthaste audit --command mailing.schedule`
    """
    query = commands.AuditTrail(principal=principal, command=only, after=after, limit=limit)
    columns = {
        "at": "At",
        "principal": "Who",
        "command": "Command",
        "about": "About",
        "outcome": "Outcome",
        "via": "Via",
        "remote": "From",
        "position": "Position",
    }
    session.out.rows(await session.ask(query), "rows", columns)
