"""A/B tests: who is the sample, which version does best, and when that is decided."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.planner.audience.sample import Draw, size
from services.planner.mailings import orders
from services.planner.mailings.ab_test import best
from services.planner.mailings.mailing import Mailing, MailingDecider
from shared.contracts.mailing import (
    MailingCancelled,
    MailingPaused,
    MailingResumed,
    MailingScheduled,
    SampleSent,
    SendingStarted,
    WinnerChosen,
)
from shared.contracts.mailing_settings import AbTest, Figures, Version
from tests.harness.decider_spec import Spec, spec
from tests.spec.planner.test_planner_mailing import DRAFT, FROZEN, NOON, STARTED, WORKING, schedule

VERSIONS = {"b": Version(content="b" * 64, subject="t")}
TEST = AbTest(versions=VERSIONS, percent=20, by="clicks", wait_minutes=60)
SAMPLED = FROZEN.model_copy(update={"recipients": 20, "sample": {"a": 2, "b": 2}})
FIGURES = {"a": Figures(sent=2, opened=2), "b": Figures(sent=2, clicked=1)}
LATER = NOON + timedelta(minutes=60)
SENT = SampleSent(decides_at=LATER)
WON = WinnerChosen(version="b", by="clicks", figures=FIGURES)


def mailing(*events: object, test: AbTest = TEST) -> Spec[Mailing, orders.Command]:
    """Begin with a draft that has a test, and an audience with a sample."""
    drafted = DRAFT.model_copy(update={"ab_test": test})
    return spec(MailingDecider()).given(drafted, SAMPLED, MailingScheduled(at=NOON), *events)  # type: ignore[arg-type]


@pytest.mark.feature("B14")
def test_the_winner_is_chosen_after_the_waiting_time_and_by_nobody_before() -> None:
    """The sample is sent, an hour goes by, what did best goes to the rest."""
    it = mailing(STARTED).when(orders.NoteSample(NOON)).then(SENT)
    assert it.state.testing
    it.when(orders.Judge(LATER - timedelta(seconds=1), FIGURES)).then_nothing()
    it.when(orders.Judge(LATER, FIGURES)).then(WON)
    assert (it.state.testing, it.state.contents("")) == (False, {"b": "b" * 64})
    assert it.state.contents("a") == {"a": "0" * 64}
    it.when(orders.ChooseVersion("a", {})).then_refused("winner_chosen", "version")
    it.when(orders.ChooseVersion("b", {})).then_nothing()


@pytest.mark.feature("B14")
def test_nothing_is_chosen_while_it_is_paused_or_after_its_end() -> None:
    """It is chosen when the mailing goes on; by hand also while it is paused."""
    paused = mailing(STARTED, SENT, MailingPaused())
    paused.when(orders.Judge(LATER, FIGURES)).then_nothing()
    paused.given(MailingResumed()).when(orders.Judge(LATER, FIGURES)).then(WON)
    by_hand = mailing(STARTED, SENT, MailingPaused()).when(orders.ChooseVersion("a", FIGURES))
    by_hand.then(WinnerChosen(version="a", by="hand", figures=FIGURES))
    ended = mailing(STARTED, SENT, MailingCancelled())
    ended.when(orders.Judge(LATER, FIGURES)).then_nothing()
    ended.when(orders.ChooseVersion("a", FIGURES)).then_refused("mailing_not_running")


@pytest.mark.feature("B14")
def test_by_hand_nobody_but_a_person_or_the_deadline_decides() -> None:
    """A deadline takes what did best until then, so that the rest is not left for ever."""
    by_hand = TEST.model_copy(update={"by": "hand"})
    it = mailing(STARTED, test=by_hand).when(orders.NoteSample(NOON)).then(SampleSent())
    it.when(orders.Judge(NOON + timedelta(days=9), FIGURES)).then_nothing()
    ends = MailingScheduled(at=NOON, deadline=LATER)
    late = mailing(ends, STARTED, SampleSent(), test=by_hand).when(orders.Judge(LATER, FIGURES))
    late.then(WinnerChosen(version="b", by="deadline", figures=FIGURES))


@pytest.mark.feature("B14")
def test_a_version_is_chosen_of_those_there_are_once_it_started() -> None:
    """No version that is not there, none before the start, none of a mailing without a test."""
    mailing(STARTED).when(orders.ChooseVersion("d", {})).then_refused("version_unknown", "version")
    mailing().when(orders.ChooseVersion("b", {})).then_refused("mailing_not_running")
    plain = spec(MailingDecider()).given(DRAFT, SAMPLED, MailingScheduled(at=NOON), SendingStarted())
    plain.when(orders.ChooseVersion("b", {})).then_refused("no_ab_test", "mailing")
    few = spec(MailingDecider()).given(DRAFT.model_copy(update={"ab_test": TEST}), FROZEN)
    few.when(schedule(account=WORKING)).then_refused("sample_too_small", "ab_test")


@pytest.mark.feature("B14")
@pytest.mark.parametrize(
    ("figures", "by", "winner"),
    [
        ({"a": (10, 5, 1), "b": (10, 3, 2)}, "clicks", "b"),
        ({"a": (10, 5, 1), "b": (10, 3, 2)}, "opens", "a"),
        ({"a": (10, 5, 2), "b": (5, 5, 2)}, "clicks", "b"),  # shares, not numbers
        ({"a": (10, 3, 2), "b": (10, 5, 2)}, "clicks", "b"),  # equal: the other kind
        ({"a": (10, 0, 0), "b": (10, 0, 0)}, "clicks", "a"),  # nobody did anything: the draft
        ({"a": (0, 0, 0), "b": (1, 0, 0)}, "opens", "a"),
        ({"a": (3, 1, 1), "b": (10_000_000_000, 3_333_333_334, 3_333_333_334)}, "clicks", "b"),  # no rounding
    ],
)
def test_the_larger_share_wins(figures: dict[str, tuple[int, int, int]], by: str, winner: str) -> None:
    """By what was asked for, then the other kind, then the order of the letters."""
    told = {letter: Figures(sent=s, opened=o, clicked=c) for letter, (s, o, c) in figures.items()}
    assert best(told, by) == winner


@pytest.mark.feature("B14")
@given(
    total=st.integers(0, 300),
    percent=st.one_of(st.none(), st.floats(0.1, 100)),
    many=st.integers(2, 400),
    letters=st.sampled_from(["b", "bc", "bcde"]),
)
def test_a_sample_has_its_size_and_its_versions_equally_many(
    total: int, percent: float | None, many: int, letters: str
) -> None:
    """Exactly so many are drawn, each version as often as any other or once more, the same ones again."""
    others = {letter: Version(content="", subject="") for letter in letters}
    test = AbTest(versions=others, percent=percent, recipients=None if percent is not None else many)
    wanted = size(test, total)
    assert wanted == 0 if total <= len(letters) else len(test.letters) <= wanted <= total

    def drawn(of: str) -> list[str]:
        draw = Draw(of, test.letters, wanted, total)
        return [draw.version(f"c{place}") for place in range(total)]

    found = drawn("m1")
    assert found == drawn("m1")
    counts = [found.count(letter) for letter in test.letters]
    assert sum(counts) == wanted
    assert max(counts) - min(counts) <= 1


@pytest.mark.feature("B14")
def test_everybody_has_the_same_chance_and_each_mailing_draws_anew() -> None:
    """Over many mailings each recipient is drawn about as often; two mailings do not have the same sample."""
    hits = dict.fromkeys(range(40), 0)
    samples = set[tuple[int, ...]]()
    for one in range(1_000):
        draw = Draw(f"m{one}", ["a", "b"], 10, 40)
        sample = tuple(place for place in range(40) if draw.version(f"c{place}"))
        samples.add(sample)
        for place in sample:
            hits[place] += 1
    assert len(samples) > 990
    assert 180 < min(hits.values()) <= max(hits.values()) < 320
