"""Make a view anew from the log beside the live one, compare the two, and switch (G9).

The view is computed into an SQLite file of its own (`<database>.rebuild-<view>`) with the same code and table names,
whatever database the live one is in, while the live projector goes on. Where the live tables are of the same version
and not paused, the new ones stop at the live checkpoint and the rows of both are compared; equal means that nothing
has to be done. Else one transaction puts the new rows and their checkpoint in place of the old; a running projector
sees its checkpoint moved and goes on behind it. A rebuild that was interrupted goes on where it was; one of another
version, or of another log, begins anew.
"""

import hashlib
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from sqlalchemy import Table, select, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from shared.database import create_tables, open_engine, reading
from shared.eventlog import checkpoints, switch
from shared.eventlog.errors import EventLogError, LogBehindViewError, ViewOutdatedError
from shared.eventlog.store import EventLog
from shared.eventlog.tail import Tail, check_history
from shared.eventlog.views import View, names_of, tables_of
from shared.eventlog.views import select as select_events
from shared.eventlog.writer import Writer

logger = logging.getLogger(__name__)

_BATCH = 2000
_ROWS = 2000
_CHASES = 30
_CHASE_LOCKED = 500
_SILENT = 5.0
_MODULUS = 2**128


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """What a rebuild found.

    Attributes:
        seq: Position of the new tables.
        rows: Rows in them.
        digest: Their hash.
        live_digest: Hash of the live tables at the same position, "" where they were not comparable.
        switched: Whether the new rows took the place of the old.
    """

    view: str
    seq: int
    rows: int
    digest: str
    live_digest: str
    switched: bool


async def table_hash(conn: AsyncConnection, tables: Sequence[Table]) -> str:
    """Return a hash of all rows of the tables, whatever their order."""
    return (await _digest(conn, tables))[0]


async def _digest(conn: AsyncConnection, tables: Sequence[Table]) -> tuple[str, int]:
    total = count = 0
    for table in tables:
        columns = sorted(table.columns, key=lambda column: column.name)
        rows = await conn.stream(select(*columns).execution_options(yield_per=_ROWS))
        async for row in rows:
            line = repr((table.name, *row)).encode()
            total += int.from_bytes(hashlib.blake2b(line, digest_size=16).digest())
            count += 1
    return f"{total % _MODULUS:032x}", count


