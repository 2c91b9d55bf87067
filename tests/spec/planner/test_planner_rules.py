"""Rules of account, campaign, schedule, fan-out, completion, lanes and doubts."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.planner.accounts.account import AccountDecider, Add, Edit, RecordTest
from services.planner.audience import providers
from services.planner.mailings import completion, schedule
from services.planner.mailings.campaign import CampaignDecider, Close, Open
from services.planner.mailings.campaign import Delete as DeleteCampaign
from services.planner.mailings.campaign import Edit as EditCampaign
from services.planner.mailings.doubts import open_doubts
from services.planner.planning import fan_out
from services.planner.planning.fan_out import Piece
from shared.contracts.account import AccountAdded, AccountEdited, AccountLimits, AccountTested, Limits, WarmUp
from shared.contracts.campaign import CampaignClosed, CampaignDeleted, CampaignEdited, CampaignOpened
from shared.contracts.envelope import Commit, DomainEvent, EventRecord
from shared.contracts.mailing import DoubtDecided
from shared.contracts.sending import Group, RecipientsClaimed, RecipientsSettled
from shared.providers import BUILT_IN
from tests.harness.decider_spec import spec

ADDED = AccountAdded(name="r", host="relay.example", port=587, senders=["a@example.com"])


def test_an_account_is_added_once_and_never_sends_its_password_in_clear() -> None:
    """Without TLS a user name is accepted on the loopback host only."""
    fresh = spec(AccountDecider())
    fresh.when(Add(ADDED.model_copy(update={"tls": "none", "username": "u"}))).then_refused("password_in_clear", "tls")
    fresh.when(Add(ADDED.model_copy(update={"senders": ["nobody"]}))).then_refused("address_invalid", "senders.0")
    fresh.when(Add(ADDED)).then(ADDED)
    fresh.when(Add(ADDED.model_copy(update={"port": 25}))).then_refused("account_exists")
    local = ADDED.model_copy(update={"tls": "none", "username": "u", "host": "localhost"})
    spec(AccountDecider()).when(Add(local)).then(local)


def test_the_last_test_decides_whether_an_account_works() -> None:
    """Each test is recorded, for it is an observation."""
    bad, good = AccountTested(working=False, detail="535"), AccountTested(working=True, detail="")
    spec(AccountDecider()).when(RecordTest(good)).then_refused("account_unknown")
    it = spec(AccountDecider()).given(ADDED).when(RecordTest(bad)).then(bad, repeats="an observation")
    assert not it.state.working
    assert it.when(RecordTest(good)).then(good, repeats="an observation").state.working


def test_an_account_is_edited_and_tested_anew_where_that_matters() -> None:
    """Limits leave a test standing; another server, TLS, user or password does not. The same again is nothing."""
    good = AccountTested(working=True, detail="")
    edited = AccountEdited.model_validate(ADDED.model_dump() | {"limits": {"per_day": 9}})
    spec(AccountDecider()).when(Edit(edited)).then_refused("account_unknown")
    it = spec(AccountDecider()).given(ADDED, good).when(Edit(edited)).then(edited)
    assert it.state.working
    assert it.state.limits_on(datetime(2026, 1, 1, tzinfo=UTC)) == [AccountLimits(per_day=9)]
    ramp = edited.model_copy(update={"warm_up": WarmUp.model_validate({"starts_on": "2026-01-01", "per_day": {1: 5}})})
    assert it.when(Edit(ramp)).then(ramp).state.limits_on(datetime(2026, 1, 1, 23, tzinfo=UTC))[0].per_day == 5
    it.when(Edit(edited.model_copy(update={"senders": ["nobody"]}))).then_refused("address_invalid", "senders.0")
    for change in ({"host": "other.example"}, {"port": 465}, {"tls": "implicit"}, {"username": "u"}):
        moved = edited.model_copy(update=change)
        assert not spec(AccountDecider()).given(ADDED, good).when(Edit(moved)).then(moved).state.working
    secret = edited.model_copy(update={"password_changed": True})
    assert not it.when(Edit(secret)).then(secret, repeats="a password is a change each time").state.working


def test_a_campaign_is_opened_once_and_closed_for_good() -> None:
    """It does not end before it starts."""
    opened = CampaignOpened(name="c", lists=["l"])
    reversed_ = CampaignOpened.model_validate(
        {"name": "c", "lists": ["l"], "starts_on": "2026-02-02", "ends_on": "2026-02-01"}
    )
    spec(CampaignDecider()).when(Open(reversed_)).then_refused("dates_reversed", "ends_on")
    it = spec(CampaignDecider()).when(Open(opened)).then(opened)
    it.when(Open(opened.model_copy(update={"name": "d"}))).then_refused("campaign_exists")
    it.when(Close()).then(CampaignClosed())


def test_a_campaign_is_edited_until_it_is_deleted() -> None:
    """It is deleted when no mailing of it is on its way; what was opened otherwise counts as it is now."""
    opened = CampaignOpened(name="c", lists=["l"])
    edited = CampaignEdited(name="d", lists=["l", "k"])
    spec(CampaignDecider()).when(EditCampaign(edited)).then_refused("campaign_unknown")
    it = spec(CampaignDecider()).given(opened).when(EditCampaign(edited)).then(edited)
    it.when(Open(opened)).then_refused("campaign_exists")
    wrong = CampaignEdited.model_validate(edited.model_dump() | {"starts_on": "2026-02-02", "ends_on": "2026-02-01"})
    it.when(EditCampaign(wrong)).then_refused("dates_reversed", "ends_on")
    it.when(DeleteCampaign(["m1"])).then_refused("campaign_running", "campaign")
    gone = it.when(DeleteCampaign([])).then(CampaignDeleted())
    gone.when(EditCampaign(edited)).then_refused("campaign_deleted")
    gone.when(Close()).then_refused("campaign_deleted")


@pytest.mark.parametrize("zone", ["Mars/Base", "", "/etc/passwd", "../../etc", "Europe", "x\0y"])
def test_a_bad_zone_is_refused(zone: str) -> None:
    """Whatever stands there, the answer is a refusal of the field."""
    refusal = schedule.problem(None, zone)
    assert refusal is not None
    assert refusal.code == "zone_unknown"


def test_a_chunk_is_about_a_minute_of_work() -> None:
    """At 500 an hour it has eight recipients, without a limit five hundred, never none."""
    assert fan_out.chunk_size(fan_out.rate(Limits(per_hour=500))) == 8
    assert fan_out.chunk_size(fan_out.rate(Limits())) == 500
    assert fan_out.chunk_size(fan_out.rate(Limits(per_hour=1), Limits(seconds_between=3600))) == 1


def test_each_lane_has_two_minutes_of_work_and_no_more() -> None:
    """A lane that stands still does not keep another one from its work."""
    unplanned = [Piece(n, "gmail" if n % 2 else "rest", 10) for n in range(40)]
    chosen = fan_out.choose(0.5, [Piece(90, "gmail", 60)], unplanned)
    assert [piece.n for piece in chosen] == [0, 2, 4, 6, 8, 10]


@given(st.floats(0.001, 1000), st.lists(st.integers(1, 500), max_size=100), st.integers(1, 64))
def test_planned_work_is_bounded(rate: float, sizes: list[int], most: int) -> None:
    """At most two minutes and one chunk more, at most so many chunks, and never nothing while something is left."""
    chosen = fan_out.choose(rate, [], [Piece(n, "rest", size) for n, size in enumerate(sizes)], most_open=most)
    assert len(chosen) <= most
    assert bool(chosen) == bool(sizes)
    assert sum(piece.size for piece in chosen[:-1]) < max(rate * 120, 1)


def test_a_mailing_is_complete_when_every_chunk_is() -> None:
    """Totals are summed; an empty audience never completes."""
    assert completion.totals(2, [{"accepted": 1}]) is None
    assert completion.totals(2, [{"accepted": 1}, {"accepted": 2, "rejected": 1}]) == {"accepted": 3, "rejected": 1}
    assert completion.totals(0, []) is None


def test_large_providers_have_lanes_of_their_own() -> None:
    """From five per cent of the audience, six at most."""
    assert providers.lanes({"gmail": 10, "yahoo": 4, "": 86}) == {"gmail": "gmail", "yahoo": "rest", "": "rest"}
    many = dict.fromkeys(BUILT_IN.table, 10) | {"": 0}
    assert len(set(providers.lanes(many).values())) == 7


def commit(seq: int, event: DomainEvent) -> Commit:
    """Return a commit as the log has it."""
    at = datetime(2026, 1, 1, tzinfo=UTC)
    return Commit(seq, "x", at, (EventRecord(str(seq), event, "x", seq, 0, at, at),))


def test_a_doubt_is_open_until_it_is_decided_or_sent_again() -> None:
    """One that comes back after a decision to resend is open again."""
    doubted = RecipientsSettled(groups=[Group(outcome="in_doubt", indexes="0-2")])
    claimed = RecipientsClaimed(indexes="1", digests="", date=0)
    resend = DoubtDecided(n=4, indexes="1", decision="resend")
    elsewhere = DoubtDecided(n=5, indexes="0", decision="accepted")
    assert open_doubts(4, [commit(5, doubted)], []) == (frozenset({0, 1, 2}), 0)
    decided = [commit(6, resend), commit(7, elsewhere)]
    assert open_doubts(4, [commit(5, doubted)], decided) == (frozenset({0, 2}), 1)
    again = RecipientsSettled(groups=[Group(outcome="in_doubt", indexes="1")])
    chunk = [commit(5, doubted), commit(8, claimed), commit(9, again)]
    assert open_doubts(4, chunk, decided) == (frozenset({0, 1, 2}), 1)
