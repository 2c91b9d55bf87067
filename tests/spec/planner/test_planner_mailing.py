"""Rules of the mailing decider."""

from datetime import UTC, date, datetime, time, timedelta

from services.planner.accounts.account import Account
from services.planner.mailings import orders
from services.planner.mailings.campaign import Campaign
from services.planner.mailings.mailing import MailingDecider
from shared.contracts.account import AccountAdded, AccountTested, Limits
from shared.contracts.campaign import CampaignOpened
from shared.contracts.commands import ScheduleMailing
from shared.contracts.envelope import DomainEvent
from shared.contracts.mailing import (
    AudienceFrozen,
    DoubtDecided,
    MailingCancelled,
    MailingCompleted,
    MailingDeleted,
    MailingDrafted,
    MailingEdited,
    MailingFailed,
    MailingPaused,
    MailingResumed,
    MailingScheduled,
    MailingUnscheduled,
    RateChanged,
    SendingStarted,
    TestSent,
    WindowClosed,
    WindowOpened,
)
from shared.contracts.mailing_settings import SendingHours
from tests.harness.decider_spec import Spec, spec

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)  # a Monday
HOURS = SendingHours(start=time(9), end=time(17), weekdays=[0, 1, 2, 3, 4])
ADDED = AccountAdded(name="r", host="relay.example", port=587, senders=["News@example.com"])
WORKING = Account(added=ADDED, tested=AccountTested(working=True, detail=""))
BROKEN = Account(added=ADDED, tested=AccountTested(working=False, detail="535 refused"))
CAMPAIGN = Campaign(opened=CampaignOpened(name="c", lists=["l1"]))
DRAFT = MailingDrafted(campaign="c1", name="m", account="a1", content="0" * 64, subject="s")
FROZEN = AudienceFrozen(object="1" * 64, recipients=3, chunks=1, lanes={"rest": 1}, position=7)
SCHEDULED = MailingScheduled(at=NOON)
STARTED = SendingStarted()


def draft(**more: object) -> orders.Draft:
    """Return the order to draft it as DRAFT, otherwise where said so."""
    wanted: dict[str, object] = {
        "drafted": DRAFT,
        "sender": "news@example.com",
        "campaign": CAMPAIGN,
        "today": NOON.date(),
    }
    return orders.Draft(**(wanted | {"account": WORKING} | more))  # type: ignore[arg-type]  # plain keywords


def schedule(
    now: datetime = NOON, account: Account = WORKING, campaign: Campaign = CAMPAIGN, **more: object
) -> orders.Schedule:
    """Return the order to set a start."""
    return orders.Schedule(ScheduleMailing.model_validate({"mailing": "m1"} | more), now, account, campaign)


def mailing(*events: DomainEvent) -> Spec[object, object]:
    """Begin with a drafted mailing to which this happened."""
    return spec(MailingDecider()).given(DRAFT, *events)  # type: ignore[return-value]  # the state does not matter here


def test_a_draft_needs_an_open_campaign_and_a_working_account_with_its_sender() -> None:
    """What is missing is named with its field."""
    fresh = spec(MailingDecider())
    fresh.when(draft(campaign=Campaign())).then_refused("campaign_unknown", "campaign")
    fresh.when(draft(campaign=CAMPAIGN.model_copy(update={"closed": True}))).then_refused("campaign_closed")
    fresh.when(draft(account=Account())).then_refused("account_unknown", "account")
    fresh.when(draft(account=Account(added=ADDED))).then_refused("account_not_tested", "account")
    fresh.when(draft(account=BROKEN)).then_refused("account_not_working", "account")
    fresh.when(draft(sender="other@example.com")).then_refused("sender_not_allowed", "sender_address")
    fresh.when(draft()).then(DRAFT)


def test_an_edit_drops_the_audience_and_withdraws_the_start() -> None:
    """After it the audience must be frozen anew before a start is set."""
    changed = DRAFT.model_copy(update={"subject": "t"})
    edited = MailingEdited(name="m", account="a1", content="0" * 64, subject="t")
    edit = draft(drafted=changed, edit=True)
    mailing(FROZEN).when(edit).then(edited).when(schedule()).then_refused("audience_missing")
    mailing(FROZEN, SCHEDULED).when(edit).then(MailingUnscheduled(), edited)