async def rebuild(
    log: EventLog,
    engine: AsyncEngine,
    view: View,
    *,
    filters: Sequence[str],
    folder: Path | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Rebuilt:
    """Rebuild `view`, whose live tables are in `engine`, from what matches `filters` (those of its projector).

    The new tables are a file in `folder`; where the live ones are a file, too, by default beside it. `progress` is told
    the position and how many commits are still to come.

    Raises:
        EventLogError: The view cannot be computed, or does not catch up with the live one.
    """
    path = _path(engine, view, folder)
    shadow = open_engine(f"sqlite:///{path}")
    try:
        job = _Rebuild(log, engine, view, list(filters), shadow, progress)
        rebuilt = await job.run(path)
    finally:
        await shadow.dispose()
    _remove(path)
    return rebuilt


def _remove(path: str) -> None:
    for suffix in ("", "-wal", "-shm"):
        Path(f"{path}{suffix}").unlink(missing_ok=True)


def _path(engine: AsyncEngine, view: View, folder: Path | None) -> str:
    name = Path(engine.url.database or "views")
    if folder is None:
        if engine.dialect.name != "sqlite":
            raise EventLogError("a rebuild needs a folder for its file")
        folder = name.parent
    return str(folder / f"{name.name}.rebuild-{view.name}")


@dataclass(slots=True)
class _Rebuild:
    log: EventLog
    live: AsyncEngine
    view: View
    filters: list[str]
    shadow: AsyncEngine
    progress: Callable[[int, int], None] | None

    async def run(self, path: str) -> Rebuilt:
        writer = await self._begin()
        target, live_digest = await self._live_state(writer.checkpoints[self.view.name].seq)
        await self._read(writer, target)
        digest, rows = await self._hash_of(self.shadow)
        switched = digest != live_digest
        if switched:
            logger.info("view %s: %s live, %s rebuilt", self.view.name, live_digest or "nothing comparable", digest)
            for _ in range(_CHASES):
                if await self._switch(writer, path):
                    break
            else:
                raise EventLogError(f"the rebuild of {self.view.name} does not catch up with the live view")
            digest, rows = await self._hash_of(self.shadow)
        seq = writer.checkpoints[self.view.name].seq
        return Rebuilt(self.view.name, seq, rows, digest, live_digest, switched=switched)

    async def _begin(self) -> Writer:
        """Return the writer of the new tables: those of an interrupted rebuild, or empty ones."""
        writer = Writer(self.shadow, [self.view])
        try:
            await writer.prepare()
            at = writer.checkpoints[self.view.name]
            await check_history(self.log, at.seq, at.event_id)
        except (ViewOutdatedError, LogBehindViewError) as error:  # left over from something else: begin anew
            logger.info("rebuild of %s begins anew: %s", self.view.name, error)
            async with self.shadow.begin() as conn:
                await conn.run_sync(checkpoints.METADATA.drop_all)
                for table in reversed(tables_of(self.view)):
                    await conn.run_sync(table.drop, checkfirst=True)
            await writer.prepare()
        return writer

    async def _live_state(self, done: int) -> tuple[int, str]:
        """Return how far to read, and the hash of the live tables there, "" if the two cannot be compared."""
        await create_tables(self.live, checkpoints.METADATA)
        async with reading(self.live).connect() as conn:
            at = await checkpoints.read(conn, self.view.name)
            if at and at.version == self.view.version and at.state == "live" and at.seq >= done:
                return at.seq, await table_hash(conn, tables_of(self.view))
        return max([await self.log.last_seq(subject_filter) for subject_filter in self.filters]), ""

    async def _hash_of(self, engine: AsyncEngine) -> tuple[str, int]:
        async with reading(engine).connect() as conn:
            return await _digest(conn, tables_of(self.view))

    async def _read(self, writer: Writer, target: int) -> None:
        """Bring the new tables to `target` exactly."""
        at = writer.checkpoints[self.view.name]
        names = names_of([self.view])
        name = f"rebuild-{self.view.name}"
        tail = Tail(self.log, self.filters, name=name, after=at.seq, event_id=at.event_id)
        try:
            while tail.position < target:
                messages = await tail.read(_BATCH, _SILENT)
                batch = [select_events(message, names) for message in messages if message.seq <= target]
                if batch:
                    await writer.take(batch)
                elif not messages and max([await self.log.last_seq(part) for part in self.filters]) <= tail.position:
                    return
                if writer.paused:
                    raise EventLogError(f"view {self.view.name} cannot be computed: {writer.paused[self.view.name]}")
                if self.progress is not None:
                    self.progress(tail.position, tail.pending)
        finally:
            await tail.close()

    async def _switch(self, writer: Writer, path: str) -> bool:
        """Put the new rows in place of the live ones in one transaction; False if the live view is too far ahead."""
        async with switch.opened(self.live, path) as conn:
            await conn.execute(update(checkpoints.CHECKPOINTS).values(seq=checkpoints.CHECKPOINTS.c.seq))  # the lock
            live = await checkpoints.read(conn, self.view.name)
            behind = live.seq - writer.checkpoints[self.view.name].seq if live else 0
            if behind > _CHASE_LOCKED:
                await conn.rollback()
                await self._read(writer, live.seq if live else 0)
                return False
            if live and behind > 0:
                await self._read(writer, live.seq)
            same_version = live is not None and live.version == self.view.version
            await switch.put_in_place(conn, self.shadow, tables_of(self.view), same_version=same_version)
            at = replace(writer.checkpoints[self.view.name], state="live", reason="", failed_seq=0)
            await checkpoints.put(conn, at)
            await conn.commit()
            return True
