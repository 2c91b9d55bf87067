"""What the planner knows of customers' statuses from the log: mappings of campaigns, and what was set.

A view for the projector kit. In come campaigns, drafts and `StatusesSet`; out come rows that hold exactly what the log
says.
"""

from collections.abc import Sequence
from typing import Any, ClassVar

import orjson
from sqlalchemy import BigInteger, Column, Index, String, Table, Text, text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.planner.schema import METADATA, execute_many, insert, values_of
from shared.contracts.campaign import CampaignEdited, CampaignOpened
from shared.contracts.envelope import Commit, EventRecord
from shared.contracts.mailing import MailingDrafted
from shared.contracts.statuses import StatusesSet

MAPPINGS = Table(
    "facts_mappings",
    METADATA,
    Column("campaign", String(24), primary_key=True),
    Column("statuses", Text, nullable=False),
)
"""What each campaign maps, as JSON; "{}" for nothing."""
OF_CAMPAIGN = Table(
    "facts_of_campaign",
    METADATA,
    Column("mailing", String(24), primary_key=True),
    Column("campaign", String(24), nullable=False, index=True),
)
STATUSES = Table(
    "facts_statuses",
    METADATA,
    Column("campaign", String(24), primary_key=True),
    Column("contact", String(12), primary_key=True),
    Column("outcome", String(12), nullable=False),
    Column("status", Text, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("seq", BigInteger, nullable=False, server_default=text("0")),
    Index("facts_statuses_by_contact", "contact"),
    Index("facts_statuses_by_seq", "seq"),
    sqlite_with_rowid=False,
)
"""The last status that a campaign set by the mails to a contact; `at` in seconds since 1970, `seq`: where it stands.

Of what an older version took in `seq` is 0."""


class StatusFacts:
    """The view."""

    name = "planner_statuses"
    version = 1
    tables: ClassVar = [MAPPINGS, OF_CAMPAIGN, STATUSES]
    handles = frozenset(event.TYPE for event in (CampaignOpened, CampaignEdited, MailingDrafted, StatusesSet))

    async def apply(self, conn: AsyncConnection, commits: Sequence[Commit]) -> None:
        """Change the tables as the commits demand."""
        rows: dict[Table, dict[Any, tuple[Any, ...]]] = {MAPPINGS: {}, OF_CAMPAIGN: {}, STATUSES: {}}
        for commit in commits:
            for record in commit.events:
                _take(rows, record, commit.seq)
        for table, found in rows.items():
            await _put(conn, table, list(found.values()))


def _take(rows: dict[Table, dict[Any, tuple[Any, ...]]], record: EventRecord, seq: int) -> None:
    entity = record.subject.rpartition(".")[2]
    match record.event:
        case CampaignOpened(statuses=mapping) | CampaignEdited(statuses=mapping):
            packed = orjson.dumps(mapping, option=orjson.OPT_SORT_KEYS).decode()
            rows[MAPPINGS][entity] = (entity, packed)
        case MailingDrafted(campaign=campaign):
            rows[OF_CAMPAIGN][entity] = (entity, campaign)
        case StatusesSet() as told:
            for contact, after in zip(told.contacts, told.at, strict=True):
                key = (entity, contact)
                rows[STATUSES][key] = (*key, told.outcome, told.status, told.base + after, seq)
        case _:
            pass


async def _put(conn: AsyncConnection, table: Table, rows: Sequence[tuple[Any, ...]]) -> None:
    put = insert(conn, table).values(values_of(table, *table.c.keys()))
    keys = [column.name for column in table.primary_key]
    changed = {column.name: put.excluded[column.name] for column in table.c if not column.primary_key}
    await execute_many(conn, put.on_conflict_do_update(index_elements=keys, set_=changed), rows)
