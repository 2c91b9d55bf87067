"""A second person approves of exactly one plan."""

from datetime import timedelta

from services.planner.mailings import orders
from services.planner.mailings.approval import plan_of
from services.planner.mailings.campaign import Campaign
from shared.contracts.account import Limits
from shared.contracts.campaign import CampaignOpened
from shared.contracts.mailing import (
    ApprovalWithdrawn,
    MailingApproved,
    MailingDrafted,
    MailingEdited,
    MailingPaused,
    MailingResumed,
    MailingScheduled,
    MailingUnscheduled,
)
from tests.spec.planner.test_planner_mailing import DRAFT, FROZEN, NOON, STARTED, WORKING, draft, mailing, schedule

ASKS = Campaign(opened=CampaignOpened(name="c", lists=["l1"], approval=True))
SCHEDULED = MailingScheduled(at=NOON, approval=True)
PLAN = plan_of(DRAFT, FROZEN, SCHEDULED)
APPROVED = MailingApproved(plan=PLAN)
LATER = NOON + timedelta(minutes=5)
WAITS = MailingPaused(reason="not approved: its start was due at 2026-03-02 12:00 UTC")


def test_without_an_approval_it_does_not_start() -> None:
    """At its start it is paused, nobody can resume it, and the approval lets it go on."""
    mailing(FROZEN).when(schedule(campaign=ASKS)).then(SCHEDULED)
    it = mailing(FROZEN, SCHEDULED).when(orders.Tick(NOON, WORKING)).then(WAITS)
    it.when(orders.Resume(LATER, WORKING)).then_refused("approval_missing", "mailing")
    it.when(orders.Approve(PLAN, second=True)).then(APPROVED, MailingResumed())
    it.when(orders.Tick(LATER, WORKING)).then(STARTED)


def test_what_is_approved_starts_by_itself() -> None:
    """At its time, with other limits, too."""
    it = mailing(FROZEN, SCHEDULED).when(orders.Approve(PLAN, second=True)).then(APPROVED)
    assert it.when(orders.Rate(Limits(per_hour=5))).state.plan == PLAN  # type: ignore[attr-defined]  # a mailing
    it.when(orders.Tick(NOON, WORKING)).then(STARTED)


def test_only_somebody_else_approves_and_only_of_the_plan_as_it_is() -> None:
    """Who had a part in it does not, nor does who looked at another plan; where nothing asks for it, nobody does."""
    ready = mailing(FROZEN, SCHEDULED)
    ready.when(orders.Approve(PLAN, second=False)).then_refused("approval_own")
    ready.when(orders.Approve("0" * 32, second=True)).then_refused("plan_changed", "plan")
    mailing(FROZEN).when(orders.Approve(PLAN, second=True)).then_refused("approval_not_asked")
    unasked = mailing(FROZEN, MailingScheduled(at=NOON))
    unasked.when(orders.Approve(PLAN, second=True)).then_refused("approval_not_asked")


def test_a_change_withdraws_the_approval() -> None:
    """An edit, another start, or none; the same start again does not."""
    edited = MailingEdited(name="m", account="a1", content="0" * 64, subject="t")
    edit = draft(drafted=DRAFT.model_copy(update={"subject": "t"}), campaign=ASKS, edit=True)
    done = (FROZEN, SCHEDULED, APPROVED)
    mailing(*done).when(edit).then(ApprovalWithdrawn(), MailingUnscheduled(), edited)
    mailing(*done).when(orders.Unschedule()).then(ApprovalWithdrawn(), MailingUnscheduled())
    other = MailingScheduled(at=LATER, approval=True)
    mailing(*done).when(schedule(at=LATER.isoformat(), campaign=ASKS)).then(ApprovalWithdrawn(), other)
    mailing(*done).when(schedule(at=NOON.isoformat(), campaign=ASKS)).then_nothing()


def test_a_plan_is_named_by_all_that_goes_out() -> None:
    """Content, audience, schedule: each change is another plan; limits are none."""
    others = {
        plan_of(DRAFT.model_copy(update={"content": "1" * 64}), FROZEN, SCHEDULED),
        plan_of(DRAFT, FROZEN.model_copy(update={"object": "2" * 64}), SCHEDULED),
        plan_of(DRAFT, FROZEN, SCHEDULED.model_copy(update={"zone": "Europe/Prague"})),
    }
    assert len(others | {PLAN}) == 4
    assert plan_of(DRAFT.model_copy(update={"limits": Limits(per_hour=1)}), FROZEN, SCHEDULED) == PLAN
    assert plan_of(DRAFT, None, SCHEDULED) == ""


def test_a_field_that_a_later_program_adds_changes_no_plan() -> None:
    """What was approved before an upgrade is approved after it."""

    class Later(MailingDrafted):
        """A draft with one more field."""

        weight: int = 1

    later = Later(**DRAFT.model_dump())
    assert plan_of(later, FROZEN, SCHEDULED) == PLAN
    assert plan_of(later.model_copy(update={"weight": 2}), FROZEN, SCHEDULED) != PLAN