def test_content_is_fixed_once_sending_started() -> None:
    """An edit is refused then, and of a completed mailing, too."""
    edit = draft(drafted=DRAFT.model_copy(update={"subject": "t"}), edit=True)
    mailing(FROZEN, SCHEDULED, STARTED).when(edit).then_refused("mailing_started")
    mailing(FROZEN, SCHEDULED, STARTED, MailingCompleted(totals={})).when(edit).then_refused("mailing_started")


def test_the_audience_may_be_frozen_again_until_a_start_is_set() -> None:
    """The same audience again is nothing new."""
    other = FROZEN.model_copy(update={"object": "2" * 64})
    mailing(FROZEN).when(orders.Freeze(FROZEN)).then_nothing()
    mailing(FROZEN).when(orders.Freeze(other)).then(other)
    mailing(FROZEN, SCHEDULED).when(orders.Freeze(other)).then_refused("audience_fixed")
    mailing(FROZEN, SCHEDULED, MailingUnscheduled()).when(orders.Freeze(other)).then(other)


def test_a_start_needs_a_recipient_a_working_account_and_a_future_instant() -> None:
    """Each refusal has its code."""
    mailing().when(schedule()).then_refused("audience_missing")
    empty = FROZEN.model_copy(update={"recipients": 0, "chunks": 0})
    mailing(empty).when(schedule()).then_refused("audience_empty")
    ready = mailing(FROZEN)
    ready.when(schedule(account=BROKEN)).then_refused("account_not_working")
    ready.when(schedule(at="2026-03-01T12:00:00")).then_refused("start_in_past", "at")
    ready.when(schedule(at="2026-03-03T12:00:00", zone="Mars/Base")).then_refused("zone_unknown", "zone")
    ready.when(schedule(hours={"start": "09:00", "end": "17:00", "weekdays": []})).then_refused("weekdays_invalid")
    late = schedule(at="2026-03-03T12:00:00", deadline="2026-03-03T11:00:00")
    ready.when(late).then_refused("deadline_too_early", "deadline")
    ready.when(schedule()).then(SCHEDULED)


def test_a_campaign_takes_mailings_until_the_day_before_its_last() -> None:
    """On its last day what was drafted before still goes out; a deleted one takes none."""

    def until(day: int) -> Campaign:
        return Campaign(opened=CampaignOpened(name="c", lists=["l1"], ends_on=date(2026, 3, day)))

    fresh = spec(MailingDecider())
    fresh.when(draft(campaign=until(2))).then_refused("campaign_ended", "campaign")
    fresh.when(draft(campaign=until(3).model_copy(update={"deleted": True}))).then_refused("campaign_deleted")
    fresh.when(draft(campaign=until(3))).then(DRAFT)


def test_the_dates_of_the_campaign_bound_the_schedule() -> None:
    """No start before its first day or after its last; its end, in the zone of the schedule, is a deadline."""
    march = Campaign(
        opened=CampaignOpened(name="c", lists=["l1"], starts_on=date(2026, 3, 3), ends_on=date(2026, 3, 31))
    )
    zone = "Europe/Prague"
    ends = datetime(2026, 3, 31, 22, tzinfo=UTC)

    def at(text: str, **more: object) -> orders.Schedule:
        return schedule(campaign=march, at=text, zone=zone, **more)

    mailing(FROZEN).when(schedule(campaign=march)).then_refused("outside_campaign", "at")
    mailing(FROZEN).when(at("2026-03-02T23:59:00")).then_refused("outside_campaign", "at")
    mailing(FROZEN).when(at("2026-04-01T00:00:00")).then_refused("outside_campaign", "at")
    late = {"hours": {"start": "09:00", "end": "10:00"}}
    mailing(FROZEN).when(at("2026-03-31T11:00:00", **late)).then_refused("deadline_too_early", "deadline")
    first = MailingScheduled(at=datetime(2026, 3, 2, 23, tzinfo=UTC), zone=zone, deadline=ends)
    mailing(FROZEN).when(at("2026-03-03T00:00:00")).then(first)
    mailing(FROZEN).when(at("2026-03-03T00:00:00", deadline="2026-06-01T00:00:00")).then(first)
    sooner = first.model_copy(update={"deadline": datetime(2026, 3, 4, 23, tzinfo=UTC)})
    mailing(FROZEN).when(at("2026-03-03T00:00:00", deadline="2026-03-05T00:00:00")).then(sooner)


