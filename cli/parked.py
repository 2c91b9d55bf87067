"""`posthaste parked`: messages that no service could handle."""

from typing import Annotated

import typer

from cli.commands import AfterOption, KeyOption, LimitOption, command, group
from cli.session import Session
from shared.contracts import commands

app = group("parked", "Messages set aside because a service could not handle them.")


@command(app, "list")
async def list_parked(session: Session, after: AfterOption = "", limit: LimitOption = 100) -> None:
    """List the pointers to parked messages, with the reason.

    Example: `posthaste parked list`
    """
    columns = {"seq": "Seq", "at": "At", "service": "Service", "stream": "Stream", "message": "Message"}
    answer = await session.ask(commands.ParkedMessages(after=after, limit=limit))
    session.out.rows(answer, "rows", columns | {"reason": "Reason"}, empty="Nothing is parked.")


@command(app, "redrive")
async def redrive(
    session: Session,
    seq: Annotated[int, typer.Argument(metavar="SEQ", help="Of the pointer, as `parked list` shows it.")],
    drop: Annotated[bool, typer.Option("--drop", help="Only remove the pointer.")] = False,
    key: KeyOption = "",
) -> None:
    """Hand a parked message back to its consumer once the cause is mended, or drop the pointer.

    Example: `posthaste parked redrive 17`
    """
    answer = await session.ask(commands.Redrive(seq=seq, drop=drop), key=key)
    session.out.done(answer, "Dropped." if drop else "Handed back.")
