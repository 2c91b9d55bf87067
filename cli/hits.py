"""`posthaste hits`: opens and clicks judged by the rules of this version, as a whole."""

from typing import Annotated

import typer

from cli.commands import KeyOption, command, group
from cli.session import Data, Session
from shared.contracts import commands
from shared.ids import derived_id

app = group("hits", "Opens and clicks: who it was.")


@command(app, "rejudge")
async def rejudge(
    session: Session,
    mailing: Annotated[str, typer.Argument(help="Id of a mailing; all if missing.")] = "",
    key: KeyOption = "",
) -> None:
    """Judge all hits again, by the rules of this version. It may be broken off and begun anew at any time.

    Example: `posthaste hits rejudge`
    """
    found = await session.ask(commands.Mailings()) if not mailing else {"mailings": [{"mailing": mailing}]}
    judged = rules = 0
    for row in found["mailings"]:
        answer = await _page(session, commands.RejudgeHits(mailing=row["mailing"]), key)
        judged += answer["judged"]
        while answer["next"]:
            wanted = commands.RejudgeHits(mailing=row["mailing"], after=answer["next"])
            answer = await _page(session, wanted, key)
            judged += answer["judged"]
        rules = answer["rules"]
    told = {"mailings": len(found["mailings"]), "judged": judged, "rules": rules}
    session.out.done(told, f"Judged the hits of {judged:,} recipients by rules {rules}.")


async def _page(session: Session, wanted: commands.RejudgeHits, key: str) -> Data:
    own = derived_id(key, wanted.mailing, wanted.after, length=20) if key else ""  # each page is a command of its own
    return await session.ask(wanted, key=own)