def test_a_start_that_is_found_late_is_sent_asked_about_or_skipped() -> None:
    """Fifteen minutes are no matter; who resumes it wants it sent, however late."""
    found, later = NOON + timedelta(minutes=16), NOON + timedelta(hours=5)
    why = "late: its start was due at 2026-03-02 12:00 UTC"
    ask = SCHEDULED.model_copy(update={"late": "ask"})
    skip = SCHEDULED.model_copy(update={"late": "skip"})
    mailing(FROZEN, SCHEDULED).when(orders.Tick(found, WORKING)).then(STARTED)
    mailing(FROZEN, ask).when(orders.Tick(NOON + timedelta(minutes=15), WORKING)).then(STARTED)
    mailing(FROZEN, skip).when(orders.Tick(found, WORKING)).then(MailingCancelled(reason=why))
    asked = mailing(FROZEN, ask).when(orders.Tick(found, WORKING)).then(MailingPaused(reason=why))
    asked.when(orders.Resume(later, WORKING)).then(MailingResumed())
    asked.when(orders.Tick(later, WORKING)).then(STARTED)


def test_a_local_start_is_taken_in_its_zone() -> None:
    """Noon in Prague is eleven UTC in winter."""
    order = schedule(at="2026-03-03T12:00:00", zone="Europe/Prague")
    at = datetime(2026, 3, 3, 11, tzinfo=UTC)
    mailing(FROZEN).when(order).then(MailingScheduled(at=at, zone="Europe/Prague"))


def test_a_start_can_be_moved_and_withdrawn_before_it_came() -> None:
    """Afterwards neither."""
    later = MailingScheduled(at=NOON + timedelta(days=1))
    mailing(FROZEN, SCHEDULED).when(schedule(at="2026-03-03T12:00:00")).then(later)
    mailing(FROZEN, SCHEDULED).when(orders.Unschedule()).then(MailingUnscheduled())
    mailing(FROZEN, SCHEDULED, STARTED).when(orders.Unschedule()).then_refused("mailing_started")
    mailing(FROZEN, SCHEDULED, STARTED).when(schedule()).then_refused("mailing_started")


def test_it_starts_when_due_and_not_before() -> None:
    """A broken account makes it fail instead; a resume starts it after all."""
    scheduled = mailing(FROZEN, SCHEDULED)
    scheduled.when(orders.Tick(NOON - timedelta(milliseconds=1), WORKING)).then_nothing()
    scheduled.when(orders.Tick(NOON, WORKING)).then(STARTED)
    failed = MailingFailed(reason="account_not_working: The last test of the account failed: 535 refused")
    broken = mailing(FROZEN, SCHEDULED).when(orders.Tick(NOON, BROKEN)).then(failed)
    broken.when(orders.Resume(NOON, WORKING)).then(MailingResumed()).when(orders.Tick(NOON, WORKING)).then(STARTED)


def test_outside_the_hours_it_waits_and_goes_on_by_itself() -> None:
    """Due on a Saturday it starts on Monday at nine; at five it waits, next morning it goes on."""
    saturday = MailingScheduled(at=datetime(2026, 2, 28, 12, tzinfo=UTC), hours=HOURS)
    monday, five = datetime(2026, 3, 2, 9, tzinfo=UTC), datetime(2026, 3, 2, 17, tzinfo=UTC)
    tuesday = datetime(2026, 3, 3, 9, tzinfo=UTC)
    it = mailing(FROZEN, saturday)
    it.when(orders.Tick(monday - timedelta(seconds=1), WORKING)).then_nothing()
    it.when(orders.Tick(monday, WORKING)).then(SendingStarted(until=five))
    it.when(orders.Tick(five, WORKING)).then(WindowClosed(opens=tuesday))
    it.when(orders.Tick(tuesday - timedelta(seconds=1), WORKING)).then_nothing()
    it.when(orders.Tick(tuesday, WORKING)).then(WindowOpened(until=five + timedelta(days=1)))


