"""Dry runs: every mail of a frozen audience is made by a sender, looked at, and not sent.

One runs at a time, of all planners. Chunk by chunk the rows are read as planning would read them, any sender makes the
mails (`Rehearsal`), and one short transaction holds what came of them with how far the run is, so a crash goes on where
it stopped and memory holds one chunk. While no sender answers it waits. Where the campaign asks for an approval the
payloads are kept, under the id of the run: what is approved is then sent with the data it was looked at with.
At the end DryRunFinished is appended, by which the plan names every single mail.
"""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import orjson
from pydantic import ValidationError
from sqlalchemy import Row as SqlRow
from sqlalchemy import select, update
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from services.planner.audience.freezing import Freezer
from services.planner.audience.frozen_rows import PIECES
from services.planner.board import Board
from services.planner.mailings import dry_run_facts as facts
from services.planner.mailings.dry_run_facts import DRY_RUNS, Seen, merged
from services.planner.mailings.mailing import FINAL, Mailing, MailingDecider, no_dry_run
from services.planner.mailings.orders import FinishDryRun
from services.planner.planning.chunks import CacheError, PayloadError, Planning
from services.planner.planning.fan_out import Piece
from shared import clock
from shared.contracts import subjects
from shared.contracts.commands import Refusal, Rehearsal, Rehearsed
from shared.contracts.content import encode_rows
from shared.contracts.envelope import Origin
from shared.contracts.mailing import DryRunFinished
from shared.database import alone, reading
from shared.eventlog.errors import EventLogError
from shared.eventlog.handling import handle
from shared.eventlog.store import EventLog
from shared.ids import derived_id
from shared.keys import KeyRing
from shared.steps import step

logger = logging.getLogger(__name__)

_LOOK_S = 1.0
_AGAIN_S = 1.0
NO_SENDER = "no_sender"

Ask = Callable[[str, bytes], Awaitable[bytes | None]]


class _EndedError(Exception):
    """The run cannot go on; the message says why."""


@dataclass(frozen=True, slots=True)
class Reach:
    """What dry runs work with; `ask` asks any sender."""

    engine: AsyncEngine
    log: EventLog
    board: Board
    freezer: Freezer
    planning: Planning
    keys: KeyRing
    ask: Ask


