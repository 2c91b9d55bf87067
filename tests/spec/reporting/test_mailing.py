"""The status of a mailing, event by event."""

from datetime import timedelta

import pytest

from services.reporting.mailing import Mailing, evolve
from shared.contracts import mailing as events
from shared.contracts.account import Limits
from shared.contracts.envelope import DomainEvent
from tests.harness.story import START, Story, drafted, frozen

SCHEDULED = events.MailingScheduled(at=START, zone="Europe/Berlin")
STARTED = events.SendingStarted()
CLOSED = events.WindowClosed(opens=START + timedelta(hours=12))
OPENED = events.WindowOpened(until=START + timedelta(hours=20))


def after(*told: DomainEvent) -> Mailing:
    """Return the row after these events."""
    story, row = Story(), Mailing("m1")
    story.mailing("m1", *told)
    for record in story.commits[0].events:
        evolve(row, record)
    return row


@pytest.mark.parametrize(
    ("told", "status"),
    [
        ([drafted()], "Planned"),
        ([drafted(), frozen(10)], "Planned"),
        ([drafted(), SCHEDULED], "Scheduled"),
        ([drafted(), SCHEDULED, events.MailingUnscheduled()], "Planned"),
        ([drafted(), SCHEDULED, STARTED], "Sending"),
        ([drafted(), STARTED, CLOSED], "Scheduled"),
        ([drafted(), STARTED, CLOSED, OPENED], "Sending"),
        ([drafted(), STARTED, events.MailingPaused(reason="lunch")], "Paused"),
        ([drafted(), STARTED, events.MailingPaused(), CLOSED, OPENED], "Paused"),
        ([drafted(), STARTED, events.MailingPaused(), events.MailingResumed()], "Sending"),
        ([drafted(), SCHEDULED, events.MailingPaused(), events.MailingResumed()], "Scheduled"),
        ([drafted(), STARTED, events.MailingFailed(reason="relay")], "Failed"),
        ([drafted(), STARTED, events.MailingFailed(reason="relay"), events.MailingResumed()], "Sending"),
        ([drafted(), STARTED, events.MailingCompleted(totals={"accepted": 1})], "Completed"),
        ([drafted(), STARTED, events.MailingCancelled()], "Cancelled"),
    ],
)
def test_the_status_follows_the_events(told: list[DomainEvent], status: str) -> None:
    """Planned, Scheduled, Sending, Completed, and the ways off that path."""
    assert after(*told).status == status


def test_a_reason_stands_until_the_mailing_goes_on() -> None:
    """The reason of a pause or failure is shown, and gone after resume."""
    assert after(drafted(), STARTED, events.MailingPaused(reason="lunch")).reason == "lunch"
    assert not after(drafted(), STARTED, events.MailingPaused(reason="lunch"), events.MailingResumed()).reason


def test_an_edit_takes_the_frozen_audience_away() -> None:
    """Who edits has to freeze anew: the number of recipients is unknown again."""
    edited = events.MailingEdited(name="New", account="a1", content="h9", subject="Hi")
    assert after(drafted(), frozen(10)).recipients == 10
    row = after(drafted(), frozen(10), edited)
    assert (row.recipients, row.audience, row.name) == (None, "", "New")


def test_new_limits_replace_the_old_ones() -> None:
    """A change of rate is seen at once."""
    row = after(drafted(limits=Limits(per_hour=500)), events.RateChanged(limits=Limits(seconds_between=2.5)))
    assert (row.per_hour, row.seconds_between) == (None, 2.5)


def test_a_deleted_mailing_keeps_its_history() -> None:
    """Deleting hides, nothing more."""
    row = after(drafted(), STARTED, events.MailingCompleted(totals={}), events.MailingDeleted())
    assert (row.deleted, row.status) == (1, "Completed")
