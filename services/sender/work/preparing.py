"""Recipients rendered before they are claimed; whoever does not render is skipped in the commit of the claim."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from services.sender.chunks.case import Case
from services.sender.limits.spacing import Slot
from services.sender.mails.compose import ChunkComposer, Rendered, RenderError
from services.sender.work.means import Means
from shared.clock import now
from shared.contracts.sending import Group


@dataclass(frozen=True, slots=True)
class Prepared:
    """Recipients rendered for the next claim: their mails, the Date they were rendered with, their slots."""

    mails: dict[int, Rendered]
    date: int
    slots: dict[int, Slot]


async def prepare(
    case: Case, composer: ChunkComposer, means: Means, indexes: Sequence[int], slots: list[Slot] | None
) -> tuple[Prepared, list[Group]]:
    """Render `indexes`, off the event loop where mails are signed; return the groups of those who get none, too."""
    date = int(now().timestamp())
    if composer.signs:
        loop = asyncio.get_running_loop()
        mails, skipped = await loop.run_in_executor(means.signing, _rendered, case, composer, indexes, date)
    else:
        mails, skipped = _rendered(case, composer, indexes, date)
    return Prepared(mails, date, dict(zip(mails, slots, strict=False)) if slots else {}), skipped


def _rendered(
    case: Case, composer: ChunkComposer, indexes: Sequence[int], date: int
) -> tuple[dict[int, Rendered], list[Group]]:
    """Return the mails and the groups of those who get none; changes nothing, as it runs beside the event loop."""
    mails: dict[int, Rendered] = {}
    skipped: list[Group] = []
    for index in indexes:
        row = case.rows[index]
        try:
            if row.fault:
                raise RenderError(row.fault)
            mails[index] = composer.render(row.data, index, case.chunk.dates.get(index, date))
        except RenderError as error:
            skipped.append(Group(outcome="skipped", indexes=str(index), cause=error.cause))
    return mails, skipped
