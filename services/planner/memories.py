"""What the planner's database remembers of the log, and what other services said they remember of another one.

The facts' checkpoint says how far the database has come and which event stands there; one row here adds the incarnation
of the log it came from. A row of another service is a report: it remembers something else, and is gone once the log it
remembers is this one again or an operator confirmed.
"""

from dataclasses import dataclass, field

from sqlalchemy import BigInteger, Column, String, Table, delete, func, select
from sqlalchemy.ext.asyncio import AsyncEngine

from services.planner import facts
from services.planner.audience.outcome_facts import OutcomeFacts
from services.planner.audience.outcomes import FRESH, RESULTS
from services.planner.board import MARKS
from services.planner.intake.imports import IMPORTS
from services.planner.planning.copies import COPIED
from services.planner.schema import METADATA, insert
from services.planner.statuses import standing
from services.planner.statuses.setting import MARKS as STATUS_MARKS
from services.planner.statuses.status_facts import StatusFacts
from shared.database import reading
from shared.eventlog import checkpoints
from shared.eventlog.checkpoints import Checkpoint
from shared.eventlog.incarnation import Memory

MEMORIES = Table(
    "log_memories",
    METADATA,
    Column("who", String(64), primary_key=True),
    Column("incarnation", String(64), nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("event_id", String(128), nullable=False),
)
_OWN = "planner"


@dataclass(frozen=True, slots=True)
class Known:
    """What this database remembers.

    Attributes:
        memory: Of the log; its incarnation is "" where none was noted yet.
        imports: How many imports it knows: they are in no log.
        reports: What other services remember, by name.
    """

    memory: Memory
    imports: int
    reports: dict[str, Memory] = field(default_factory=dict)


class Memories:
    """The rows of one database."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def known(self) -> Known:
        """Return all of it as it stands now."""
        async with reading(self._engine).connect() as conn:
            rows = {
                row.who: Memory(row.incarnation, row.seq, row.event_id) for row in await conn.execute(select(MEMORIES))
            }
            at = await checkpoints.read(conn, facts.Facts.name)
            imports = int(await conn.scalar(select(func.count()).select_from(IMPORTS)) or 0)
        own = rows.pop(_OWN, None)
        here = at or Checkpoint(facts.Facts.name, facts.Facts.version)
        return Known(Memory(own.incarnation if own else "", here.seq, here.event_id), imports, rows)

    async def adopt(self, incarnation: str) -> None:
        """Remember that the database goes by the log of this name."""
        await self.report(_OWN, Memory(incarnation))

    async def report(self, who: str, memory: Memory) -> None:
        """Note what somebody remembers."""
        async with self._engine.begin() as conn:
            statement = insert(conn, MEMORIES).values(who=who, **memory.plain())
            changed = {name: statement.excluded[name] for name in memory.plain()}
            await conn.execute(statement.on_conflict_do_update(index_elements=["who"], set_=changed))

    async def forget(self, who: str) -> None:
        """Drop a report."""
        async with self._engine.begin() as conn:
            await conn.execute(delete(MEMORIES).where(MEMORIES.c.who == who))

    async def begin_again(self) -> None:
        """Empty the facts, which hold what another log said: they are made anew from this one."""
        async with self._engine.begin() as conn:
            beside = (*OutcomeFacts.tables, RESULTS, FRESH, *StatusFacts.tables, STATUS_MARKS)
            for table in (*facts.TABLES, MARKS, COPIED, *beside):
                await conn.execute(delete(table))
            await standing.forget_seen(conn)
            for view in (facts.Facts, OutcomeFacts, StatusFacts):
                await checkpoints.put(conn, Checkpoint(view.name, view.version))
