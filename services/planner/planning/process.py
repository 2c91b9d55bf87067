"""The process manager: sees to it that every mailing does what it owes, by level, whatever hint was lost (G3).

`drive` looks at one mailing in the facts and does what is due: publishes owed retries, starts, opens and closes
windows, plans chunks, fails on a parked one or a paused account, completes. It runs when the facts changed, when a
timer fired, when an own alarm rings, and in the sweep; running it once more does nothing more. An error is logged and
the mailing is driven again later. Timers are derived from the state at start and every day.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from math import inf

from services.planner.audience.freezing import Freezer
from services.planner.audience.version_figures import VersionFigures
from services.planner.board import Board, MailingFact
from services.planner.facts import millis
from services.planner.mailings import completion
from services.planner.mailings.mailing import FINAL, MailingDecider
from services.planner.mailings.orders import Command, Complete, Fail, Judge, NoteSample, Stop, Tick
from services.planner.mailings.test_mails import TestMails
from services.planner.mailings.thresholds import why_stop
from services.planner.planning import fan_out
from services.planner.planning.chunks import PayloadError, Planning
from services.planner.planning.openings import Leave, leave
from services.planner.settings import PlannerSettings
from shared import clock, tracing
from shared.contracts import subjects
from shared.contracts.commands import Refusal
from shared.contracts.envelope import Commit, DomainEvent, Origin
from shared.contracts.feedback import BounceReceived, ComplaintReceived
from shared.contracts.relay import AccountPaused, AccountReleased, ProviderReleased
from shared.contracts.sending import ChunkFinished, ChunkParked, ChunkPassed, RecipientsSettled
from shared.contracts.subjects import ChunkRef
from shared.eventlog.errors import EventLogError
from shared.eventlog.handling import handle
from shared.eventlog.store import EventLog
from shared.eventlog.timers import Timers
from shared.ids import new_id
from shared.steps import step

logger = logging.getLogger(__name__)

_MOVES = (ChunkPassed, ChunkFinished, ChunkParked)
_EASY = (ChunkPassed, ChunkFinished)
_EASE = 1.0
"""Seconds for which a mailing is not looked at because a chunk is done, while it has `_MANY` more and `_PLENTY`."""
_MANY = 64
_PLENTY = 20_000
"""Recipients planned and not yet tried: more than senders of one machine get through in that time."""
_FIRE_AT_ONCE = 64
_FACTS_S = 30.0
_FIRST_PAUSE = 0.5
_LONGEST_PAUSE = 30.0
_A_DAY = 86_400.0


def _moves(event: DomainEvent) -> bool:
    """Tell whether a chunk's event may have its mailing do something: go on, complete, fail, or stop by itself."""
    if isinstance(event, RecipientsSettled):
        return any(group.outcome == "rejected" for group in event.groups)
    return isinstance(event, _MOVES)


@dataclass(frozen=True, slots=True)
class Reach:
    """What the process manager works with; `facts_at` waits until the facts hold a sequence."""

    log: EventLog
    board: Board
    timers: Timers
    freezer: Freezer
    planning: Planning
    test_mails: TestMails
    figures: VersionFigures
    facts_at: Callable[[int, float], Awaitable[None]]
    settings: PlannerSettings


