"""A mailing as reports see it: one row, folded from the mailing's own events (`evt.mailing.<id>`). Pure.

Statuses: Planned -> Scheduled -> Sending -> Completed; back to Scheduled while a window is closed; Paused, Failed and
Cancelled as they say. Window events leave a paused mailing paused. A resume before the start goes back to Scheduled.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson

from shared.contracts import mailing as events
from shared.contracts.account import Limits
from shared.contracts.envelope import DomainEvent, EventRecord
from shared.contracts.mailing_settings import DRAFT_ITSELF
from shared.instants import to_millis


@dataclass(slots=True)
class Mailing:
    """One row of the table `mailings`; the attributes are its columns."""

    mailing: str
    test_of: str = ""
    campaign: str = ""
    name: str = ""
    account: str = ""
    subject: str = ""
    content: str = ""
    links: str = "[]"
    doubt: str = ""
    tracking: str = ""
    status: str = "Planned"
    reason: str = ""
    zone: str = ""
    hours: str = ""
    audience: str = ""
    left_out: str = "{}"
    retry_for: int = 0
    audience_position: int = 0
    chunks: int = 0
    drafted_at: int = 0
    deleted: int = 0
    planned: int = 0
    chunks_planned: int = 0
    chunks_finished: int = 0
    parked: int = 0
    evidence: int = 0
    accepted: int = 0
    deferred: int = 0
    rejected: int = 0
    skipped: int = 0
    expired: int = 0
    cancelled: int = 0
    in_doubt: int = 0
    recipients: int | None = None
    customers: int | None = None
    per_hour: int | None = None
    starts_at: int | None = None
    deadline: int | None = None
    until: int | None = None
    opens: int | None = None
    started_at: int | None = None
    finished_at: int | None = None
    first_sent: int | None = None
    last_sent: int | None = None
    seconds_between: float | None = None
    ab_test: str = ""


def millis(instant: datetime | None) -> int | None:
    """Return milliseconds since 1970."""
    return None if instant is None else to_millis(instant)


def _limit(row: Mailing, limits: Limits) -> None:
    row.per_hour, row.seconds_between = limits.per_hour, limits.seconds_between


def _describe(row: Mailing, event: events.MailingDrafted | events.MailingEdited) -> None:
    row.name, row.account, row.subject, row.content = event.name, event.account, event.subject, event.content
    row.links = orjson.dumps(event.links).decode()
    row.doubt, row.tracking, row.retry_for = event.doubt, event.tracking, event.retry_for
    _limit(row, event.limits)
    row.ab_test = ""
    if event.ab_test is not None:
        others = {letter: event.ab_test.versions[letter].subject for letter in sorted(event.ab_test.versions)}
        versions = {DRAFT_ITSELF: event.subject, **others}
        begun = {"by": event.ab_test.by, "versions": versions, "sampled": False, "decides_at": None}
        row.ab_test = orjson.dumps({**begun, "winner": "", "chosen_by": ""}).decode()


def _sampled(row: Mailing, event: events.SampleSent, _at: int) -> None:
    _test(row, sampled=True, decides_at=millis(event.decides_at))


def _won(row: Mailing, event: events.WinnerChosen, _at: int) -> None:
    _test(row, winner=event.version, chosen_by=event.by)


def _test(row: Mailing, **changes: object) -> None:
    row.ab_test = orjson.dumps({**orjson.loads(row.ab_test or "{}"), **changes}).decode()


def _drafted(row: Mailing, event: events.MailingDrafted, at: int) -> None:
    row.campaign, row.drafted_at, row.status = event.campaign, at, "Planned"
    _describe(row, event)


def _edited(row: Mailing, event: events.MailingEdited, _at: int) -> None:
    _describe(row, event)
    _dropped(row, event, _at)


def _dropped(row: Mailing, _event: DomainEvent, _at: int) -> None:
    """Forget the frozen audience: it has to be frozen anew."""
    row.recipients, row.audience, row.left_out, row.chunks, row.audience_position = None, "", "{}", 0, 0
    row.customers = None


def _frozen(row: Mailing, event: events.AudienceFrozen, _at: int) -> None:
    row.recipients, row.chunks, row.audience = event.recipients, event.chunks, event.object
    row.left_out = orjson.dumps(event.skipped, option=orjson.OPT_SORT_KEYS).decode()
    row.audience_position, row.customers = event.position, event.customers or event.recipients


def _scheduled(row: Mailing, event: events.MailingScheduled, _at: int) -> None:
    row.status, row.starts_at, row.zone, row.deadline = (
        "Scheduled",
        millis(event.at),
        event.zone,
        millis(event.deadline),
    )
    row.hours = event.hours.model_dump_json() if event.hours else ""


def _unscheduled(row: Mailing, _event: DomainEvent, _at: int) -> None:
    row.status, row.starts_at = "Planned", None


def _started(row: Mailing, event: events.SendingStarted, at: int) -> None:
    row.status, row.started_at, row.until, row.opens = "Sending", at, millis(event.until), None


def _window_closed(row: Mailing, event: events.WindowClosed, _at: int) -> None:
    row.until, row.opens = None, millis(event.opens)
    if row.status == "Sending":
        row.status = "Scheduled"


def _window_opened(row: Mailing, event: events.WindowOpened, _at: int) -> None:
    row.until, row.opens = millis(event.until), None
    if row.status == "Scheduled":
        row.status = "Sending"


def _paused(row: Mailing, event: events.MailingPaused, _at: int) -> None:
    row.status, row.reason = "Paused", event.reason


def _resumed(row: Mailing, event: events.MailingResumed, _at: int) -> None:
    row.status = "Scheduled" if row.started_at is None else "Sending"
    row.reason, row.until, row.finished_at = "", millis(event.until), None


def _rate_changed(row: Mailing, event: events.RateChanged, _at: int) -> None:
    _limit(row, event.limits)


def _completed(row: Mailing, _event: events.MailingCompleted, at: int) -> None:
    row.status, row.reason, row.finished_at, row.until, row.opens = "Completed", "", at, None, None


def _failed(row: Mailing, event: events.MailingFailed, at: int) -> None:
    row.status, row.reason, row.finished_at = "Failed", event.reason, at


def _cancelled(row: Mailing, event: events.MailingCancelled, at: int) -> None:
    row.status, row.reason, row.finished_at, row.until, row.opens = "Cancelled", event.reason, at, None, None


def _deleted(row: Mailing, _event: events.MailingDeleted, _at: int) -> None:
    row.deleted = 1


_STEPS: dict[type[DomainEvent], Callable[[Mailing, Any, int], None]] = {
    events.MailingDrafted: _drafted,
    events.MailingEdited: _edited,
    events.SourcesChosen: _dropped,
    events.RecipientAdded: _dropped,
    events.RecipientRemoved: _dropped,
    events.AudienceFrozen: _frozen,
    events.MailingScheduled: _scheduled,
    events.MailingUnscheduled: _unscheduled,
    events.SendingStarted: _started,
    events.SampleSent: _sampled,
    events.WinnerChosen: _won,
    events.WindowClosed: _window_closed,
    events.WindowOpened: _window_opened,
    events.MailingPaused: _paused,
    events.MailingResumed: _resumed,
    events.RateChanged: _rate_changed,
    events.MailingCompleted: _completed,
    events.MailingFailed: _failed,
    events.MailingCancelled: _cancelled,
    events.MailingDeleted: _deleted,
}

HANDLED: frozenset[type[DomainEvent]] = frozenset(_STEPS)


def evolve(row: Mailing, record: EventRecord) -> None:
    """Take one of the mailing's own events into the row; those it need not know change nothing."""
    step = _STEPS.get(type(record.event))
    if step is not None:
        step(row, record.event, millis(record.time) or 0)
