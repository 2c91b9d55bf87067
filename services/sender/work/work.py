"""One job: work a chunk over one line, in windows, until nothing of it can go out now.

    pace -> render -> one append that settles the last claim and makes the next -> confirm -> send

While one half-window is on the wire the next is claimed, so no connection waits for an append; where many connections
are at work, whole windows follow each other instead (stride.py). Held here: a mail goes out only under a valid claim of
this worker (G2), after the log was asked for what forbids it (G4), and no further window starts while an outcome cannot
be recorded (G5). A worker that is fenced leaves everything as it is.
"""

import asyncio
import random
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from services.sender import metrics
from services.sender.chunks import settle
from services.sender.chunks.case import Case
from services.sender.chunks.decisions import Advance
from services.sender.journal.journal import Claim
from services.sender.limits.pacing import Later
from services.sender.mails.compose import ChunkComposer
from services.sender.smtp.errors import RelayError, RelayUnreachable
from services.sender.smtp.line import Line
from services.sender.smtp.window import Mail, Result
from services.sender.work.choice import Choice
from services.sender.work.flight import CLAIM_OVER, DOMAIN_FULL, SUSPENDED, Flight, Guard, Watch
from services.sender.work.means import Means
from services.sender.work.preparing import Prepared, prepare
from services.sender.work.slowing import Turns
from services.sender.work.spans import Attempt, Phases
from shared import tracing
from shared.clock import boot_seconds, now
from shared.contracts import ranges
from shared.contracts.sending import Group
from shared.steps import step

CLAIM_AHEAD = 0.5
"""Seconds before the first slot of a half-window at which it is claimed."""

PACING = "pacing"
"""Why a work rests whose next slot is far."""

MOMENT = 0.25
"""Seconds for which a work waits for room at a domain; others may have its connection if it takes longer.

Less than a turn (domains.py), so who waits for another chunk's connection never keeps its own.
"""

BARREN_CONNECTIONS = 3
"""So many connections in a row that ended without an answer, or with 421 alone: the relay is taken to be down."""


@dataclass(frozen=True, slots=True)
class Rest:
    """Why the work on a chunk ended and when it goes on.

    Attributes:
        why: "" when nothing is left to do now.
        at: When to come back, None where nobody knows.
        trouble: The relay failed us: the lane should rest.
    """

    why: str = ""
    at: datetime | None = None
    trouble: RelayError | None = None


