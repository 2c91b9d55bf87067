"""From a job to the work: is it ours to do, what did the last worker leave, may anything go out now?

A second job for a chunk whose first job still exists goes back: one worker at a time. The same job once more is a
takeover, allowed when every open claim has outlived its validity; the dead worker's journal tells what it did. Where no
journal tells, the worker may live and only be late with what it knows: it is waited for.
"""

import asyncio
import itertools
import logging
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from services.sender.chunks import settle, takeover
from services.sender.chunks.case import Case, open_case
from services.sender.chunks.chunk import Status, dying_at
from services.sender.chunks.decisions import Advance, Park, Take
from services.sender.chunks.rows import fetch_rows
from services.sender.gates.gates import Gates, MailingGate
from services.sender.gates.suppression import Suppression
from services.sender.journal.journal import forget, read_evidence
from services.sender.limits.pacing import HORIZON
from services.sender.mails.compose import ChunkComposer
from services.sender.mails.contents import Contents
from services.sender.smtp.errors import RelayError
from services.sender.smtp.line import Line
from services.sender.work.flight import DEADLINE_PASSED, ENDED, Draining, Watch
from services.sender.work.means import Means
from services.sender.work.work import PACING, Rest, Work
from shared.clock import now
from shared.contracts import ranges
from shared.contracts.sending import Group
from shared.contracts.subjects import ChunkRef
from shared.eventlog.documents import Documents
from shared.eventlog.errors import EventLogError, MissingError
from shared.eventlog.pull import PullMessage
from shared.eventlog.server_clock import ServerClock
from shared.eventlog.store import EventLog
from shared.steps import step
from shared.tokens import UnknownKeyError

logger = logging.getLogger(__name__)

CLOCK_MARGIN = 1.0
"""Seconds a claim is left alone beyond its validity, for clocks that differ."""

PATIENCE = 2.0
"""How many times its validity a claim of which no journal tells is left alone before its mails are in doubt."""

LEAD = timedelta(seconds=HORIZON / 2)
"""How long before its slot a released chunk comes back."""


@dataclass(frozen=True, slots=True)
class Done:
    """What to tell the queue: give the job back for `back_in` seconds, or come back `at` / `at_once`, and ack."""

    back_in: float | None = None
    at: datetime | None = None
    at_once: bool = False
    trouble: RelayError | None = None
    worked: bool = False


