"""`posthaste ledger MAILING`: does every recipient stand in exactly one state?"""

from collections.abc import Mapping

import typer

from cli.commands import MailingArgument
from cli.errors import NotBalancedError
from cli.output import pairs, table
from cli.session import Session
from shared.contracts import commands


async def ledger(session: Session, mailing: MailingArgument) -> None:
    """Recompute a mailing from the log and its frozen audience; exit code 1 if it does not balance.

    planned = accepted + rejected + skipped + expired + cancelled + in doubt (+ pending while it runs)

    Example: `posthaste ledger b7k2m9x0q3fd && echo balanced`
    """
    answer = await session.ask(commands.VerifyLedger(mailing=mailing))
    balanced = bool(answer["balanced"])
    if session.out.as_json:
        session.out.json(answer)
        if not balanced:
            raise typer.Exit(1)
        return
    totals: Mapping[str, int] = answer["totals"]
    session.out.screen.print(
        pairs(
            {"Planned": answer["planned"], **totals, "pending": answer["pending"], "left out": answer.get("left_out")}
        )
    )
    gaps = answer.get("gaps", [])
    if gaps:
        session.out.screen.print(table(gaps, {"n": "Chunk", "index": "Index", "contact": "Contact", "why": "Why"}))
    if not balanced:
        raise NotBalancedError(
            "not_balanced", f"The ledger does not balance: {answer.get('gap_count', len(gaps))} gaps."
        )
    session.out.screen.print("[green]Balanced.[/green]")
