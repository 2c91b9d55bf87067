"""Dry runs: every mail of a frozen audience is made by a sender, looked at, and not sent.

One runs at a time, of all planners. Chunk by chunk the rows are read as planning would read them, any sender makes the
mails (`Rehearsal`), and one short transaction holds what came of them with how far the run is, so a crash goes on where
it stopped and memory holds one chunk. While no sender answers it waits; what else fails is logged and tried again, and
the others go on. It fails as soon as the mailing is another one. Where the campaign asks for an approval the payloads
are kept, under the id of the run: what is approved is then sent with the data it was looked at with. At the end
DryRunFinished is appended, by which the plan names every single mail, and what runs before kept is erased.
"""

import asyncio
import contextlib
import logging
from base64 import b64decode, b64encode
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row as SqlRow
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from services.planner.audience.freezing import Freezer
from services.planner.audience.frozen_rows import PIECES
from services.planner.mailings import dry_run_facts as facts
from services.planner.mailings.dry_run_facts import DRY_RUNS, UNDER_WAY, Seen, merged
from services.planner.mailings.dry_run_keeping import Keeping, mailing_of
from services.planner.mailings.mailing import Mailing, MailingDecider, no_dry_run
from services.planner.mailings.orders import FinishDryRun
from services.planner.planning.chunks import CacheError, PayloadError, Planning, packed
from services.planner.planning.fan_out import Piece
from shared import clock
from shared.contracts import subjects
from shared.contracts.commands import Refusal, Rehearsal, Rehearsed
from shared.contracts.envelope import Origin
from shared.contracts.mailing import DryRunFinished
from shared.contracts.sending import MAIL_DIGEST_BYTES
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

Ask = Callable[..., Awaitable[bytes | None]]
"""Takes subject, body and `seconds`."""


class _EndedError(Exception):
    """The run cannot go on; the message says why."""


@dataclass(frozen=True, slots=True)
class Reach:
    """What dry runs work with; `ask` asks any sender and waits `patience` seconds."""

    engine: AsyncEngine
    log: EventLog
    freezer: Freezer
    planning: Planning
    keys: KeyRing
    ask: Ask
    patience: float