@dataclass(slots=True)
class Attendant:
    """Works jobs with the means of the process."""

    log: EventLog
    clock: ServerClock
    worker: str
    gates: Gates
    suppression: Suppression
    payloads: Documents
    contents: Contents
    means: Means
    draining: Draining
    journals: Path
    job_exists: Callable[[int, str], Awaitable[bool]]
    attempts: Iterator[int] = field(default_factory=itertools.count)
    unproven: dict[tuple[str, int, int], float] = field(default_factory=dict)

    async def attend(self, job: PullMessage, line: Line) -> Done:
        """Do what `job` hints at over `line`.

        Raises:
            WrongVersionError: Another worker has the chunk.
        """
        # Every attempt is a worker of its own: two jobs of one chunk in one process must fence each other, too.
        worker = f"{self.worker}-{next(self.attempts)}"
        case = await open_case(self.log, self.clock, worker, ChunkRef.of_job(job.subject))
        if case is None:
            logger.warning("no such plan", extra={"job": job.subject})
            return Done()
        chunk = case.chunk
        if chunk.job and chunk.job != job.seq and not chunk.settled and await self.job_exists(chunk.job, job.subject):
            return Done(back_in=5)
        if (wait := self._claims_live(case)) > 0:
            return Done(back_in=wait)
        mailing = await self.gates.mailing(case.ref.mailing) if case.plan.kind == "campaign" else None
        account = self.gates.accounts.get(case.ref.account)
        if account is None:
            return Done(back_in=1)
        watch = Watch(
            *(case, self.gates, mailing, account, self.suppression, self.draining),
            self.clock.now,
            self.means.rules.providers,
        )
        if self._idle(case, watch) is not None:
            # What the job hints at stands in the log, but perhaps not yet in the views: it must not be acked unseen.
            try:
                await self.means.confirmation.confirmed(case.ref.mailing)
            except (TimeoutError, EventLogError) as error:  # the job comes back when the views may be there
                logger.info("not confirmed: %s", error, extra={"job": job.subject})
                return Done(back_in=1)
            if (idle := self._idle(case, watch)) is not None:
                return idle
        try:
            case.rows = await fetch_rows(self.payloads, case.plan)
            compiled = await self.contents.of(case.plan)
            composer = ChunkComposer(compiled, case.plan.n, account.settings.bounce_domain)
        except (MissingError, UnknownKeyError, ValueError) as error:
            # Nothing can be sent as it was planned: parked for the operator, who is told why. A mailing that is being
            # sent does not know of it, or was resumed: it fails (again) only when it is told (again).
            again = mailing is not None and mailing.sending
            await case.append(Park(f"cannot be rendered: {error}", again=again))
            return Done()
        await self._take(case, job)
        step("chunk.taken")
        for _ in range(2):  # whom a decision has sent again, a cancel or the deadline may end
            await self._decided(case, watch)
        return await self._send(watch, line, composer)

    def _claims_live(self, case: Case) -> float:
        """Return for how many seconds the open claims of another worker are to be left alone.

        It may act on them for their validity. Those of which no journal tells may be of a worker that lives and only
        could not record what became of its mails: it gets time to, before they are in doubt. That time begins when
        the claim is first seen here, for the log may have been away until then, for all of us.
        """
        claims = case.chunk.claims
        if not claims:
            return 0.0
        ends = max(claim.recorded_at.timestamp() for claim in claims) + self.means.validity
        if (wait := ends + CLOCK_MARGIN - self.clock.now()) > 0:
            return wait
        proven = {proof.seq for proof in read_evidence(self.journals, case.ref.mailing, case.ref.n)}
        if all(claim.after in proven for claim in claims):
            return 0.0
        patience = PATIENCE * self.means.validity
        time = asyncio.get_running_loop().time()
        self.unproven = {seen: at for seen, at in self.unproven.items() if time - at < 10 * patience}
        seen = (case.ref.mailing, case.ref.n, case.chunk.seq)
        return self.unproven.setdefault(seen, time) + patience - time

    def _idle(self, case: Case, watch: Watch) -> Done | None:
        """Return what to tell the queue when there is nothing to append and nothing to send, else None."""
        chunk = case.chunk
        if chunk.claims or self._verdicts(case, watch.mailing):
            return None
        if chunk.settled and chunk.finished is not None:
            return Done()
        if why := watch.closed():
            return Done(at_once=why in ENDED and not chunk.settled, at=watch.reopens())
        if chunk.claimable(now(), 1) or chunk.settled:
            return None
        return Done(at=chunk.next_try)

    async def _take(self, case: Case, job: PullMessage) -> None:
        chunk = case.chunk
        found: list[Group] = []
        evidence = read_evidence(self.journals, case.ref.mailing, case.ref.n)
        before_restore = takeover.lost(chunk, evidence)
        if chunk.claims:
            terms = settle.Terms(
                now=now(),
                addresses={index: case.rows[index].address for claim in chunk.claims for index in claim.indexes},
                tries=chunk.tries,
                dates=chunk.dates,
                retry_for=case.plan.retry_for,
                back_off=self.means.back_off,
                jitter=0.0,
                deadline=case.plan.expires_at,
            )
            found = settle.groups(takeover.results(chunk, evidence), terms, 0)
            found = [group.model_copy(update={"at": []}) for group in found]
            logger.warning("takeover", extra={"job": job.subject, "found": [(g.outcome, g.indexes) for g in found]})
        take = Take(job=job.seq, worker=case.worker, redelivered=job.delivered > 1, found=tuple(found))
        await case.append(take, *([Advance(groups=tuple(before_restore))] if before_restore else []))
        if found or before_restore:
            forget(self.journals, case.ref.mailing, case.ref.n)
        if (index := dying_at(chunk)) is not None:
            await case.append(Park("workers die at this recipient", index))

    def _verdicts(self, case: Case, mailing: MailingGate | None) -> list[Group]:
        """Return what was decided from outside: doubts settled by the operator, a cancel, a deadline."""
        chunk = case.chunk
        groups: list[Group] = []
        for event_id, decision in mailing.decisions.items() if mailing else ():
            if decision.n != case.ref.n or event_id in chunk.causes:
                continue
            doubtful = [i for i in ranges.unpack(decision.indexes) if chunk.status[i] == Status.IN_DOUBT]
            if doubtful:
                outcome = "released" if decision.decision == "resend" else decision.decision
                groups.append(Group(outcome=outcome, indexes=ranges.pack(doubtful), cause=event_id))
        waiting = ranges.pack(chunk.having(Status.PENDING, Status.DEFERRED))
        if waiting and mailing is not None and mailing.cancelled:
            groups.append(Group(outcome="cancelled", indexes=waiting, cause=mailing.cancelled))
        elif waiting and case.plan.expires_at is not None and now() >= case.plan.expires_at:
            groups.append(Group(outcome="expired", indexes=waiting, cause=DEADLINE_PASSED))
        return groups

    async def _decided(self, case: Case, watch: Watch) -> None:
        await case.append(Advance(groups=tuple(self._verdicts(case, watch.mailing))))

    async def _send(self, watch: Watch, line: Line, composer: ChunkComposer) -> Done:
        case = watch.case
        if why := watch.closed():
            return Done(at_once=why in ENDED, at=watch.reopens())
        if not case.chunk.claimable(now(), 1):
            return Done(at=case.chunk.next_try)
        await self.suppression.cover(case.plan.checked)
        work = Work(case, watch, line, composer, self.means)
        rest: Rest = await work.run()
        if rest.why in ENDED:
            return Done(at_once=True)
        at = rest.at - LEAD if rest.at is not None and rest.why == PACING else rest.at
        dues = [due for due in (at, case.chunk.next_try) if due is not None]
        return Done(at=min(dues, default=None), trouble=rest.trouble, worked=rest.trouble is None)
