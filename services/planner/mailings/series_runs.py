"""Recurring mailings come round: when a time is there its mailing is drafted, its audience frozen, its start set.

Of all planners one does it. Everything is named by series and time: the mailing, and each command that makes it, so who
goes on after a crash repeats nothing, and two who did it at once would make the same mailing. What became of a time is
recorded last. Of times that were missed while everything was down only the last one counts, by the late rule. What is
refused skips that time, with the code; where the campaign takes no more mailings the series stops. What fails otherwise
is tried again.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError

from services.planner.audience import audience_commands
from services.planner.audience.frozen_rows import ROWS
from services.planner.idempotency import PASSING, Act
from services.planner.mailings import drafting, orders
from services.planner.mailings.schedule import LATE, TOO_LATE
from services.planner.mailings.series import Command, Record, Series, SeriesDecider, Stop
from services.planner.parts import Parts
from shared import clock
from shared.contracts import commands, subjects
from shared.contracts.commands import Answer, DraftMailing, Refusal, ScheduleMailing
from shared.contracts.envelope import Origin
from shared.contracts.series import OccurrenceMade, OccurrenceSkipped, SeriesSettings
from shared.database import alone, reading
from shared.eventlog.errors import EventLogError
from shared.eventlog.handling import handle
from shared.ids import derived_id
from shared.instants import to_millis
from shared.steps import step

logger = logging.getLogger(__name__)

_AGAIN_S = 2.0
_NO_MORE = ("campaign_unknown", "campaign_closed", "campaign_ended", "campaign_deleted")
NOBODY_NEW = "nobody_new"


class _LaterError(Exception):
    """It cannot be done just now."""


class SeriesRuns:
    """Makes the mailings of all series."""

    def __init__(self, parts: Callable[[], Parts]) -> None:
        self._parts = parts
        self._known: dict[str, tuple[Series, str]] = {}
        self._position = 0
        self._wake = asyncio.Event()

    def nudge(self) -> None:
        """Look again: a series was changed."""
        self._wake.set()

    async def run(self) -> None:
        """Make them for ever."""
        while True:
            self._wake.clear()
            seconds = _AGAIN_S
            try:
                seconds = await self.look()
            except (EventLogError, SQLAlchemyError, OSError, TimeoutError, _LaterError) as error:  # tried again soon
                logger.warning("recurring mailings wait: %s", error)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._wake.wait()

    async def look(self) -> float:
        """Make what is due; return in how many seconds to look again."""
        parts, longest = self._parts(), self._parts().settings.sweep_seconds
        await self._read(parts)
        if any(state.due(clock.now()) for state, _ in self._known.values()):
            async with alone(parts.engine, "series") as ours:
                if not ours:  # another planner makes it; it may die of it
                    return min(longest, _AGAIN_S)
                await self._read(parts)
                for series, (state, principal) in list(self._known.items()):
                    await self._come_round(parts, series, state, principal)
            await self._read(parts)
        nexts = [at for state, _ in self._known.values() if (at := state.next_at) is not None]
        soon = (min(nexts) - clock.now()).total_seconds() + 0.001 if nexts else longest
        return max(0.05, min(soon, longest))

    async def _read(self, parts: Parts) -> None:
        """Bring what is known of series up to the log, with the principal who last said what they do."""
        decider = SeriesDecider()
        async for commits in parts.log.scan([subjects.ALL_SERIES], start=self._position + 1):
            for commit in commits:
                series = commit.subject.rpartition(".")[2]
                state, principal = self._known.get(series, (decider.initial(), ""))
                for record in commit.events:
                    state = decider.evolve(state, record.event)
                    principal = record.principal if isinstance(record.event, SeriesSettings) else principal
                self._known[series] = state, principal
                self._position = commit.seq

    async def _come_round(self, parts: Parts, series: str, state: Series, principal: str) -> None:
        now = clock.now()
        due = state.due(now)
        settings = state.settings
        if not due or settings is None:
            return
        for at in due[:-1]:
            await self._say(parts, series, at, Record(OccurrenceSkipped(at=at, reason="missed")))
        at = due[-1]
        making = _Making(parts, series, settings, at, principal)
        late = now - at > TOO_LATE and not await making.scheduled()
        if late and settings.late == "skip":
            await self._say(parts, series, at, Record(OccurrenceSkipped(at=at, reason="late")))
            return
        made = await making.made(state.mailing, waits=late and settings.late == "ask")
        if isinstance(made, Refusal):
            if made.code in PASSING:
                raise _LaterError(made.code)
            logger.warning("a recurring mailing is skipped: %s", made.code, extra={"series": series})
            await self._say(parts, series, at, Record(OccurrenceSkipped(at=at, reason=made.code)))
            if made.code in _NO_MORE:
                await self._say(parts, series, at, Stop(made.code))
            return
        await self._say(parts, series, at, Record(made))

    async def _say(self, parts: Parts, series: str, at: datetime, command: Command) -> None:
        kind = "stop" if isinstance(command, Stop) else "record"
        name = derived_id("series", series, str(to_millis(at)), kind, length=20)
        origin = Origin(name, "planner", clock.now(), correlation_id=series)
        await handle(parts.log, SeriesDecider(), subjects.series(series), command, origin)
        step("series.recorded")


class _Making:
    """The making of one mailing, in steps that have names of their own."""

    def __init__(self, parts: Parts, series: str, settings: SeriesSettings, at: datetime, principal: str) -> None:
        self._parts = parts
        self._series = series
        self._settings = settings
        self._at = at
        self._principal = principal
        self._mailing = self._act("draft").new_id("mailing")

    async def scheduled(self) -> bool:
        """Tell whether its start was set before, by who then died: it is not late, whenever that is seen."""
        return await self._parts.committed(self._act("schedule"), subjects.mailing(self._mailing))

    def _act(self, step_: str) -> Act:
        key = f"series.{self._series}.{to_millis(self._at)}.{step_}"
        return Act(self._principal, key, derived_id(self._principal, key, "command", length=20))

    async def made(self, before: str, *, waits: bool) -> OccurrenceMade | OccurrenceSkipped | Refusal:
        """Make it; `before` is the mailing of the time before, "" for none."""
        parts, settings = self._parts, self._settings
        wanted = DraftMailing.model_validate_json(await parts.contents.get(settings.draft))
        day = self._at.astimezone(ZoneInfo(settings.rhythm.zone)).date()
        wanted = wanted.model_copy(update={"name": f"{wanted.name} {day}"})
        mailing = self._mailing
        done = await self._frozen(mailing, wanted)
        if isinstance(done, Refusal):
            return done
        if done.data["recipients"] == 0 or (
            settings.only_new and before and not await self._anybody_new(mailing, before)
        ):
            await parts.order(self._act("delete"), mailing, orders.Delete())
            step("series.deleted")
            return OccurrenceSkipped(at=self._at, reason=NOBODY_NEW if done.data["recipients"] else "audience_empty")
        if not waits:
            refusal = await self._scheduled(mailing)
            if refusal is not None:
                await parts.order(self._act("delete"), mailing, orders.Delete())
                return refusal
        return OccurrenceMade(at=self._at, mailing=mailing, waits=waits)

    async def _frozen(self, mailing: str, wanted: DraftMailing) -> Answer | Refusal:
        """Draft it and freeze its audience; what stands is not looked at again: it would be refused by now."""
        parts, subject, audience = self._parts, subjects.mailing(mailing), self._act("audience")
        done: Answer | Refusal | None = None
        if not await parts.committed(audience, subject):
            if not await parts.committed(self._act("draft"), subject):
                done = await drafting.draft_mailing(parts, wanted, self._act("draft"))
                step("series.drafted")
            if not isinstance(done, Refusal) and self._settings.sources is not None:
                choose = commands.ChooseSources(mailing=mailing, sources=self._settings.sources)
                done = await audience_commands.choose_sources(parts, choose, self._act("sources"))
        if isinstance(done, Refusal):
            return done
        done = await audience_commands.freeze_audience(parts, commands.FreezeAudience(mailing=mailing), audience)
        step("series.frozen")
        return done

    async def _scheduled(self, mailing: str) -> Refusal | None:
        settings, now = self._settings, clock.now()
        zone = settings.rhythm.zone
        local = self._at.astimezone(ZoneInfo(zone)).replace(tzinfo=None)
        minutes = settings.deadline_minutes
        wanted = ScheduleMailing(
            mailing=mailing,
            at=local if now - self._at < LATE else None,
            zone=zone,
            hours=settings.hours,
            deadline=None if minutes is None else local + timedelta(minutes=minutes),
        )
        state = await self._parts.mailing(mailing)
        campaign = await self._parts.campaign(state.draft.campaign if state.draft else "")
        order = orders.Schedule(wanted, now, await self._parts.account_of(state), campaign)
        done = await self._parts.order(self._act("schedule"), mailing, order)
        step("series.scheduled")
        return done if isinstance(done, Refusal) else None

    async def _anybody_new(self, mailing: str, before: str) -> bool:
        """Tell whether anybody is in the audience who was not in that of the time before."""
        caches: list[int] = []
        for one in (mailing, before):
            frozen = (await self._parts.mailing(one)).audience
            if frozen is None:
                return True
            caches.append(await self._parts.freezer.ensure_cached(one, frozen.object))
        r = ROWS.c
        known = select(r.contact).where(r.audience == caches[1])
        new = select(r.contact).where(r.audience == caches[0], r.contact.not_in(known)).limit(1)
        async with reading(self._parts.engine).connect() as conn:
            return await conn.scalar(new) is not None
