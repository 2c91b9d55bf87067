"""Which events call for a notice, as rows: the facts write one for each, and it is owed until its mail is planned.

A mailing calls for one when it completes, fails, or is paused or cancelled by nobody, which is a commit without a
principal. What is paused because the log was restored is told to whoever restored it.
"""

from typing import Any, TypeGuard

from sqlalchemy import BigInteger, Boolean, Column, String, Table

from services.planner.schema import METADATA
from shared.contracts.envelope import EventRecord
from shared.contracts.log import RESTORED
from shared.contracts.mailing import (
    MailingCancelled,
    MailingCompleted,
    MailingDrafted,
    MailingFailed,
    MailingPaused,
)
from shared.ids import derived_id

NOTICES = Table(
    "facts_notices",
    METADATA,
    Column("id", String(24), primary_key=True),
    Column("mailing", String(24), nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("at", BigInteger, nullable=False, index=True),
    Column("mail", Boolean, nullable=False),
    Column("hook", Boolean, nullable=False),
)
"""`id` is that of the notice, `seq` the commit that calls for it, `at` its record time in milliseconds;
`mail` and `hook` say who is told."""

Stand = MailingCompleted | MailingFailed | MailingPaused | MailingCancelled


def notice_id(record: EventRecord) -> str:
    """Return the id of the notice that an event calls for: one event, one notice."""
    return derived_id("notice", record.id)


def calls(record: EventRecord, draft: MailingDrafted) -> bool:
    """Tell whether an event of a mailing that was drafted so calls for a notice."""
    if not (draft.notify or draft.webhook):
        return False
    event = record.event
    if isinstance(event, MailingPaused | MailingCancelled):
        return not record.principal and event.reason != RESTORED
    return isinstance(event, MailingCompleted | MailingFailed)


def is_stand(event: object) -> TypeGuard[Stand]:
    """Tell whether an event is one that may call for a notice."""
    return isinstance(event, Stand)


def row(record: EventRecord, mailing: str, draft: MailingDrafted, at: int) -> dict[str, Any]:
    """Return the row of a notice that is called for."""
    told = {"mail": draft.notify > 0, "hook": draft.webhook}
    return {"id": notice_id(record), "mailing": mailing, "seq": record.seq, "at": at, **told}
