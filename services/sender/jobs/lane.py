"""The jobs of one lane of an account: pulled when a line is free, worked, and settled with the queue.

A job is a hint. It is held only while its chunk is being sent or will be within seconds; else the chunk's timer is set
and the job is acked. It goes back for at most five seconds where another worker may still hold the chunk. While the
relay is down (the account's breaker) or the lane's provider is suspended, nothing is pulled; no mail is charged for it.
"""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from services.sender import metrics
from services.sender.gates.gates import AccountGate
from services.sender.jobs.attend import Attendant, Done
from services.sender.limits.connections import Connections
from services.sender.shaping.breaker import Breaker
from services.sender.smtp.errors import AuthFailed, RelayError, RelayRefused, TlsFailed
from services.sender.smtp.line import Line
from services.sender.work.flight import Draining
from shared.clock import now
from shared.contracts import subjects
from shared.contracts.consumers import JOB_CONSUMER
from shared.eventlog.errors import ConsumerGoneError, EventLogError, WrongVersionError
from shared.eventlog.pull import Pull, PullMessage, ensure_consumer
from shared.eventlog.store import EventLog
from shared.eventlog.timers import Timers
from shared.messaging.parking import park
from shared.steps import step

logger = logging.getLogger(__name__)

GIVE_BACK = 5.0
TRIES = 3
"""Deliveries of a job that fails by a fault of ours before it is parked."""
PATIENCE = 2.0
TRIAL = 0.2
"""Seconds a lane waits for a job with which to try a relay that was down; then another lane may."""

PauseAccountOf = Callable[[str, str], Awaitable[None]]


