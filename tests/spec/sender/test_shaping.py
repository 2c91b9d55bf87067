"""What replies of a relay say of us, and what follows: rules as data, thresholds, slow-downs that recover."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.sender.chunks.rows import Row
from services.sender.replies.reply import Phase, classify
from services.sender.shaping.relay import (
    Command,
    PauseAccount,
    RelayDecider,
    ReleaseAccount,
    ReleaseDue,
    SlowProvider,
    SuspendProvider,
)
from services.sender.shaping.rules import ACTIONS, Ear, Rule, Said, Strike, begins_anew, parse, rules
from services.sender.shaping.shaper import Shaper
from services.sender.smtp.offers import OURS as NOT_OFFERED
from services.sender.smtp.window import Result
from shared.contracts.envelope import DomainEvent
from shared.contracts.relay import (
    EVERYTHING,
    AccountPaused,
    AccountReleased,
    ProviderReleased,
    ProviderSlowed,
    ProviderSuspended,
)
from shared.contracts.subjects import ChunkRef
from tests.harness.decider_spec import spec

T = datetime(2026, 11, 27, 21, 34, 56, tzinfo=UTC)
DECIDER = RelayDecider()


def _said(code: int, enhanced: str, text: str, provider: str = "gmail") -> Said:
    return Said(provider, code, enhanced, text, classify(Phase.RCPT, code, enhanced, text).kind)


def _hear(said: Said, times: int, every: float = 1.0) -> list[Strike]:
    ear = Ear(rules())
    heard = (ear.hear(said, T + timedelta(seconds=every * place)) for place in range(times))
    return [strike for strike in heard if strike is not None]


@pytest.mark.parametrize(
    ("code", "enhanced", "text", "action", "provider", "times"),
    [
        (554, "5.7.1", "Relay access denied", "pause", EVERYTHING, 1),
        (554, "5.7.1", "Client host blocked using zen.spamhaus.org", "pause", EVERYTHING, 3),
        (550, "5.7.26", "unauthenticated email", "pause", EVERYTHING, 3),
        (550, "5.7.25", "no reverse DNS", "pause", EVERYTHING, 3),
        (550, "5.4.5", "Daily user sending quota exceeded", "rest", EVERYTHING, 1),
        (451, "4.7.0", "hourly message limit reached", "rest", EVERYTHING, 1),
        (421, "4.7.28", "unusual rate of mail", "slow", "gmail", 2),
        (421, "4.7.0", "[TSS04] Messages deferred", "suspend", "gmail", 2),
        (421, "4.3.2", "closing", "slow", "gmail", 5),
        (450, "4.7.1", "Greylisted", None, "", 100),
        (550, "5.1.1", "User unknown", None, "", 100),
        (554, "5.7.1", "Message looks like spam", None, "", 100),
    ],
)
def test_what_follows_from_a_reply_and_from_how_many(  # noqa: PLR0917 - a table
    code: int, enhanced: str, text: str, action: str | None, provider: str, times: int
) -> None:
    """A rule strikes at its threshold, not before: at the provider, or at the account where it speaks of us."""
    said = _said(code, enhanced, text)
    if action is None:
        assert not _hear(said, times, every=0.1)
        return
    assert not _hear(said, times - 1)
    strike, *_ = _hear(said, times)
    assert (strike.rule.action, strike.provider) == (action, provider)


def test_what_was_heard_too_long_ago_does_not_count() -> None:
    """The threshold is a number within a period."""
    said = _said(421, "4.7.28", "unusual rate of mail")
    assert not _hear(said, 50, every=61)
    assert len(_hear(said, 50, every=1)) == 25


def test_the_operators_rules_come_first() -> None:
    """A file of one's own adds rules, and overrides ours."""
    own = parse('[[rule]]\nname = "mine"\nwords = "unusual"\nproviders = ["gmail"]\naction = "suspend"\nseconds = 30\n')
    strike = Ear((*own, *rules())).hear(_said(421, "4.7.28", "Unusual rate"), T)
    assert strike is not None
    assert (strike.rule.name, strike.until) == ("mine", T + timedelta(seconds=30))
    assert Ear(own).hear(_said(421, "4.7.28", "Unusual rate", "yahoo"), T) is None


@pytest.mark.parametrize(
    "text",
    [
        '[[rule]]\nname = "a"\naction = "explode"',
        '[[rule]]\nname = "a"\naction = "slow"\nwords = "("',
        '[[rule]]\naction = "slow"',
        '[[rules]]\nname = "a"',
        "rule",
    ],
)
def test_a_file_of_rules_that_does_not_fit_is_refused(text: str) -> None:
    """The sender refuses to start instead of ignoring what was meant."""
    with pytest.raises(ValueError, match=r"rule|Expected"):
        parse(text)


def test_all_actions_are_used_by_our_own_rules() -> None:
    """Names of our rules are unique, and what a rule can do is done by one of them."""
    ours = rules()
    assert {rule.action for rule in ours} == set(ACTIONS)
    assert len({rule.name for rule in ours}) == len(ours)


@pytest.mark.parametrize(
    ("text", "until"),
    [
        ("Daily sending quota exceeded", datetime(2026, 11, 28, tzinfo=UTC)),
        ("limit per hour reached", datetime(2026, 11, 27, 22, tzinfo=UTC)),
        ("too many messages per minute", datetime(2026, 11, 27, 21, 35, tzinfo=UTC)),
        ("quota reached, try again in 90 seconds", T + timedelta(seconds=90)),
        ("quota reached", T + timedelta(seconds=600)),
    ],
)
def test_a_quota_begins_anew_when_the_relay_says_or_with_its_period(text: str, until: datetime) -> None:
    """As the reply says; else with the day, hour or minute it speaks of; else after the seconds of the rule."""
    assert begins_anew(text, T, timedelta(seconds=600)) == until


