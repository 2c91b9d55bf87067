"""The commands about campaigns: facts are looked up, the decider decides.

Lists are looked up by name or id; whether a campaign may be deleted is told by the facts of its mailings, as of the
moment of the command.
"""

from collections.abc import Awaitable, Callable
from typing import Any

from services.planner.contacts import lists
from services.planner.idempotency import Act
from services.planner.mailings.campaign import CampaignDecider, Close, Command, Delete, Edit, Open
from services.planner.mailings.mailing import FINAL
from services.planner.parts import Parts
from shared.contracts import commands, subjects
from shared.contracts.campaign import CampaignEdited, CampaignOpened
from shared.contracts.commands import Answer, Refusal
from shared.database import reading
from shared.eventlog.handling import handle

Result = Answer | Refusal

_FACTS_S = 10.0
_LEFT = ("none", "planned", *FINAL)
"""Statuses of mailings that nobody misses when their campaign is hidden."""


async def open_campaign(parts: Parts, wanted: commands.OpenCampaign, act: Act) -> Result:
    """Open a campaign on lists that exist."""
    ids = await _lists(parts, wanted)
    if isinstance(ids, Refusal):
        return ids
    opened = CampaignOpened(**wanted.model_dump(exclude={"lists"}), lists=ids)
    return await _order(parts, act.new_id("campaign"), Open(opened), act)


async def edit_campaign(parts: Parts, wanted: commands.EditCampaign, act: Act) -> Result:
    """Replace it as a whole."""
    ids = await _lists(parts, wanted)
    if isinstance(ids, Refusal):
        return ids
    edited = CampaignEdited(**wanted.model_dump(exclude={"campaign", "lists"}), lists=ids)
    return await _order(parts, wanted.campaign, Edit(edited), act)


async def close_campaign(parts: Parts, wanted: commands.CloseCampaign, act: Act) -> Result:
    """Take no more mailings."""
    return await _order(parts, wanted.campaign, Close(), act)


async def delete_campaign(parts: Parts, wanted: commands.DeleteCampaign, act: Act) -> Result:
    """Hide it where none of its mailings is on its way."""
    await parts.facts_at(await parts.log.last_seq(subjects.ALL_MAILINGS), _FACTS_S)
    running = [
        mailing
        for mailing in await parts.board.live()
        if (state := await parts.mailing(mailing)).draft is not None
        and state.draft.campaign == wanted.campaign
        and (state.status not in _LEFT)
    ]
    return await _order(parts, wanted.campaign, Delete(running), act)


async def _lists(parts: Parts, wanted: commands.OpenCampaign) -> list[str] | Refusal:
    async with reading(parts.engine).connect() as conn:
        ids, unknown = await lists.resolve(conn, wanted.lists)
    if unknown:
        return Refusal(code="list_unknown", message=f"There is no list {', '.join(unknown)}.", field="lists")
    return ids


async def _order(parts: Parts, campaign: str, order: Command, act: Act) -> Result:
    done = await handle(parts.log, CampaignDecider(), subjects.campaign(campaign), order, act.origin())
    return done if isinstance(done, Refusal) else Answer(ok=True, position=done.seq, data={"campaign": campaign})


HANDLERS: dict[type[commands.Command], Callable[[Parts, Any, Act], Awaitable[Result]]] = {
    commands.OpenCampaign: open_campaign,
    commands.EditCampaign: edit_campaign,
    commands.CloseCampaign: close_campaign,
    commands.DeleteCampaign: delete_campaign,
}
