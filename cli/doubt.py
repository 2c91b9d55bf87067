"""`posthaste doubt`: mails whose fate nobody could know, and deciding on them."""

from typing import Annotated, Any

import typer

from cli.commands import AfterOption, KeyOption, LimitOption, MailingArgument, command, group
from cli.errors import InputError
from cli.session import Session
from shared.contracts import commands, ranges
from shared.contracts.mailing_settings import DoubtDecision

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
    decision: Annotated[DoubtDecision, typer.Option("--as", help="Send again, or settle by hand.")],
    n: Annotated[int | None, typer.Argument(metavar="CHUNK", help="Number of the chunk.")] = None,
    indexes: Annotated[str, typer.Argument(metavar="INDEXES", help="Within the chunk: 3 or 0-24,27.")] = "",
    everybody: Annotated[
        bool, typer.Option("--all", help="All of the mailing; those who gave a sign of life are not sent to again.")
    ] = False,
    key: KeyOption = "",
) -> None:
    """Decide on recipients in doubt: send again (the same bytes and Message-ID), or settle as accepted or rejected.

    Example: `posthaste doubt decide b7k2m9x0q3fd 4 17 --as resend`
    """
    if everybody:
        await _decide_all(session, mailing, decision, key)
        return
    if n is None or not indexes:
        raise InputError("indexes_invalid", "Name chunk and indexes, or say --all.")
    wanted = commands.DecideDoubt(mailing=mailing, n=n, indexes=indexes, decision=decision)
    answer = await session.ask(wanted, key=key)
    session.out.done(answer, f"Decided: {indexes} of chunk {n} as {decision}.")


async def _decide_all(session: Session, mailing: str, decision: DoubtDecision, key: str) -> None:
    """Decide on everybody in doubt, chunk by chunk; repeated it does the rest."""
    found: dict[int, list[int]] = {}
    page: dict[str, Any] = {"next": "", "rows": []}
    while page["next"] or not found:
        page = await session.ask(commands.Doubts(mailing=mailing, after=page["next"], limit=1000))
        for row in page["rows"]:
            if decision != "resend" or not row["evidence"]:
                found.setdefault(row["n"], []).append(row["index"])
        if not page["next"]:
            break
    for n, indexes in sorted(found.items()):
        wanted = commands.DecideDoubt(mailing=mailing, n=n, indexes=ranges.pack(indexes), decision=decision)
        await session.ask(wanted, key=f"{key}-{n}" if key else "")
    count = sum(map(len, found.values()))
    data = {"mailing": mailing, "decided": count, "chunks": sorted(found)}
    session.out.done(data, f"Decided: {count} recipients in {len(found)} chunks as {decision}.")
