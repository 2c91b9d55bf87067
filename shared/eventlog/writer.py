"""Apply batches of commits to views in SQL: the changes of all views and their checkpoints in one transaction.

A transaction begins with the compare-and-set of the checkpoints, so an instance that lost the race has done no work.
A batch that a view cannot apply is given to each view on its own, and to the one that fails commit by commit: it pauses
where it fails, the others come to the end of the batch. Lost races and a database that is away are raised: the
caller reads the checkpoints again and repeats the batch, of which only what is not yet in the tables is applied.
"""

import logging
from collections.abc import Sequence
from dataclasses import replace
from itertools import groupby

from sqlalchemy.ext.asyncio import AsyncEngine

from shared.contracts.codec import Selection
from shared.database import create_tables, in_turn, is_away
from shared.eventlog import checkpoints
from shared.eventlog.checkpoints import Checkpoint
from shared.eventlog.views import View, problem_for, share_of, tables_of
from shared.steps import step

logger = logging.getLogger(__name__)


class LostRaceError(Exception):
    """Another instance moved a checkpoint first."""


class Writer:
    """The views of one database.

    Attributes:
        checkpoints: How far each view had come when it was last looked at or written.
        paused: Name of a view -> why this instance cannot go on with it.
    """

    def __init__(self, engine: AsyncEngine, views: Sequence[View]) -> None:
        self.checkpoints: dict[str, Checkpoint] = {}
        self.paused: dict[str, str] = {}
        self._engine = engine
        self._views = {view.name: view for view in views}

    def active(self) -> list[View]:
        """Return the views that go on."""
        return [view for name, view in self._views.items() if name not in self.paused]

    def hindmost(self) -> Checkpoint | None:
        """Return the least checkpoint of the views that go on, None if all are paused."""
        return min((self.checkpoints[view.name] for view in self.active()), key=lambda at: at.seq, default=None)

    async def prepare(self) -> None:
        """Create missing tables, read the checkpoints, and give paused views another chance."""
        await create_tables(self._engine, checkpoints.METADATA)
        self.paused.clear()
        await self.look()
        async with self._engine.begin() as conn:
            await in_turn(conn, "tables")
            for view in self._views.values():
                for table in tables_of(view):
                    await conn.run_sync(table.create, checkfirst=True)

    async def look(self) -> bool:
        """Read the checkpoints; return whether a paused view goes on.

        It does when it was resumed, or when somebody else got past the obstacle.
        """
        async with self._engine.begin() as conn:
            self.checkpoints = await checkpoints.load(conn, {view.name: view.version for view in self._views.values()})
        freed = [name for name in self.paused if self.checkpoints[name].state == "live"]
        for name in freed:
            logger.info("view %s goes on after seq %d", name, self.checkpoints[name].seq)
            del self.paused[name]
        return bool(freed)

    async def take(self, batch: Sequence[Selection]) -> None:
        """Bring all views that go on to the end of the batch, which is not empty and leaves out nothing they lack.

        Raises:
            LostRaceError: Another instance was faster.
            SQLAlchemyError: The database is away (`is_away`).
        """
        views = self.active()
        if not any(problem_for(view, item) for item in batch if item.problems for view in views):
            try:
                return await self._commit(views, batch)
            except Exception as error:
                if isinstance(error, LostRaceError) or is_away(error):
                    raise
                logger.warning("batch to seq %d: %r, trying view by view", batch[-1].commit.seq, error)
        for view in views:
            await self._take_alone(view, batch)
        return None

    async def _take_alone(self, view: View, batch: Sequence[Selection]) -> None:
        """Give one view all of the batch, or as much as it can apply."""
        good = batch if not any(problem_for(view, item) for item in batch) else ()
        try:
            await self._commit([view], good)
        except Exception as error:
            if isinstance(error, LostRaceError) or is_away(error):
                raise
            good = ()  # find the commit to blame by applying them one at a time, below
        for item in batch if not good else ():
            try:
                if problem := problem_for(view, item):
                    raise problem
                await self._commit([view], [item])
            except Exception as error:
                if isinstance(error, LostRaceError) or is_away(error):
                    raise
                await self._pause(view, item, error)
                return

    async def _pause(self, view: View, item: Selection, error: Exception) -> None:
        at = self.checkpoints[view.name]
        commit = item.commit
        reason = f"seq {commit.seq} on {commit.subject} (event {item.first_id}): {type(error).__name__}: {error}"
        logger.error("view %s pauses after seq %d: %s", view.name, at.seq, reason)
        async with self._engine.begin() as conn:
            await checkpoints.pause(conn, at, commit.seq, reason)
        self.paused[view.name] = reason

    async def _commit(self, views: Sequence[View], batch: Sequence[Selection]) -> None:
        """Apply to each view what it has not seen, in one transaction that begins with the compare-and-set."""
        moved: list[Checkpoint] = []
        async with self._engine.begin() as conn:
            for seq, group in groupby(sorted(views, key=self._seq_of), key=self._seq_of):
                unseen = [item for item in batch if item.commit.seq > seq]
                if not unseen:
                    continue
                members, last = list(group), unseen[-1]
                versions = [(view.name, view.version) for view in members]
                if not await checkpoints.advance(conn, versions, seq, last.commit.seq, last.first_id):
                    raise LostRaceError
                for view in members:
                    if share := share_of(view, unseen):
                        await view.apply(conn, share)
                    moved.append(replace(self.checkpoints[view.name], seq=last.commit.seq, event_id=last.first_id))
            step("batch.applied")
        self.checkpoints.update((checkpoint.name, checkpoint) for checkpoint in moved)

    def _seq_of(self, view: View) -> int:
        return self.checkpoints[view.name].seq