@dataclass(slots=True)
class Work:
    """The work on one chunk that was taken up; `run` returns why it ended."""

    case: Case
    watch: Watch
    line: Line
    composer: ChunkComposer
    means: Means
    rest: Rest = field(default_factory=Rest)
    groups: list[Group] = field(default_factory=list)
    base: int = 0
    spent: list[Claim] = field(default_factory=list)
    barren: int = 0
    choice: Choice = field(init=False)
    attempt: Attempt = field(init=False)

    def __post_init__(self) -> None:
        """Begin the attempt."""
        self.choice = Choice(self.case, self.watch, self.line, self.composer, self.means)
        self.attempt = Attempt(self.case.ref)

    async def run(self) -> Rest:
        """Send what can go out now; every claim of this worker is settled when it returns.

        Raises:
            WrongVersionError: Fenced by another worker.
        """
        settled = False
        self.means.crowd.working += 1
        try:
            await self._work()
            settled = True
        finally:
            self.means.crowd.working -= 1
            self.choice.left()
            failed = not settled or self.rest.trouble is not None
            self.attempt.ended(failed=failed, takeovers=self.case.chunk.takeovers)
        return self.rest

    async def _work(self) -> None:
        while not self.rest.why:
            connected = await self._connect()
            coming = await self._claim() if connected else None
            while coming is not None and connected:
                coming = await self._fly(coming)
                connected = await self._connect() if coming is not None else connected
            if coming is not None:
                self._give_back(coming.claimed, coming.witness)
            await self._settle()
            if not self.case.chunk.claimable(now(), 1):
                break

    async def _connect(self) -> bool:
        try:
            await self.line.open()
        except RelayError as error:
            self.rest = Rest(f"relay: {error}", trouble=error)
            return False
        return True

    async def _fly(self, flight: Flight) -> Flight | None:
        """Send what was claimed; return the next claim, made meanwhile or after it, None when there is none."""
        ahead = asyncio.ensure_future(self._claim()) if self.choice.ahead else None
        try:
            results = await self._carry(flight)
            following = await ahead if ahead is not None else None
        finally:
            if ahead is not None and not ahead.done():  # this work ends by a fault: it claims nothing afterwards
                ahead.cancel()
                await asyncio.gather(ahead, return_exceptions=True)
        answered = any(result.code not in (0, 421) for result in results)
        broken = self.line.botched
        if broken:
            await self.line.close()
        self.barren = 0 if answered or not broken else self.barren + 1
        if self.barren >= BARREN_CONNECTIONS:
            trouble = RelayUnreachable("the relay drops connections")
            self.rest = Rest("relay drops connections", trouble=trouble)
        if following is not None and self.rest.why:
            self._give_back(following.claimed, following.witness)
            return None
        return following if following is not None or ahead is not None else await self._claim()

    async def _carry(self, flight: Flight) -> Sequence[Result]:
        """Send what was claimed and take in what came back."""
        flight.phases.wire = tracing.begin()
        began = boot_seconds()
        self.choice.wired = len(flight.claimed)
        results = await self.line.carry(flight.mails, flight.guard, flight.witness)
        self.choice.wired = 0
        self.line.each = (boot_seconds() - began) / len(flight.mails)
        step("window.answered")
        self.attempt.flown(flight.phases, len(flight.mails))
        self._collect(results)
        self.choice.landed(flight.claimed, flight.guard.begun)
        self.spent.append(flight.witness)
        await self.means.shaper.heard(self.case.ref, results, self.case.rows)
        self.case.rows.drop(flight.claimed)
        return results

    async def _claim(self) -> Flight | None:
        """Pace, render, settle and claim, confirm; None when nothing may be claimed now (`rest` may say why)."""
        while not self.rest.why:
            if why := self.watch.closed():
                self.rest = Rest(why, at=self.watch.reopens())
                break
            found = self.choice.turns()
            if not found.turns:
                if await self._comes_soon(found):
                    continue
                break
            indexes, slots = await self.choice.reserve(found.turns)
            asked = boot_seconds()
            if isinstance(slots, Later):
                self.rest = Rest(PACING, at=datetime.fromtimestamp(slots.at, UTC))
                break
            if slots is not None:
                indexes = indexes[: len(slots)]
                # A claim is young when its mail goes out: it is confirmed late, and it does not run out while waiting.
                ahead = max(CLAIM_AHEAD, self.means.pacing.lead)
                reserved = boot_seconds()
                await asyncio.sleep(slots[0].at - ahead - self.watch.server_now())
                asked += boot_seconds() - reserved
            prepared, skipped = await prepare(self.case, self.composer, self.means, indexes, slots)
            self.groups += skipped
            prepared = self.choice.admit(prepared)
            if not prepared.mails:
                await self._settle()
                continue
            flight = await self._claim_rendered(prepared)
            if slots is not None:
                self.means.pacing.took(boot_seconds() - asked)
            if flight is not None:
                return flight
        return None

    async def _comes_soon(self, found: Turns) -> bool:
        """Wait where a domain has room in a moment; else rest until it has, or until a suspension ends."""
        wait = None if found.due is None else found.due - self.watch.server_now()
        if wait is not None and wait <= MOMENT:
            await asyncio.sleep(wait)
            return True
        due = None if found.due is None else datetime.fromtimestamp(found.due, UTC)
        instants = [at for at in (due, found.reopens) if at is not None]
        if instants:
            soonest = min(instants)
            self.rest = Rest(DOMAIN_FULL if soonest == due else SUSPENDED, at=soonest)
        return False

    async def _claim_rendered(self, prepared: Prepared) -> Flight | None:
        """Claim and confirm; None when all were skipped, or nothing may go out after all."""
        indexes = list(prepared.mails)
        ref, chunk = self.case.ref, self.case.chunk
        valid_until = boot_seconds() + self.means.validity
        # Begun before the append, so that a claim cut off by death has its evidence: nothing was sent under it.
        witness = self.line.journal.begin(ref.mailing, ref.n, chunk.seq, indexes)
        step("claim.journalled")
        phases = Phases()
        await self._settle(prepared)
        step("claim.appended")
        phases.confirm = tracing.begin()
        metrics.claimed(len(indexes))
        try:
            await self.means.confirmation.confirmed(ref.mailing)
        except Exception as error:  # noqa: BLE001 - unconfirmed: nothing is sent, the claim is given back, the job rests
            self.rest = Rest(f"not confirmed: {error!r}", at=now() + timedelta(seconds=1))
        step("claim.confirmed")
        phases.ready = tracing.begin()
        if why := self.watch.closed():
            self.rest = Rest(why, at=self.watch.reopens())
        if self.rest.why:
            self._give_back(indexes, witness)
            return None
        watch = self.watch
        guard = Guard(
            *(watch, valid_until, prepared.slots, watch.gates.version, watch.suppression.version),
            timed=watch.timed,
            departs=self.choice.departs if self.choice.limits_domains else None,
        )
        send, skipped = self.watch.sift(indexes)
        self.groups += skipped
        if len(send) < len(indexes):
            self.choice.landed(set(indexes).difference(send))
        if not send:
            self.spent.append(witness)
            return None
        mails = [self._mail(index, prepared) for index in send]
        return Flight(send, mails, guard, witness, phases)

    def _mail(self, index: int, prepared: Prepared) -> Mail:
        not_before = None
        if prepared.slots:
            wait = prepared.slots[index].at - self.watch.server_now()
            not_before = asyncio.get_running_loop().time() + wait
        rendered = prepared.mails[index]
        return Mail(index, rendered.sender, rendered.recipient, rendered.message, not_before, rendered.mail_id)

    def _collect(self, results: Sequence[Result]) -> None:
        """Turn what came back into groups for the next commit."""
        chunk = self.case.chunk
        if not self.base:
            self.base = min((result.at_ms for result in results if result.at_ms), default=0)
        terms = settle.Terms(
            now=now(),
            addresses={result.index: self.case.rows[result.index].address for result in results},
            tries=chunk.tries,
            dates=chunk.dates,
            retry_for=self.case.plan.retry_for,
            back_off=self.means.back_off,
            jitter=random.random(),  # noqa: S311 - spreads load, guards nothing
            deadline=self.case.plan.expires_at,
        )
        self.groups += settle.groups(results, terms, self.base)
        if any(result.reason == CLAIM_OVER for result in results):
            self.choice.cap = max(2, self.choice.cap // 2)

    def _give_back(self, indexes: Sequence[int], witness: Claim) -> None:
        self.spent.append(witness)
        self.choice.landed(indexes)
        self.groups.append(Group(outcome="released", indexes=ranges.pack(indexes), until=self.rest.at))

    async def _settle(self, prepared: Prepared | None = None) -> None:
        """Append the groups at hand and, with them, the next claim; then their journal pages are done with."""
        groups, spent = tuple(self.groups), tuple(self.spent)
        mails = prepared.mails if prepared is not None else {}
        command = Advance(
            groups=groups,
            claim=tuple(mails),
            digests=b64encode(b"".join([mail.digest for mail in mails.values()])).decode(),
            date=prepared.date if prepared is not None else 0,
            host=self.line.relay if groups else "",
            base=self.base if any(group.at for group in groups) else 0,
        )
        await self.case.append(command)
        if groups:
            step("outcome.appended")
        self.attempt.settled(groups)
        del self.groups[: len(groups)], self.spent[: len(spent)]
        for witness in spent:
            witness.end()
            step("journal.ended")
        if not self.groups:
            self.base = 0
