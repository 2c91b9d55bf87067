"""What a view is, and a commit as a view gets to see it.

A view is tables plus a function that applies commits to them. It names the event types it handles; commits without any
of them never reach it. Its code reaches its tables through SQLAlchemy Core on the connection it is given, and computes
the same rows from the same commits, however they are cut into batches.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Protocol

from sqlalchemy import MetaData, Table
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.contracts.codec import Selection, decode_selected, name_of
from shared.contracts.envelope import Commit
from shared.eventlog.pull import PullMessage


class View(Protocol):
    """Tables computed from the log. Raising from `apply` on a commit means: this cannot be applied, pause me."""

    @property
    def name(self) -> str:
        """Its name in the checkpoints."""

    @property
    def version(self) -> int:
        """Raised whenever the same commits give other rows than before; the tables are then rebuilt."""

    @property
    def tables(self) -> MetaData | Sequence[Table]:
        """Its own tables: no other view writes them."""

    @property
    def handles(self) -> frozenset[str]:
        """Wire types it needs, in their newest version."""

    async def apply(self, conn: AsyncConnection, commits: Sequence[Commit]) -> None:
        """Change the tables as `commits`, in order and cut down to the handled events, demand."""


def tables_of(view: View) -> list[Table]:
    """Return the tables of a view, those others refer to first."""
    return list(view.tables.sorted_tables if isinstance(view.tables, MetaData) else view.tables)


def names_of(views: Iterable[View]) -> frozenset[str]:
    """Return the names of all event types the views handle, without versions."""
    return frozenset(name_of(wire_type) for view in views for wire_type in view.handles)


def select(message: PullMessage, names: frozenset[str]) -> Selection:
    """Decode a message as far as one of `names` is in it."""
    return decode_selected(
        message.data, seq=message.seq, subject=message.subject, recorded_at=message.recorded_at, names=names
    )


def share_of(view: View, batch: Sequence[Selection]) -> list[Commit]:
    """Return the commits of a batch that concern `view`, cut down to the events it handles."""
    handles = view.handles
    commits = []
    for commit in (selection.commit for selection in batch):
        events = tuple(record for record in commit.events if record.event.TYPE in handles)
        if events:
            commits.append(commit if len(events) == len(commit.events) else replace(commit, events=events))
    return commits


def problem_for(view: View, selection: Selection) -> Exception | None:
    """Return why the view cannot apply a commit although it should, None if nothing is in its way."""
    if not selection.problems:
        return None
    names = names_of([view]) | {""}
    return next((error for name, error in selection.problems.items() if name in names), None)