@dataclass(slots=True)
class Lane:
    """One lane of an account in this process."""

    log: EventLog
    account: AccountGate
    lane: str
    new_line: Callable[[], Line]
    most_lines: Callable[[], int]
    connections: Connections
    attendant: Attendant
    timers: Timers
    draining: Draining
    pause_account: PauseAccountOf
    ack_wait: float
    breaker: Breaker
    held: dict[int, PullMessage] = field(default_factory=dict)
    rests_until: float = 0.0
    lines: list[Line] = field(default_factory=list)
    tasks: set[asyncio.Task[None]] = field(default_factory=set)

    async def run(self) -> None:
        """Pull and work until the process drains; then wait until every held job is settled."""
        durable = subjects.job_consumer(self.account.account, self.lane)
        free: asyncio.Queue[Line] = asyncio.LifoQueue()  # the line that just worked first: its connection is open
        beat = asyncio.create_task(self._beat())
        pull: Pull | None = None
        while not self.draining.asked:
            if not self._may():
                await asyncio.sleep(0.1)
                continue
            line = await self._line(free)
            if line is None or not self._may():
                if line is not None:
                    free.put_nowait(line)
                continue
            trial = self.breaker.begin()
            try:
                pull = pull or await self._pull(durable)
                jobs = await pull.fetch(1, TRIAL if trial else PATIENCE)
            except (ConsumerGoneError, EventLogError) as error:
                # The consumer was deleted with its stream, or the server is away: make it anew, after a moment.
                logger.warning("job consumer lost: %s", error, extra={"durable": durable})
                pull, jobs = None, []
                await asyncio.sleep(1)
            if not jobs:
                free.put_nowait(line)
                if trial:
                    self.breaker.let_go()
                    await asyncio.sleep(2 * TRIAL)
                continue
            self.held[jobs[0].consumer_seq] = jobs[0]
            if not await self.connections.enter(self.lane, line):
                await self._elsewhere(jobs[0], trial=trial)
                free.put_nowait(line)
                continue
            task = asyncio.create_task(self._work(jobs[0], line, free, trial=trial))
            self.tasks.add(task)
            task.add_done_callback(self.tasks.discard)
        await asyncio.gather(*self.tasks)
        beat.cancel()
        for line in self.lines:
            await line.close()
            line.journal.close()

    async def _line(self, free: asyncio.Queue[Line]) -> Line | None:
        """Return a line that has nothing to do, None while all are at work; perhaps more are allowed later."""
        if free.empty() and len(self.lines) < self.most_lines():
            self.lines.append(self.new_line())
            free.put_nowait(self.lines[-1])
        try:
            return await asyncio.wait_for(free.get(), PATIENCE)
        except TimeoutError:
            return None

    def _may(self) -> bool:
        """Tell whether work may be begun."""
        time = asyncio.get_running_loop().time()
        if self.account.paused or time < self.rests_until or not self.breaker.may(time):
            return False
        return not self.account.suspended or self.account.held(self.lane, now()) is None

    async def _pull(self, durable: str) -> Pull:
        config = JOB_CONSUMER | {
            "durable_name": durable,
            "filter_subject": subjects.jobs_of(self.account.account, self.lane),
            "ack_wait": int(self.ack_wait * 1e9),
        }
        await ensure_consumer(self.log.nc, subjects.JOBS, config)
        return Pull(self.log.nc, subjects.JOBS, durable)

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(self.ack_wait / 3)
            for job in list(self.held.values()):
                try:
                    await job.in_progress()
                except Exception as error:  # noqa: BLE001 - disconnected: the next beat, or the takeover, settles it
                    logger.warning("no heartbeat: %s", error, extra={"job": job.subject})

    async def _elsewhere(self, job: PullMessage, *, trial: bool) -> None:
        """Give a job back to whoever has a connection for it, and leave others the next ones for a moment."""
        self.held.pop(job.consumer_seq, None)
        if trial:
            self.breaker.let_go()
        self.rests_until = asyncio.get_running_loop().time() + 1
        try:
            await job.nak(0.5)
        except Exception as error:  # noqa: BLE001 - disconnected: it comes back after its time
            logger.info("job not given back: %s", error, extra={"job": job.subject})

    async def _work(self, job: PullMessage, line: Line, free: asyncio.Queue[Line], *, trial: bool) -> None:
        step("job.pulled")
        try:
            await self._finish(job, await self.attendant.attend(job, line))
        except WrongVersionError as error:
            # Fenced: the chunk belongs to another worker now, and so does the job.
            logger.info("fenced: %s", error, extra={"job": job.subject})
            await line.close()
        except Exception as error:
            # Nothing is known to be settled: the job goes back, its chunk's events say what is left to do.
            logger.exception("job goes back", extra={"job": job.subject, "delivered": job.delivered})
            await line.give_up()
            await self._failed(job, error)
        finally:
            self.held.pop(job.consumer_seq, None)
            if trial:
                self.breaker.let_go()
            await self.connections.leave(line)
            free.put_nowait(line)

    async def _failed(self, job: PullMessage, error: Exception) -> None:
        """Give the job back; when it failed too often, and not for the log, park a pointer to its plan and ack."""
        if job.delivered < TRIES or isinstance(error, EventLogError):
            await job.nak(GIVE_BACK)
            return
        ref = subjects.ChunkRef.of_job(job.subject)
        plan = await self.log.last_seq(subjects.plan(ref.mailing, ref.account, ref.lane, ref.n))
        await park(self.log.nc, "sender", "jobs", subjects.EVENTS, plan, f"{ref.mailing}.{ref.n}: {error!r}")
        await job.ack()

    async def _finish(self, job: PullMessage, done: Done) -> None:
        """Settle the job with the queue: timer first, then ack, so that a crash between costs one more job."""
        if done.back_in is not None:
            await job.nak(min(done.back_in, GIVE_BACK))
            return
        ref = subjects.ChunkRef.of_job(job.subject)
        at = done.at
        if done.trouble is not None:
            at = await self._trouble(done.trouble)
        elif done.worked:
            self.breaker.worked()
            metrics.worked(self.account.account, self.lane)
        if done.at_once:
            await self.timers.fire(ref.due_retry)
        elif at is not None:
            await self.timers.arm(ref.retry_timer, ref.due_retry, max(at, now()))
            step("timer.armed")
        await job.ack()
        step("job.acked")

    async def _trouble(self, trouble: RelayError) -> datetime | None:
        """Open the breaker, or pause the account where the relay refuses it as a whole; return when to come back."""
        if isinstance(trouble, AuthFailed | TlsFailed | RelayRefused):
            await self.pause_account(self.account.account, f"{type(trouble).__name__}: {trouble}")
            return None
        metrics.trouble(self.account.account, self.lane)
        rest = self.breaker.failed(asyncio.get_running_loop().time(), random.random())  # noqa: S311 - spreads load
        logger.warning(
            "lane rests %.1f s: %s", rest, trouble, extra={"account": self.account.account, "lane": self.lane}
        )
        return now() + timedelta(seconds=rest)
