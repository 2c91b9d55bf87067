"""A chunk's recipients as bytes."""

from hypothesis import given
from hypothesis import strategies as st

from shared.contracts import outcomes
from shared.contracts.outcomes import ACCEPTED, IN_DOUBT, NAMES, PENDING, REJECTED


def test_a_sign_of_life_turns_doubt_into_accepted() -> None:
    """Somebody in doubt who opened the mail has got it."""
    states = bytearray(2)
    outcomes.settle(states, [0, 1], "in_doubt")
    assert outcomes.evidence(states, 0)
    assert outcomes.tally(states)[ACCEPTED] == 1
    assert outcomes.tally(states)[IN_DOUBT] == 1
    assert outcomes.by_evidence(states) == 1


def test_a_sign_may_come_before_the_doubt_is_known() -> None:
    """A mail is opened while its sender is dead; the doubt is recorded later, and is none."""
    states = bytearray(1)
    outcomes.evidence(states, 0)
    assert outcomes.tally(states)[PENDING] == 1
    outcomes.settle(states, [0], "in_doubt")
    assert outcomes.tally(states)[ACCEPTED] == 1


def test_a_sign_changes_nothing_for_who_is_settled() -> None:
    """An open of an accepted or rejected mail moves no count."""
    for outcome in ("accepted", "rejected", "skipped", "expired", "cancelled"):
        states = bytearray(1)
        outcomes.settle(states, [0], outcome)
        before = bytes(states)
        assert not outcomes.evidence(states, 0)
        assert states == before


def test_a_decision_moves_only_those_in_doubt() -> None:
    """Whoever was settled meanwhile stays as he is."""
    states = bytearray(3)
    outcomes.settle(states, [0], "in_doubt")
    outcomes.settle(states, [1], "accepted")
    outcomes.decide(states, [0, 1, 2], "rejected")
    assert [states[index] & outcomes.OUTCOME for index in range(3)] == [REJECTED, ACCEPTED, PENDING]


def test_every_outcome_has_one_status() -> None:
    """Pending, Sent and Failed cover all outcomes without overlap."""
    assert sorted(outcomes.STATUS_OF) == sorted(NAMES)
    assert sum(len(names) for names in outcomes.STATUS.values()) == len(NAMES)


STEPS = st.lists(
    st.tuples(st.sampled_from([*outcomes.CODES, "sign", "resend"]), st.sets(st.integers(0, 9), min_size=1)), max_size=30
)


@given(STEPS)
def test_nobody_is_ever_lost_from_the_tally(steps: list[tuple[str, set[int]]]) -> None:
    """Whatever happens in whatever order, everybody counts once."""
    states = bytearray(10)
    for what, indexes in steps:
        if what == "sign":
            for index in indexes:
                outcomes.evidence(states, index)
        elif what == "resend":
            outcomes.decide(states, indexes, what)
        else:
            outcomes.settle(states, indexes, what)
        assert sum(outcomes.tally(states)) == 10


@given(STEPS, st.integers(0, 9), st.integers(0, 30))
def test_when_the_sign_comes_does_not_matter(steps: list[tuple[str, set[int]]], index: int, place: int) -> None:
    """A sign before, between or after the outcomes gives the same tally in the end; final outcomes stand."""

    def ending(at: int) -> list[int]:
        states = bytearray(10)
        for number, (what, indexes) in enumerate([*steps, ("", set())]):
            if number == at:
                outcomes.evidence(states, index)
            if what in outcomes.CODES:
                open_ones = [i for i in indexes if states[i] & outcomes.OUTCOME in outcomes.UNSETTLED]
                outcomes.settle(states, open_ones, what)
        return outcomes.tally(states)

    assert ending(min(place, len(steps))) == ending(len(steps))