def test_pause_and_resume_keep_whether_it_had_started() -> None:
    """Resumed in the night it waits for the morning."""
    paused = MailingPaused(reason="lunch")
    mailing(FROZEN, SCHEDULED).when(orders.Pause("lunch")).then(paused).when(orders.Tick(NOON, WORKING)).then_nothing()
    mailing(FROZEN, SCHEDULED, paused).when(orders.Resume(NOON, WORKING)).then(MailingResumed())
    mailing(FROZEN, SCHEDULED, STARTED, paused).when(orders.Resume(NOON, WORKING)).then(MailingResumed())
    mailing(FROZEN, SCHEDULED, STARTED, paused).when(orders.Resume(NOON, BROKEN)).then_refused("account_not_working")
    night = NOON.replace(hour=22)
    hours = SCHEDULED.model_copy(update={"hours": HOURS})
    waits = WindowClosed(opens=datetime(2026, 3, 3, 9, tzinfo=UTC))
    it = mailing(FROZEN, hours, STARTED, paused)
    it.when(orders.Resume(night, WORKING)).then(MailingResumed(until=night), waits)
    mailing().when(orders.Pause()).then_refused("mailing_not_running")
    mailing().when(orders.Resume(NOON, WORKING)).then_refused("mailing_not_paused")


def test_it_completes_only_after_it_started_and_once() -> None:
    """Doubts are named; afterwards nothing can be cancelled or paused."""
    done = MailingCompleted(totals={"accepted": 2, "in_doubt": 1}, in_doubt=1)
    order = orders.Complete({"accepted": 2, "in_doubt": 1})
    mailing(FROZEN, SCHEDULED).when(order).then_nothing()
    it = mailing(FROZEN, SCHEDULED, STARTED).when(order).then(done)
    it.when(orders.Cancel()).then_refused("mailing_completed")
    it.when(orders.Pause()).then_refused("mailing_not_running")


def test_cancel_is_final_and_fail_is_not() -> None:
    """A failed mailing is resumed, and does not fail again for what was seen before; a cancelled one is not."""
    sending = mailing(FROZEN, SCHEDULED, STARTED).when(orders.Fail("parked")).then(MailingFailed(reason="parked"))
    sending.when(orders.Resume(NOON, WORKING)).then(MailingResumed())
    sending.when(orders.Fail("parked")).then_nothing()
    sending.when(orders.Cancel("enough")).then(MailingCancelled(reason="enough"))
    sending.when(orders.Resume(NOON, WORKING)).then_refused("mailing_not_paused")
    sending.when(orders.Complete({"accepted": 3})).then_nothing()


def test_limits_change_while_it_runs_and_not_after() -> None:
    """The same limits are nothing new."""
    limits = Limits(per_hour=500)
    it = mailing(FROZEN, SCHEDULED, STARTED).when(orders.Rate(limits)).then(RateChanged(limits=limits))
    it.given(MailingCompleted(totals={})).when(orders.Rate(Limits())).then_refused("mailing_completed")


def test_only_open_doubts_are_decided_on() -> None:
    """A decision on facts that are out of date is refused, unless it is the same one."""
    decided = DoubtDecided(n=0, indexes="1-2", decision="accepted")
    it = mailing(FROZEN, SCHEDULED, STARTED)
    it.when(orders.Decide(0, "1,2,3", "accepted", frozenset({1, 2}))).then_refused("not_in_doubt", "indexes")
    it.when(orders.Decide(0, "x", "accepted", frozenset({1, 2}))).then_refused("indexes_invalid", "indexes")
    it.when(orders.Decide(0, "1,2", "accepted", frozenset({1, 2}))).then(decided)
    it.when(orders.Decide(0, "1,2", "accepted", frozenset(), known=1)).then_nothing()
    it.when(orders.Decide(0, "1,2", "rejected", frozenset({1, 2}))).then_refused("decided_meanwhile")


def test_it_is_deleted_only_while_nothing_goes_out() -> None:
    """Deleted stays deleted."""
    mailing(FROZEN, SCHEDULED).when(orders.Delete()).then_refused("mailing_running")
    mailing(FROZEN, SCHEDULED, STARTED, MailingPaused()).when(orders.Delete()).then_refused("mailing_running")
    it = mailing().when(orders.Delete()).then(MailingDeleted())
    it.when(orders.Freeze(FROZEN)).then_refused("mailing_deleted")


def test_a_test_is_recorded_once() -> None:
    """The same test again is nothing new; a mailing nobody drafted cannot be tested."""
    sent = TestSent(test="t1", recipients=1)
    mailing().when(orders.Test(sent)).then(sent)
    spec(MailingDecider()).when(orders.Test(sent)).then_refused("mailing_unknown", "mailing")
