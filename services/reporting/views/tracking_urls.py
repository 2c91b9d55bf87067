"""Tracking URLs: the last name that each was given. A URL keeps it when the name moves on: old mailings lead there."""

from collections.abc import Sequence
from typing import ClassVar

from sqlalchemy.ext.asyncio import AsyncConnection

from services.reporting import tables
from services.reporting.bulk import Upsert
from shared.contracts.envelope import Commit
from shared.contracts.tracking_url import TrackingUrlSaved

_NAMED = Upsert(tables.tracking_urls, ("url", "name"), {"name": "replace"})


class TrackingUrlsView:
    """The view, as the projector runs it."""

    name = "tracking_urls"
    version = 1
    tables: ClassVar = [tables.tracking_urls]
    handles = frozenset({TrackingUrlSaved.TYPE})

    async def apply(self, conn: AsyncConnection, commits: Sequence[Commit]) -> None:
        """Write the names that the commits give."""
        said = [record.event for commit in commits for record in commit.events]
        names = {event.url: event.name for event in said if isinstance(event, TrackingUrlSaved)}
        await _NAMED.run(conn, list(names.items()))