class DryRuns:
    """Begins dry runs and carries them out."""

    def __init__(self, reach: Reach) -> None:
        self._reach = reach
        self._reading = reading(reach.engine)
        self._wake = asyncio.Event()

    async def begin(
        self, mailing: str, state: Mailing, act: tuple[str, str], *, kept: bool
    ) -> dict[str, Any] | Refusal:
        """Begin a dry run, unless one of exactly this goes on; `act`: the id of the new one, and who asks."""
        refusal = no_dry_run(state)
        if refusal is not None or state.draft is None or state.audience is None:
            return refusal or Refusal(code="mailing_unknown", message="There is no such mailing.", field="mailing")
        run, principal = act
        wanted: dict[str, Any] = {
            "mailing": mailing,
            "run": run,
            "object": state.audience.object,
            "content": state.said,
        }
        wanted |= {"principal": principal, "kept": kept, "date": int(clock.now().timestamp())}
        async with self._reach.engine.begin() as conn:
            before = await facts.of(conn, mailing)
            same = before is not None and all(getattr(before, name) == wanted[name] for name in ("object", "content"))
            if before is not None and (before.run == run or (same and before.state == "running")):
                return {"mailing": mailing, "run": before.run, "state": before.state}
            counts = {"recipients": state.audience.recipients, "chunks": state.audience.chunks}
            await facts.begin(conn, wanted | counts)
        self._wake.set()
        return {"mailing": mailing, "run": run, "state": "running"}

    async def cancel(self, mailing: str) -> dict[str, Any] | None:
        """End the dry run of a mailing where it is not done; None where there is none."""
        async with self._reach.engine.begin() as conn:
            row = await facts.of(conn, mailing)
            if row is None:
                return None
            await facts.mark(conn, row, state="cancelled")
            row = await facts.of(conn, mailing) or row
        return {"mailing": mailing, "run": row.run, "state": row.state}

    async def run(self) -> None:
        """Carry out dry runs for ever, those first that a crash interrupted; of several planners one does it."""
        while True:
            self._wake.clear()
            try:
                if await self._next():
                    async with alone(self._reach.engine, "dry_runs") as ours:
                        while ours and (mailing := await self._next()):
                            await self.carry_out(mailing)
            except (EventLogError, SQLAlchemyError, OSError, CacheError) as error:  # away: it goes on where it is
                logger.warning("a dry run waits: %s", error)
                await asyncio.sleep(_AGAIN_S)
            with contextlib.suppress(TimeoutError):  # who has the right may have died: look again
                async with asyncio.timeout(_LOOK_S):
                    await self._wake.wait()

    async def _next(self) -> str | None:
        async with self._reading.connect() as conn:
            return await conn.scalar(select(DRY_RUNS.c.mailing).where(DRY_RUNS.c.state == "running").limit(1))

    async def carry_out(self, mailing: str) -> None:
        """Run one from where it stands to its end."""
        async with self._reading.connect() as conn:
            row = await facts.of(conn, mailing)
        if row is None or row.state != "running":
            return
        await self._erase_old(row)
        try:
            audience = await self._reach.freezer.ensure_cached(mailing, row.object)
            while row.done < row.chunks:
                seen = await self._rehearse(row, audience)
                async with self._reach.engine.begin() as conn:
                    if not await facts.add(conn, row, seen):
                        return  # cancelled, begun anew, or another planner does it
                step("dry_run.chunk")
                async with self._reading.connect() as conn:
                    row = await facts.of(conn, mailing) or row
            await self._finish(row)
        except (_EndedError, PayloadError) as error:
            logger.warning("a dry run failed: %s", error, extra={"mailing": mailing})
            async with self._reach.engine.begin() as conn:
                await facts.mark(conn, row, state="failed", problem=str(error))

    async def _rehearse(self, row: SqlRow[Any], audience: int) -> Seen:
        """Have a sender make the mails of the next chunk; waits for a sender."""
        n, mailing = row.done, row.mailing
        state = await self._state(mailing)
        frozen = state.audience.object if state.audience else ""
        if state.draft is None or (state.said, frozen) != (row.content, row.object):
            raise _EndedError("it was changed meanwhile")
        p = PIECES.c
        async with self._reading.connect() as conn:
            found = (await conn.execute(select(PIECES).where(p.audience == audience, p.n == n))).one_or_none()
        if found is None:
            raise CacheError(f"chunk {n} of mailing {mailing} is not at hand")
        piece = Piece(n, found.lane, found.size, found.zone, found.version)
        contents = state.contents(piece.version)
        _, rows = await self._reach.planning.rows(mailing, contents.values(), audience, piece)
        payload = await self._reach.planning.put(row.run, n, rows) if row.kept else encode_rows(rows)[0]
        came: dict[str, Rehearsed] = {}
        for letter, content in contents.items():
            wanted = Rehearsal(
                mailing=mailing,
                account=state.draft.account,
                content=content,
                tracking=state.draft.tracking,
                token_key=self._reach.keys.active,
                n=n,
                date=row.date,
            )
            came[letter] = await self._asked(row, wanted.packed(payload))
        return merged(n, came)

    async def _state(self, mailing: str) -> Mailing:
        """Return a mailing as the log has it: the facts may not know of its audience yet."""
        decider, state = MailingDecider(), Mailing()
        for commit in await self._reach.log.load(subjects.mailing(mailing)):
            for record in commit.events:
                state = decider.evolve(state, record.event)
        return state

    async def _asked(self, row: SqlRow[Any], body: bytes) -> Rehearsed:
        while True:
            raw = await self._reach.ask(subjects.rehearsal(), body)
            try:
                came = Rehearsed(problem=NO_SENDER) if raw is None else Rehearsed.model_validate_json(raw)
            except ValidationError:  # a sender of another version: another one may answer
                came = Rehearsed(problem=NO_SENDER)
            if not came.problem:
                return came
            if came.problem not in {NO_SENDER, "later"}:
                raise _EndedError(came.problem)
            async with self._reach.engine.begin() as conn:
                if not await facts.mark(conn, row, problem=came.problem):
                    raise _EndedError("it was ended meanwhile")
            await asyncio.sleep(_AGAIN_S)

    async def _finish(self, row: SqlRow[Any]) -> None:
        async with self._reading.connect() as conn:
            digest = await facts.digest_of_all(conn, row.mailing)
        finished = DryRunFinished(
            run=row.run,
            object=row.object,
            content=row.content,
            date=row.date,
            digest=digest,
            mails=row.mails,
            failed=row.failed,
            bytes=row.bytes,
            largest=row.largest,
            kept=row.kept,
        )
        command = derived_id("dry_run", row.run, length=20)
        origin = Origin(command, "planner", clock.now(), correlation_id=row.mailing, principal=row.principal)
        subject = subjects.mailing(row.mailing)
        done = await handle(self._reach.log, MailingDecider(), subject, FinishDryRun(finished), origin)
        if isinstance(done, Refusal):
            raise _EndedError(done.message)
        async with self._reach.engine.begin() as conn:
            await facts.mark(conn, row, state="done", digest=digest, position=done.seq)
        logger.info("dry run done", extra={"mailing": row.mailing, "mails": row.mails, "failed": row.failed})

    async def _erase_old(self, row: SqlRow[Any]) -> None:
        """Erase what runs before this one kept."""
        for run, chunks in orjson.loads(row.old):
            await self._erase(run, chunks)
        async with self._reach.engine.begin() as conn:
            await facts.mark(conn, row, old="[]")

    async def _erase(self, run: str, chunks: int) -> None:
        for n in range(chunks):
            await self._reach.planning.erase(run, n)

    async def tidy(self) -> int:
        """Erase what is kept and no longer stands for a plan; return of how many runs."""
        d, swept = DRY_RUNS.c, 0
        async with self._reading.connect() as conn:
            rows = (await conn.execute(select(DRY_RUNS).where(d.kept.is_(True), d.state != "running"))).all()
        for row in rows:
            fact = await self._reach.board.mailing(row.mailing)
            run = fact.state.dry_run if fact is not None else None
            if fact is not None and fact.state.status not in FINAL and run is not None and run.run == row.run:
                continue
            await self._erase(row.run, row.chunks)
            for before, chunks in orjson.loads(row.old):
                await self._erase(before, chunks)
            async with self._reach.engine.begin() as conn:
                here = (d.mailing == row.mailing) & (d.run == row.run)
                await conn.execute(update(DRY_RUNS).where(here).values(kept=False, old="[]"))
            swept += 1
        return swept
