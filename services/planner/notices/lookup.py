"""What a notice tells, looked up when it is made: the event and its mailing in the log, numbers in the facts."""

from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import or_, select
from sqlalchemy.ext.asyncio import AsyncEngine

from services.planner.facts import CHUNKS
from services.planner.mailings.mailing import Mailing, MailingDecider
from services.planner.notices.notice_facts import Stand, is_stand, notice_id
from services.planner.notices.text import Told, errors
from shared.contracts import subjects
from shared.contracts.content import Content
from shared.contracts.mailing import MailingCompleted
from shared.database import reading
from shared.eventlog.objects import Objects
from shared.eventlog.store import EventLog

GIVEN_UP = timedelta(days=3)
"""After so long a notice is news no more."""

_CHUNKS_WITH_ERRORS = 10


@dataclass(frozen=True, slots=True)
class Owed:
    """A notice that is to be planned: its id, the mailing, and the commit that calls for it."""

    id: str
    mailing: str
    seq: int
    at: int


class Lookup:
    """Looks up what is to be told."""

    def __init__(self, engine: AsyncEngine, log: EventLog, contents: Objects) -> None:
        self._reading = reading(engine)
        self._log = log
        self._contents = contents

    async def told(self, owed: Owed) -> tuple[Content, Told, str] | None:
        """Return what the mailing says, what is to be told, and the account; None where nothing is."""
        state, event = await self._called(owed)
        if state.draft is None or event is None:
            return None
        content = Content.model_validate_json(await self._contents.get(state.draft.content))
        return content, await self._told(owed, state, event), state.draft.account

    async def _called(self, owed: Owed) -> tuple[Mailing, Stand | None]:
        """Return the mailing as it was when it called for the notice, and the event that did."""
        decider = MailingDecider()
        state = decider.initial()
        for commit in await self._log.load(subjects.mailing(owed.mailing)):
            for record in commit.events:
                state = decider.evolve(state, record.event)
                if commit.seq == owed.seq and is_stand(record.event) and notice_id(record) == owed.id:
                    return state, record.event
        return state, None

    async def _told(self, owed: Owed, state: Mailing, event: Stand) -> Told:
        name = state.draft.name if state.draft else ""
        totals = event.totals if isinstance(event, MailingCompleted) else await self._so_far(owed, state)
        return Told(owed.mailing, name, event, totals, await self._errors(owed.mailing))

    async def _so_far(self, owed: Owed, state: Mailing) -> dict[str, int]:
        """Return what relays answered until now, and how many are left."""
        c = CHUNKS.c
        query = select(c.accepted, c.bounced + c.refused).where(c.mailing == owed.mailing)
        async with self._reading.connect() as conn:
            rows = (await conn.execute(query)).all()
        accepted, rejected = sum(int(row[0]) for row in rows), sum(int(row[1]) for row in rows)
        recipients = state.audience.recipients if state.audience else 0
        return {"accepted": accepted, "rejected": rejected, "not settled": max(recipients - accepted - rejected, 0)}

    async def _errors(self, mailing: str) -> dict[str, int]:
        c = CHUNKS.c
        failed = or_(c.bounced + c.refused > 0, c.totals.contains('"rejected"'))
        query = select(c.n).where(c.mailing == mailing, failed).order_by(c.n).limit(_CHUNKS_WITH_ERRORS)
        async with self._reading.connect() as conn:
            numbers = [int(n) for n in await conn.scalars(query)]
        histories = [await self._log.load(subjects.chunk(mailing, n)) for n in numbers]
        return errors(record.event for history in histories for commit in history for record in commit.events)
