"""Log: one line an event that people want to read about, with who caused it and when."""

from collections.abc import Sequence
from typing import ClassVar

from sqlalchemy.ext.asyncio import AsyncConnection

from services.reporting import tables
from services.reporting.bulk import Upsert
from services.reporting.mailing import millis
from services.reporting.sentences import TOLD, sentence
from shared.bulk import Row
from shared.contracts.envelope import Commit, EventRecord
from shared.contracts.mailing import MailingDrafted

_LINE = Upsert(tables.log_lines, ("seq", "place", "mailing", "campaign", "type", "at", "principal", "text"))


class LogView:
    """The view, as the projector runs it."""

    name = "log"
    version = 1
    tables: ClassVar = [tables.log_lines]
    handles = TOLD

    async def apply(self, conn: AsyncConnection, commits: Sequence[Commit]) -> None:
        """Write the lines."""
        records = [record for commit in commits for record in commit.events if record.event.TYPE in TOLD]
        await _LINE.run(conn, [_line(record) for record in records])


def _line(record: EventRecord) -> Row:
    event, (_, kind, entity, *_) = record.event, record.subject.split(".")
    mailing = entity if kind in ("mailing", "chunk") else ""
    campaign = event.campaign if isinstance(event, MailingDrafted) else entity if kind == "campaign" else ""
    at = millis(record.time)
    return (record.seq, record.index, mailing, campaign, event.TYPE, at, record.principal, sentence(event))
