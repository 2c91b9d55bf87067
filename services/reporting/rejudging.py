"""Judge stored hits again, by rules that are newer than those they were judged by; a page of recipients a transaction.

Figures change by the difference while new hits come in; a page that is judged twice changes nothing. Once the last page
is done the mailing is judged by the new version. Hits that name nobody are judged by what each of them says, and stay.
"""

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncEngine

from services.reporting import tables
from services.reporting.docket import Docket
from services.reporting.queries import Data
from services.reporting.views.engagement import TURN
from shared.contracts.commands import RejudgeHits
from shared.contracts.verdicts import RULES, Rules
from shared.database import in_turn

PAGE = 2_000
_FIRST = (-1, -1)


async def rejudge(engine: AsyncEngine, wanted: RejudgeHits, rules: Rules = RULES, page: int = PAGE) -> Data | None:
    """Judge one page; None if there is no such mailing."""
    n, _, index = wanted.after.partition(".")
    async with engine.begin() as conn:
        known = select(tables.mailings.c.mailing).where(tables.mailings.c.mailing == wanted.mailing)
        if await conn.scalar(known) is None:
            return None
        await in_turn(conn, TURN)
        after = (int(n), int(index)) if n else _FIRST
        judged = await Docket(conn, rules).judge_again(wanted.mailing, after, page)
        more = "{}.{}".format(*judged[-1][1:]) if len(judged) == page else ""
        if not more:
            by = update(tables.judged_by).where(tables.judged_by.c.mailing == wanted.mailing)
            await conn.execute(by.values(rules=rules.version))
    return {"mailing": wanted.mailing, "rules": rules.version, "judged": len(judged), "next": more}
