"""The requests about dry runs: begin one, end it, see how far it is and what it found."""

import re
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import orjson

from services.planner.idempotency import Act
from services.planner.mailings import dry_run_facts as facts
from services.planner.mailings.mailing import Mailing
from services.planner.parts import Parts
from services.planner.planning import foresight
from shared.contracts import commands
from shared.contracts.commands import Answer, Refusal
from shared.database import reading

Result = Answer | Refusal

_CURSOR = re.compile(r"(?:[0-9]{1,9}:[0-9]{1,9})?")
_NONE = Refusal(code="dry_run_unknown", message="No dry run of it was begun.", field="mailing")
_BAD_CURSOR = Refusal(code="invalid", message="Give `next` of the page before.", field="after")


async def start(parts: Parts, wanted: commands.StartDryRun, act: Act) -> Result:
    """Begin one; the data of the recipients are kept where an approval may hold them."""
    state = await parts.mailing(wanted.mailing)
    campaign = await parts.campaign(state.draft.campaign) if state.draft else None
    asks = campaign is not None and campaign.opened is not None and campaign.opened.approval
    begun = await parts.dry_runs.begin(wanted.mailing, state, (act.new_id("dry_run"), act.principal), kept=asks)
    return begun if isinstance(begun, Refusal) else Answer(ok=True, data=begun)


async def cancel(parts: Parts, wanted: commands.CancelDryRun, _act: Act) -> Result:
    """End one."""
    ended = await parts.dry_runs.cancel(wanted.mailing)
    return _NONE if ended is None else Answer(ok=True, data=ended)


async def show(parts: Parts, wanted: commands.DryRunStatus) -> Result:
    """Tell how far the last one is, and what it found."""
    state = await parts.mailing(wanted.mailing)
    async with reading(parts.engine).connect() as conn:
        row = await facts.of(conn, wanted.mailing)
        largest = await facts.who(conn, row, row.largest_n, row.largest_idx) if row is not None and row.mails else ""
    if row is None:
        return _NONE
    foreseen = await foresight.ask(parts, commands.Forecast(mailing=wanted.mailing))
    causes = orjson.loads(row.causes)
    data = {name: getattr(row, name) for name in ("run", "state", "problem", "recipients", "mails", "failed")}
    data |= {
        "mailing": wanted.mailing,
        "done": row.mails + row.failed,
        "causes": causes,
        "missing": facts.missing(causes),
        "left_out": state.audience.skipped if state.audience else {},
        "bytes": row.bytes,
        "largest": row.largest,
        "largest_contact": largest,
        "date": datetime.fromtimestamp(row.date, UTC).isoformat().replace("+00:00", "Z"),
        "digest": row.digest,
        "current": _is_of(state, row.content, row.object),
        "forecast": {} if isinstance(foreseen, Refusal) else foreseen.data,
    }
    return Answer(ok=True, position=row.position, data=data)


def _is_of(state: Mailing, content: str, audience: str) -> bool:
    """Tell whether it is of the mailing as it is now."""
    frozen = state.audience.object if state.audience else ""
    return state.draft is not None and (state.said, frozen) == (content, audience)


async def rows(parts: Parts, wanted: commands.DryRunRows) -> Result:
    """List its recipients."""
    if not _CURSOR.fullmatch(wanted.after):
        return _BAD_CURSOR
    async with reading(parts.engine).connect() as conn:
        row = await facts.of(conn, wanted.mailing)
        if row is None:
            return _NONE
        found = await facts.page(conn, row, wanted.after, wanted.limit, failed=wanted.only == "failed")
    after = f"{found[-1]['n']}:{found[-1]['index']}" if len(found) == wanted.limit else ""
    return Answer(ok=True, data={"rows": found, "next": after})


HANDLERS: dict[type[commands.Command], Callable[[Parts, Any, Act], Awaitable[Result]]] = {
    commands.StartDryRun: start,
    commands.CancelDryRun: cancel,
}
QUERIES: dict[type[commands.Query], Callable[[Parts, Any], Awaitable[Result]]] = {
    commands.DryRunStatus: show,
    commands.DryRunRows: rows,
}