class Process:
    """Drives mailings."""

    def __init__(self, reach: Reach) -> None:
        self._reach = reach
        self._driving: dict[str, asyncio.Task[None]] = {}
        self._again: set[str] = set()
        self._failures: dict[str, int] = {}
        self._eased: dict[str, float] = {}
        self._armed: dict[str, object] = {}
        self._alarms: dict[str, asyncio.TimerHandle] = {}
        self._fired: dict[ChunkRef, float] = {}
        self._released = asyncio.Event()
        self._armed_since = 0.0

    async def on_applied(self, _seq: int, commits: Sequence[Commit]) -> None:
        """Drive the mailings that the commits concern."""
        for commit in commits:
            kind, entity = commit.subject.split(".")[1:3]
            events = [record.event for record in commit.events]
            if kind == "chunk" and all(isinstance(event, _EASY) for event in events if _moves(event)):
                self._moved(entity, events)
            elif kind == "mailing" or (kind == "chunk" and any(_moves(event) for event in events)):
                self.note(entity)
            elif kind == "feedback":
                for event in events:
                    if isinstance(event, BounceReceived | ComplaintReceived) and event.proven and event.mailing:
                        self.note(event.mailing)  # it may have to stop
            elif any(isinstance(event, AccountReleased | ProviderReleased) for event in events):
                self._released.set()
            elif any(isinstance(event, AccountPaused) for event in events):
                for mailing in await self._reach.board.active():
                    self.note(mailing)

    def _moved(self, mailing: str, events: Sequence[DomainEvent]) -> None:
        """Drive a mailing of which a chunk has passed or is finished; soon is enough while much is planned and left."""
        if not any(isinstance(event, _EASY) for event in events):
            return
        rest = self._eased.get(mailing, 0.0) - asyncio.get_running_loop().time()
        if rest > 0:
            self._ring(mailing, rest)
        else:
            self.note(mailing)

    def note(self, mailing: str) -> None:
        """Drive a mailing soon; once more if it is being driven."""
        if mailing in self._driving:
            self._again.add(mailing)
            return
        task = asyncio.get_running_loop().create_task(self._guarded(mailing))
        self._driving[mailing] = task
        task.add_done_callback(lambda _: self._driven(mailing))

    def _driven(self, mailing: str) -> None:
        self._driving.pop(mailing, None)
        if mailing in self._again:
            self._again.discard(mailing)
            self.note(mailing)

    async def _guarded(self, mailing: str) -> None:
        try:
            await self.drive(mailing)
            self._failures.pop(mailing, None)
        except Exception:  # whatever it was, the others go on, and this one is driven again
            times = self._failures[mailing] = self._failures.get(mailing, 0) + 1
            logger.exception("driving failed", extra={"mailing": mailing, "times": times})
            self._ring(mailing, min(_FIRST_PAUSE * 2 ** (times - 1), _LONGEST_PAUSE))

    def _ring(self, mailing: str, seconds: float) -> None:
        """Drive a mailing in so many seconds, unless an alarm rings sooner."""
        loop, before = asyncio.get_running_loop(), self._alarms.pop(mailing, None)
        if before is not None:
            if loop.time() < before.when() < loop.time() + seconds:
                seconds = before.when() - loop.time()
            before.cancel()
        self._alarms[mailing] = loop.call_later(seconds, self.note, mailing)

    async def run(self) -> None:
        """Drive everything that lives, then sweep for ever."""
        bounds = await self._reach.log.bounds()
        await self._reach.facts_at(bounds.last_seq, _A_DAY)
        for mailing in await self._reach.board.live():
            self.note(mailing)
        try:
            while True:
                await self.sweep()
                await self._rest(self._reach.settings.sweep_seconds)
        finally:
            for task in list(self._driving.values()):
                task.cancel()
            for alarm in self._alarms.values():
                alarm.cancel()

    async def _rest(self, seconds: float) -> None:
        """Wait for the next sweep, and look after accounts that are released meanwhile."""
        until = asyncio.get_running_loop().time() + seconds
        while True:
            try:
                async with asyncio.timeout_at(until):
                    await self._released.wait()
            except TimeoutError:  # nothing was released: sweep
                return
            await self._release_accounts()

    async def sweep(self) -> None:
        """Drive what moves, and hint at chunks that have gone quiet."""
        settings, loop = self._reach.settings, asyncio.get_running_loop()
        if loop.time() - self._armed_since > _A_DAY:
            self._armed, self._armed_since = {}, loop.time()
        for mailing in await self._reach.board.active():
            self.note(mailing)
        await self._release_accounts()
        now = clock.now()
        before = now - timedelta(seconds=settings.quiet_seconds)
        quiet = await self._reach.board.quiet(millis(before), millis(now))
        due = [ref for ref in quiet if loop.time() - self._fired.get(ref, -inf) > settings.quiet_seconds]
        if due:
            logger.info("hinting at quiet chunks", extra={"chunks": len(due)})
            await self._fire(due)
        self._fired = {ref: self._fired[ref] for ref in quiet if ref in self._fired} | dict.fromkeys(due, loop.time())

    async def drive(self, mailing: str) -> None:
        """Do what one mailing owes."""
        self._eased.pop(mailing, None)
        fact = await self._reach.board.mailing(mailing)
        if fact is None:
            return
        await self._reach.test_mails.repair(fact.state)
        if fact.retry > await self._reach.board.mark(mailing):
            await self._fire(await self._reach.board.owed(mailing))
            step("process.retried")
            await self._reach.board.set_mark(mailing, fact.retry)
        if await self._tick(fact):
            return  # what it caused comes back through the facts
        plenty = False
        if fact.state.status == "sending" and not await self._broken(fact) and not await self._stopped(fact):
            plenty = await self._fan_out(fact)
            if fact.state.testing and await self._judge(fact):
                return
        if fact.state.started and fact.state.status not in FINAL and await self._complete(fact) >= _MANY and plenty:
            self._eased[mailing] = asyncio.get_running_loop().time() + _EASE
        await self._arm(fact)

    async def _tick(self, fact: MailingFact) -> bool:
        due, now = fact.state.due, clock.now()
        if due is None or fact.state.draft is None:
            return False
        seconds = (due - now).total_seconds()
        if seconds > 0:
            if seconds <= 2 * self._reach.settings.sweep_seconds:
                self._ring(fact.id, seconds + 0.001)
            return False
        account = await self._reach.board.account(fact.state.draft.account)
        done = await self._decide(fact.id, Tick(now, account))
        step("process.ticked")
        return done

    async def _arm(self, fact: MailingFact) -> None:
        """Have the server wake some planner when the mailing is next due."""
        due = fact.state.due
        if due is None or self._armed.get(fact.id) == due:
            return
        kind = "start" if fact.state.status == "scheduled" else "window"
        timer, target = subjects.mailing_timer(kind, fact.id), subjects.mailing_due(kind, fact.id)
        try:
            await self._reach.timers.arm(timer, target, due)
        except EventLogError as error:  # the sweep and the own alarm still wake it; the next drive arms again
            logger.warning("no timer could be set: %s", error, extra={"mailing": fact.id})
        else:
            self._armed[fact.id] = due

    async def _broken(self, fact: MailingFact) -> bool:
        reason = await self._reach.board.parked(fact.id, fact.resumed)
        if not reason and fact.state.draft is not None:
            paused = await self._reach.board.pause_of(fact.state.draft.account)
            reason = f"the account is paused: {paused}" if paused else ""
        return bool(reason) and await self._decide(fact.id, Fail(reason, fact.state.resumes))

    async def _stopped(self, fact: MailingFact) -> bool:
        if fact.state.draft is None or fact.state.draft.stop is None:
            return False
        reason = why_stop(fact.state.draft.stop, await self._reach.board.tried(fact.id, fact.resumed))
        return bool(reason) and await self._decide(fact.id, Stop(reason, fact.state.resumes))

    async def _fan_out(self, fact: MailingFact) -> bool:
        """Plan what is to be planned now; tell whether senders have plenty to do, or all is planned."""
        state, frozen, settings = fact.state, fact.state.audience, self._reach.settings
        if frozen is None or state.draft is None:
            return False
        audience = await self._reach.freezer.ensure_cached(fact.id, frozen.object)
        may = await self._leave(fact)
        board = self._reach.board
        unplanned = await board.unplanned(fact.id, audience, frozen.lanes, settings.most_open, may)
        if not unplanned:
            return may.more_at is None
        account = await self._reach.board.account(state.draft.account)
        planned = await board.open_pieces(fact.id, audience, may.zones)
        chosen = fan_out.choose(
            fan_out.rate(state.limits, *account.limits_on(clock.now())),
            planned,
            unplanned,
            seconds=settings.ahead_seconds,
            most_open=settings.most_open,
            most=may.most,
        )
        if not chosen:
            return sum(piece.size for piece in planned) >= _PLENTY
        plan = self._reach.planning.plan_chunk
        try:
            await asyncio.gather(*(plan(fact.id, state, audience, piece) for piece in chosen))
        except PayloadError as error:  # nobody but an operator can mend it
            await self._decide(fact.id, Fail(str(error), state.resumes))
            return False
        await self._reach.facts_at(await self._reach.log.last_seq(subjects.plans_of(fact.id)), _FACTS_S)
        self.note(fact.id)
        return False

    async def _judge(self, fact: MailingFact) -> bool:
        """Note that the sample of an A/B test was sent, and choose the winner when it is time."""
        state, now = fact.state, clock.now()
        if state.audience is None:
            return False
        if not state.sampled:
            audience = await self._reach.freezer.ensure_cached(fact.id, state.audience.object)
            if await self._reach.board.sampled(fact.id, audience):
                noted = await self._decide(fact.id, NoteSample(now))
                step("test.sampled")
                return noted
        deadline = state.schedule.deadline if state.schedule else None
        at = min(filter(None, (state.decides_at, deadline)), default=None)
        if at is None:
            return False
        if at > now:
            self._ring(fact.id, (at - now).total_seconds() + 0.001)
            return False
        judged = await self._decide(fact.id, Judge(now, await self._reach.figures.of(fact.id, state)))
        step("test.judged")
        return judged

    async def _leave(self, fact: MailingFact) -> Leave:
        """Return what may be planned now, and wake up when there may be more."""
        now, batch = clock.now(), fact.state.draft.batch if fact.state.draft else None
        since = millis(now) - batch.minutes * 60_000 if batch else 0
        planned = await self._reach.board.planned_since(fact.id, since) if batch else []
        found = leave(fact.state, now, planned)
        if found.more_at is not None:
            self._ring(fact.id, (found.more_at - now).total_seconds() + 0.001)
        return found

    async def _complete(self, fact: MailingFact) -> int:
        """Complete the mailing where all its chunks are finished; return how many are not."""
        frozen = fact.state.audience
        if frozen is None:
            return 0
        left, ended = await self._reach.board.finished(fact.id, frozen.chunks)
        totals = completion.totals(frozen.chunks, ended)
        if totals is not None:
            await self._decide(fact.id, Complete(totals))
        return left

    async def _decide(self, mailing: str, order: Command) -> bool:
        origin = Origin(new_id(20), "planner", clock.now(), correlation_id=mailing)
        began, whole = tracing.begin(), tracing.whole(mailing)
        result = await handle(self._reach.log, MailingDecider(), subjects.mailing(mailing), order, origin)
        if isinstance(result, Refusal):
            logger.warning("%s: %s", type(order).__name__, result.message, extra={"mailing": mailing})
            return False
        for event in result.events:
            tracing.record(event.TYPE, began, tracing.some(whole), parent=whole, what={"status": result.state.status})
        return bool(result.events)

    async def _release_accounts(self) -> None:
        self._released.clear()
        for account, released in await self._reach.board.owed_accounts():
            await self._fire(await self._reach.board.unfinished_of_account(account))
            await self._reach.board.set_mark(account, released)

    async def _fire(self, chunks: Iterable[ChunkRef]) -> None:
        refs = list(chunks)
        for start in range(0, len(refs), _FIRE_AT_ONCE):
            await asyncio.gather(
                *(self._reach.timers.fire(ref.due_retry) for ref in refs[start : start + _FIRE_AT_ONCE])
            )
