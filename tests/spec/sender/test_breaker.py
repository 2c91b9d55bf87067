"""The breaker of an account: nobody knocks at a relay that is down but one, now and then."""

from hypothesis import given
from hypothesis import strategies as st

from services.sender.shaping.breaker import FIRST, LONGEST, Breaker


def test_while_open_one_alone_tries_after_each_rest() -> None:
    """Closed: all. Open: nobody until the rest is over, then one; when that works, all again."""
    breaker = Breaker()
    assert breaker.may(0)
    assert not breaker.begin()
    rest = breaker.failed(0, 0.0)
    assert rest == FIRST
    assert not breaker.may(0.5)
    assert breaker.may(1.0)
    assert breaker.begin()
    assert not breaker.may(1.0)
    assert breaker.failed(1.0, 0.0) == 2 * FIRST
    assert not breaker.may(2.9)
    assert breaker.begin()
    breaker.worked()
    assert breaker.may(2.9)


def test_what_was_under_way_when_it_opened_counts_once() -> None:
    """Forty lines that lose their connection at once are one failure."""
    breaker = Breaker()
    for _ in range(40):
        breaker.failed(0, 0.0)
    assert breaker.failures == 1


@given(st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.booleans()), max_size=60))
def test_rests_are_bounded_and_it_always_closes_again(story: list[tuple[float, bool]]) -> None:
    """Whatever happened: at most a minute and a quarter more to the next trial, and a good one ends it."""
    breaker, now = Breaker(), 0.0
    for jitter, works in story:
        now = max(now, breaker.until)
        assert breaker.may(now)
        breaker.begin()
        if works:
            breaker.worked()
            assert breaker.until == 0.0
        else:
            assert FIRST <= breaker.failed(now, jitter) <= LONGEST * 1.25
    breaker.let_go()
    assert breaker.may(max(now, breaker.until))
