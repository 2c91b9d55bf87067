"""When a mailing stops by itself."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.planner.mailings.mailing import MailingDecider
from services.planner.mailings.orders import Stop
from services.planner.mailings.thresholds import Tried, why_stop
from shared.contracts.mailing import MailingDrafted, MailingPaused, MailingResumed, SendingStarted
from shared.contracts.mailing_settings import StopRules
from tests.harness.decider_spec import spec

DRAFTED = MailingDrafted(campaign="c", name="n", account="a", content="h", subject="s", stop=StopRules())


@pytest.mark.parametrize(
    ("tried", "stops"),
    [
        (Tried(0, 0, 0), False),
        (Tried(0, 199, 0), False),
        (Tried(180, 20, 0), False),
        (Tried(179, 21, 0), True),
        (Tried(150, 0, 50), False),
        (Tried(149, 0, 51), True),
        (Tried(100_000, 9_000, 9_000), False),
    ],
)
def test_it_stops_above_a_share_of_those_answered(tried: Tried, *, stops: bool) -> None:
    """Not before enough were answered, not at the share itself, and never for what is within it."""
    assert bool(why_stop(StopRules(), tried)) is stops


def test_the_reason_says_what_happened_and_what_to_do() -> None:
    """Numbers, what is allowed, and what comes next; it fits the reason of a pause."""
    why = why_stop(StopRules(after=10, bounces=0.05), Tried(8, 2, 0))
    assert why.startswith("stopped by itself: 2 of 10 mails (20.0%, 5.0% allowed) bounced")
    assert "resume or cancel" in why
    assert len(why) < 300


def test_it_can_be_turned_off() -> None:
    """One threshold or all; what was drafted before there were any has none."""
    awful = Tried(0, 1000, 0)
    assert not why_stop(None, awful)
    assert not why_stop(StopRules(bounces=None), awful)
    assert why_stop(StopRules(errors=None), awful)


def test_complaints_count_where_a_share_is_set_and_there_are_a_few() -> None:
    """Off unless asked for; five at least, as one complaint is too many for any share that makes sense."""
    assert not why_stop(StopRules(), Tried(1000, 0, 0, 500))
    assert not why_stop(StopRules(complaints=0.003), Tried(200, 0, 0, 4))
    assert "brought complaints" in why_stop(StopRules(complaints=0.003), Tried(1000, 0, 0, 5))
    assert not why_stop(StopRules(complaints=0.003), Tried(10_000, 0, 0, 30))


@given(st.integers(0, 500), st.integers(0, 500), st.integers(0, 500), st.integers(1, 300), st.floats(0, 1))
def test_a_small_mailing_never_stops_and_more_accepted_never_stops_one(
    accepted: int, bounced: int, failed: int, after: int, share: float
) -> None:
    """Laws: below `after` nothing is judged; one more accepted mail does not turn a judged go-on into a stop."""
    rules = StopRules(after=after, bounces=share, errors=share)
    tried = Tried(accepted, bounced, failed)
    why = why_stop(rules, tried)
    assert not why or tried.answered >= after
    if tried.answered >= after and not why:
        assert not why_stop(rules, tried._replace(accepted=accepted + 1))


def test_a_mailing_is_stopped_once_for_each_resume() -> None:
    """What was seen before somebody resumed it does not stop it again."""
    running = (DRAFTED, SendingStarted())
    spec(MailingDecider()).given(*running).when(Stop("why", 0)).then(MailingPaused(reason="why"))
    resumed = (*running, MailingPaused(reason="why"), MailingResumed())
    spec(MailingDecider()).given(*resumed).when(Stop("why", 0)).then()
    spec(MailingDecider()).given(*resumed).when(Stop("why", 1)).then(MailingPaused(reason="why"))
    spec(MailingDecider()).given(DRAFTED).when(Stop("why", 0)).then()