def _slow(at: datetime, observed: int, floor: int = 60) -> SlowProvider:
    return SlowProvider("gmail", "too-fast", at, observed, floor, step=120.0, calm=5.0)


def _slowed(since: datetime, per_hour: int, full: int) -> ProviderSlowed:
    return ProviderSlowed(provider="gmail", rule="too-fast", since=since, per_hour=per_hour, full=full, step=120.0)


def test_a_provider_is_slowed_to_half_of_what_went_out_and_once_a_burst() -> None:
    """The second refusal of a burst changes nothing, one after it halves again; it recovers to what was before."""
    first = _slowed(T, 4000, 8000)
    spec(DECIDER).given().when(_slow(T, 8000)).then(first)
    spec(DECIDER).given(first).when(_slow(T + timedelta(seconds=4), 8000)).then()
    later = T + timedelta(seconds=6)
    spec(DECIDER).given(first).when(_slow(later, 8000)).then(_slowed(later, 2000, 8000))


def test_a_suspension_is_prolonged_and_never_shortened() -> None:
    """Another one that ends earlier says nothing."""
    order = SuspendProvider("yahoo", "r", T, T + timedelta(hours=2))
    event = ProviderSuspended(provider="yahoo", rule="r", since=T, until=T + timedelta(hours=2))
    spec(DECIDER).given().when(order).then(event)
    spec(DECIDER).given(event).when(SuspendProvider("yahoo", "r", T, T + timedelta(hours=1))).then()


def test_what_is_over_is_released_once_and_a_good_test_ends_pause_and_suspension() -> None:
    """By the clock, or because the account tests well; a slow-down is not ended by a test."""
    slow = _slowed(T, 4000, 8000)
    held = ProviderSuspended(provider="yahoo", rule="r", since=T, until=T + timedelta(hours=2))
    spec(DECIDER).given(slow, held).when(ReleaseDue(T + timedelta(seconds=119))).then()
    spec(DECIDER).given(slow, held).when(ReleaseDue(T + timedelta(seconds=120))).then(
        ProviderReleased(provider="gmail", what="slowed")
    )
    spec(DECIDER).given(slow, held, AccountPaused(reason="535")).when(ReleaseAccount("e1")).then(
        AccountReleased(cause="e1"), ProviderReleased(provider="yahoo", what="suspended", cause="e1")
    )
    spec(DECIDER).given(AccountPaused(reason="535")).when(PauseAccount("again")).then()


steps = st.lists(
    st.tuples(st.floats(0, 900), st.integers(0, 10_000_000), st.integers(1, 5000)), min_size=1, max_size=30
)


@given(steps)
def test_a_slow_down_always_recovers_and_is_never_slower_than_its_floor(story: list[tuple[float, int, int]]) -> None:
    """Whatever was heard when: at least the floor (or the rate before), never faster by it, over in time."""
    state, at = DECIDER.initial(), T
    for wait, observed, floor in story:
        at += timedelta(seconds=wait)
        before = state.slowed["gmail"].rate(at) if "gmail" in state.slowed else None
        decided = DECIDER.decide(state, _slow(at, observed, floor))
        assert isinstance(decided, list)
        events: list[DomainEvent] = decided
        for event in events:
            state = DECIDER.evolve(state, event)
            assert isinstance(event, ProviderSlowed)
            rate = event.rate(at)
            assert rate is not None
            assert rate >= min(floor, before or floor)
            assert before is None or rate <= before
    slow = state.slowed["gmail"]
    rates = [slow.rate(slow.since + timedelta(seconds=place * slow.step)) for place in range(60)]
    known = [rate for rate in rates if rate is not None]
    assert known == sorted(known)
    assert rates[-1] is None
    assert slow.rate(slow.until) is None
    released = DECIDER.decide(state, ReleaseDue(slow.until))
    assert released == [ProviderReleased(provider="gmail", what="slowed")]


async def test_what_we_refuse_ourselves_says_nothing_of_a_relay() -> None:
    """A mail that a relay was not even asked to take strikes no rule, however worded; the same reply of it does."""
    rule = Rule(name="too-large", action="pause", codes=("552",))
    orders: list[Command] = []

    async def say(_account: str, command: Command) -> None:
        orders.append(command)

    shaper = Shaper([rule], say)
    ref, rows = ChunkRef("acc1", "rest", "m1", 0), [Row({"address": "ann@example.com"})]
    result = Result(0, Phase.MAIL, 552, "5.3.4", "too large", reason=NOT_OFFERED)
    await shaper.heard(ref, [result], rows)
    assert not orders
    await shaper.heard(ref, [replace(result, reason="")], rows)
    assert len(orders) == 1


async def test_what_is_said_of_a_mail_counts_for_the_provider_whose_it_is_known_to_be() -> None:
    """In `rest` a domain tells nothing of who runs its mail exchangers; the payload does."""
    rule = Rule(name="slow", action="slow", codes=("4",))
    orders: list[Command] = []

    async def say(_account: str, command: Command) -> None:
        orders.append(command)

    rows = [Row({"address": "ann@firm.cz", "provider": "gmail"}), Row({"address": "bob@gmail.com"})]
    shaper = Shaper([rule], say)
    await shaper.heard(ChunkRef("acc1", "rest", "m1", 0), [Result(0, Phase.RCPT, 421, "4.7.0", "slow down")], rows)
    assert [each.provider for each in orders if isinstance(each, SlowProvider)] == ["gmail"]