class DryRuns:
    """Begins dry runs and carries them out."""

    def __init__(self, reach: Reach) -> None:
        self._reach = reach
        self._reading = reading(reach.engine)
        self._wake = asyncio.Event()
        self.keeping = Keeping(reach.engine, reach.log, reach.planning)

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
        counts = {"recipients": state.audience.recipients, "chunks": state.audience.chunks}
        async with self._reach.engine.begin() as conn:
            stands, now = await facts.begin(conn, wanted | counts)
        self._wake.set()
        return {"mailing": mailing, "run": stands, "state": now}

    async def cancel(self, mailing: str) -> dict[str, Any] | None:
        """End the dry run of a mailing where it is not done; None where there is none."""
        async with self._reach.engine.begin() as conn:
            row = await facts.of(conn, mailing)
            if row is None:
                return None
            await facts.mark(conn, row, ("running",), state="cancelled")
            row = await facts.of(conn, mailing) or row
        return {"mailing": mailing, "run": row.run, "state": facts.shown(row.state)}

    async def run(self) -> None:
        """Carry out dry runs for ever, those first that a crash interrupted; of several planners one does it."""
        while True:
            self._wake.clear()
            try:
                await self._all()
            except (SQLAlchemyError, OSError) as error:  # away: it goes on where it is
                logger.warning("dry runs wait: %s", error)
            with contextlib.suppress(TimeoutError):  # who has the right may have died: look again
                async with asyncio.timeout(_LOOK_S):
                    await self._wake.wait()

    async def _all(self) -> None:
        """Carry out what is under way, until nothing is or one has to wait."""
        if not await self._under_way():
            return
        async with alone(self._reach.engine, "dry_runs") as ours:
            while ours and (mailings := await self._under_way()):
                if not all([await self._try(mailing) for mailing in mailings]):
                    await asyncio.sleep(_AGAIN_S)
                    return

    async def _try(self, mailing: str) -> bool:
        """Carry one out; False where it has to be tried again."""
        try:
            await self.carry_out(mailing)
        except (EventLogError, SQLAlchemyError, OSError, CacheError) as error:  # away: it goes on where it is
            logger.warning("a dry run waits: %s", error, extra={"mailing": mailing})
            return False
        except Exception:  # whatever it was, the others go on; this one is tried again
            logger.exception("a dry run could not go on", extra={"mailing": mailing})
            return False
        return True

    async def _under_way(self) -> list[str]:
        query = select(DRY_RUNS.c.mailing).where(DRY_RUNS.c.state.in_(UNDER_WAY)).order_by(DRY_RUNS.c.date)
        async with self._reading.connect() as conn:
            return list(await conn.scalars(query))

    async def carry_out(self, mailing: str) -> None:
        """Run one from where it stands to its end."""
        async with self._reading.connect() as conn:
            row = await facts.of(conn, mailing)
        if row is None or row.state not in UNDER_WAY:
            return
        try:
            await self._same(row)
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
        async with self._reading.connect() as conn:
            row = await facts.of(conn, mailing) or row
        await self.keeping.sweep(row)

    async def _same(self, row: SqlRow[Any]) -> Mailing:
        """Return the mailing, as the log has it: the facts may not know of its audience yet.

        Raises:
            _EndedError: It is not the one that the run is of.
        """
        state = await mailing_of(self._reach.log, row.mailing)
        frozen = state.audience.object if state.audience else ""
        if state.draft is None or (state.said, frozen) != (row.content, row.object):
            raise _EndedError("it was changed meanwhile")
        return state

    async def _rehearse(self, row: SqlRow[Any], audience: int) -> Seen:
        """Have senders make the mails of the next chunk; waits for them."""
        n, mailing = row.done, row.mailing
        state = await self._same(row)
        p = PIECES.c
        async with self._reading.connect() as conn:
            found = (await conn.execute(select(PIECES).where(p.audience == audience, p.n == n))).one_or_none()
        if found is None:
            raise CacheError(f"chunk {n} of mailing {mailing} is not at hand")
        piece = Piece(n, found.lane, found.size, found.zone, found.version)
        contents = state.contents(piece.version)
        _, rows = await self._reach.planning.rows(mailing, contents.values(), audience, piece)
        payload = await self._reach.planning.put(row.run, n, rows) if row.kept else packed(mailing, n, rows)
        came: dict[str, Rehearsed] = {}
        for letter, content in contents.items():
            wanted = Rehearsal(
                mailing=mailing,
                account=state.draft.account if state.draft else "",
                content=content,
                tracking=state.draft.tracking if state.draft else "off",
                token_key=self._reach.keys.active,
                n=n,
                date=row.date,
                first=0,
                until=0,
            )
            came[letter] = await self._made(row, wanted, payload.split(b"\n"))
        return merged(n, came)

    async def _made(self, row: SqlRow[Any], wanted: Rehearsal, lines: Sequence[bytes]) -> Rehearsed:
        """Have all mails of a chunk made, at a time as many as a sender has time for."""
        digests, sizes, causes = b"", list[int](), dict[int, str]()
        while len(sizes) < len(lines):
            came = await self._asked(row, wanted.model_copy(update={"first": len(sizes)}), lines[len(sizes) :])
            digests += b64decode(came.digests)
            sizes += came.sizes
            causes |= came.causes
        return Rehearsed(digests=b64encode(digests).decode(), sizes=sizes, causes=causes)

    async def _asked(self, row: SqlRow[Any], wanted: Rehearsal, lines: Sequence[bytes]) -> Rehearsed:
        payload = b"\n".join(lines)
        while True:
            until = clock.now().timestamp() + self._reach.patience
            body = wanted.model_copy(update={"until": until}).packed(payload)
            came = _read(await self._reach.ask(subjects.rehearsal(), body, seconds=self._reach.patience), len(lines))
            if not came.problem:
                return came
            if came.problem not in {NO_SENDER, "later"}:
                raise _EndedError(came.problem)
            async with self._reach.engine.begin() as conn:
                if not await facts.mark(conn, row, problem=came.problem):
                    raise _EndedError("it was ended meanwhile")
            await asyncio.sleep(_AGAIN_S)
            await self._same(row)

    async def _finish(self, row: SqlRow[Any]) -> None:
        async with self._reach.engine.begin() as conn:
            if not await facts.mark(conn, row, state="ending"):
                raise _EndedError("it was ended meanwhile")
            digest = await facts.digest_of_all(conn, row.mailing)
        step("dry_run.ending")
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
        step("dry_run.appended")
        async with self._reach.engine.begin() as conn:
            await facts.mark(conn, row, state="done", digest=digest, position=done.seq)
        step("dry_run.done")
        logger.info("dry run done", extra={"mailing": row.mailing, "mails": row.mails, "failed": row.failed})


def _read(raw: bytes | None, most: int) -> Rehearsed:
    """Return the answer of a sender; none, or one that is not about these mails, counts as no sender."""
    nobody = Rehearsed(problem=NO_SENDER)
    try:
        came = nobody if raw is None else Rehearsed.model_validate_json(raw)
        whole = len(b64decode(came.digests)) == len(came.sizes) * MAIL_DIGEST_BYTES
    except ValueError:  # a sender of another version: another one may answer
        return nobody
    return came if came.problem or (whole and 0 < len(came.sizes) <= most) else nobody
