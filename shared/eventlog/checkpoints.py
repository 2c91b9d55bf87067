"""How far each view has come, kept in the same database and moved in the same transaction as the view.

A checkpoint moves only by compare-and-set on (name, version, sequence): of two that apply the same commits one wins and
the other rolls back, so every commit is in the tables exactly once, whatever was delivered how often. The id of the
event at the checkpoint shows whether the log is still the one the view was made from. `paused` is a report, not a lock:
who can apply the next commit goes on and thereby clears it.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

from sqlalchemy import (
    BigInteger,
    Column,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    bindparam,
    insert,
    select,
    tuple_,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.database import in_turn
from shared.eventlog.errors import ViewOutdatedError

METADATA = MetaData()
CHECKPOINTS = Table(
    "checkpoints",
    METADATA,
    Column("name", String(64), primary_key=True),
    Column("version", Integer, nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("event_id", String(128), nullable=False),
    Column("state", String(8), nullable=False),
    Column("reason", Text, nullable=False),
    Column("failed_seq", BigInteger, nullable=False),
)
_C = CHECKPOINTS.c
_ADVANCE = (
    update(CHECKPOINTS)
    .where(tuple_(_C.name, _C.version).in_(bindparam("views", expanding=True)), _C.seq == bindparam("old"))
    .values(seq=bindparam("new"), event_id=bindparam("first"), state="live", reason="", failed_seq=0)
)


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """How far a view has come.

    Attributes:
        seq: Sequence of the last commit it has taken into account, 0 before the first.
        event_id: Id of the first event of that commit.
        state: `paused` when some process could not apply the commit at `failed_seq`, for `reason`.
    """

    name: str
    version: int
    seq: int = 0
    event_id: str = ""
    state: Literal["live", "paused"] = "live"
    reason: str = ""
    failed_seq: int = 0


async def load(conn: AsyncConnection, versions: dict[str, int]) -> dict[str, Checkpoint]:
    """Return the checkpoints of the views in `versions`, by name; those that had none begin at 0.

    Raises:
        ViewOutdatedError: A view's tables are of another version.
    """
    found = await _found(conn, versions)
    if len(found) < len(versions):
        await in_turn(conn, "checkpoints")
        found = await _found(conn, versions)
    for name, version in versions.items():
        if name not in found:
            found[name] = Checkpoint(name, version)
            await put(conn, found[name])
        elif found[name].version != version:
            raise ViewOutdatedError(
                f"view {name} has tables of version {found[name].version}, this program computes version {version}: "
                f"rebuild it"
            )
    return found


async def _found(conn: AsyncConnection, names: Collection[str]) -> dict[str, Checkpoint]:
    rows = await conn.execute(select(CHECKPOINTS).where(_C.name.in_(names)))
    return {row.name: Checkpoint(*row) for row in rows}


async def read(conn: AsyncConnection, name: str) -> Checkpoint | None:
    """Return the checkpoint of a view as it is, whatever its version."""
    row = (await conn.execute(select(CHECKPOINTS).where(_C.name == name))).one_or_none()
    return Checkpoint(*row) if row else None


async def advance(conn: AsyncConnection, views: Collection[tuple[str, int]], old: int, new: int, event_id: str) -> bool:
    """Move the checkpoints of `views` (name, version) from `old` to `new`; False if one of them was not at `old`."""
    moved = {"views": list(views), "old": old, "new": new, "first": event_id}
    return (await conn.execute(_ADVANCE, moved)).rowcount == len(views)


async def pause(conn: AsyncConnection, at: Checkpoint, failed_seq: int, reason: str) -> None:
    """Report that the view stands at `at` because the commit at `failed_seq` cannot be applied."""
    await conn.execute(
        update(CHECKPOINTS)
        .where(_C.name == at.name, _C.version == at.version, _C.seq == at.seq)
        .values(state="paused", reason=reason[:2000], failed_seq=failed_seq)
    )


async def resume(conn: AsyncConnection, name: str) -> None:
    """Ask those who paused the view to try again."""
    await conn.execute(
        update(CHECKPOINTS).where(_C.name == name, _C.state == "paused").values(state="live", reason="", failed_seq=0)
    )


async def put(conn: AsyncConnection, checkpoint: Checkpoint) -> None:
    """Set a checkpoint, whatever it was: for the first start and the switch after a rebuild."""
    values = {column.name: getattr(checkpoint, column.name) for column in CHECKPOINTS.columns}
    changed = await conn.execute(update(CHECKPOINTS).where(_C.name == checkpoint.name).values(values))
    if not changed.rowcount:
        await conn.execute(insert(CHECKPOINTS).values(values))
