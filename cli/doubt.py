"""`posthaste doubt`: mails whose fate nobody could know, and deciding on them."""

from typing import Annotated

import typer

from cli.commands import AfterOption, KeyOption, LimitOption, MailingArgument, command, group
from cli.session import Session
from shared.contracts import commands
from shared.contracts.mailing import DoubtDecision

app = group("doubt", "Mails in doubt: their last byte was written and no reply came.")


@command(app, "list")
async def list_doubts(
    session: Session, mailing: MailingArgument, after: AfterOption = "", limit: LimitOption = 100
) -> None:
    """List the recipients of a mailing that are in doubt, with any sign of life that came since.

    Example: `posthaste doubt list b7k2m9x0q3fd`
    """
    answer = await session.ask(commands.Doubts(mailing=mailing, after=after, limit=limit))
    columns = {"n": "Chunk", "index": "Index", "address": "Address", "name": "Name", "since": "Since"}
    session.out.rows(answer, "rows", columns | {"evidence": "Evidence"}, empty="Nobody is in doubt.")


@command(app, "decide")
async def decide(
    session: Session,
    mailing: MailingArgument,
    n: Annotated[int, typer.Argument(metavar="CHUNK", help="Number of the chunk.")],
    indexes: Annotated[str, typer.Argument(metavar="INDEXES", help="Within the chunk: 3 or 0-24,27.")],
    decision: Annotated[DoubtDecision, typer.Option("--as", help="Send again, or settle by hand.")],
    key: KeyOption = "",
) -> None:
    """Decide on recipients in doubt: send again (the same bytes and Message-ID), or settle as accepted or rejected.

    Example: `posthaste doubt decide b7k2m9x0q3fd 4 17 --as resend`
    """
    wanted = commands.DecideDoubt(mailing=mailing, n=n, indexes=indexes, decision=decision)
    answer = await session.ask(wanted, key=key)
    session.out.done(answer, f"Decided: {indexes} of chunk {n} as {decision}.")
