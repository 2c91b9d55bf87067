"""`posthaste hits`: opens and clicks judged by the rules of this version, as a whole."""

from typing import Annotated

import typer

from cli.commands import command, group
from cli.session import Session
from shared.contracts import commands

app = group("hits", "Opens and clicks: who it was.")


@command(app, "rejudge")
async def rejudge(
    session: Session, mailing: Annotated[str, typer.Argument(help="Id of a mailing; all if missing.")] = ""
) -> None:
    """Judge all hits again, by the rules of this version. It may be broken off and begun anew at any time.

    Example: `posthaste hits rejudge`
    """
    found = await session.ask(commands.Mailings()) if not mailing else {"mailings": [{"mailing": mailing}]}
    judged = rules = 0
    for row in found["mailings"]:
        answer = await session.ask(commands.RejudgeHits(mailing=row["mailing"]))
        judged += answer["judged"]
        while answer["next"]:
            answer = await session.ask(commands.RejudgeHits(mailing=row["mailing"], after=answer["next"]))
            judged += answer["judged"]
        rules = answer["rules"]
    told = {"mailings": len(found["mailings"]), "judged": judged, "rules": rules}
    session.out.done(told, f"Judged the hits of {judged:,} recipients by rules {rules}.")
