"""When a deferred recipient is tried again."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.sender.chunks.retry import BackOff, Budget, next_try, pace
from services.sender.chunks.settle import Terms, groups
from services.sender.replies.reply import Phase
from services.sender.smtp.window import Result

T = datetime(2026, 11, 27, 21, 34, 56, tzinfo=UTC)
DAY = 86_400


def test_each_class_of_deferral_has_its_own_pace() -> None:
    """Greylisting and a busy host after five minutes, what speaks of us later, a full mailbox last."""
    back_off = BackOff(first=300, longest=14_400)
    first = {kind: back_off.wait(1, 0.0, kind) for kind in ("greylisted", "busy", "network", "rate", "mailbox-full")}
    assert first == {"greylisted": 300, "busy": 300, "network": 300, "rate": 900, "mailbox-full": 3600}
    assert [back_off.wait(n, 0.0, "greylisted") for n in (1, 2, 3)] == [300, 450, 675]
    assert [back_off.wait(n, 0.0, "busy") for n in (1, 2, 3)] == [300, 600, 1200]
    assert pace("authentication") == "ours"


@given(
    st.integers(1, 255),
    st.floats(0, 1, exclude_max=True),
    st.sampled_from(["", "greylisted", "rate", "quota", "busy", "anything"]),
    st.none() | st.floats(0.1, DAY),
    st.floats(0.1, 600),
    st.floats(600, 20_000),
)
def test_a_wait_is_bounded_and_never_shorter_than_asked_for(  # noqa: PLR0917 - what Hypothesis draws
    tries: int, jitter: float, kind: str, asked: float | None, first: float, longest: float
) -> None:
    """At most a quarter more than the longest; what the relay asks for is kept, unless it is more than that."""
    wait = BackOff(first, longest).wait(tries, jitter, kind, asked)
    assert min(first, longest) <= wait or asked is not None
    assert wait <= longest * 1.25
    if asked is not None:
        assert wait >= min(asked, longest)


def test_the_deadline_ends_the_wait_and_the_budget_ends_the_tries() -> None:
    """Beyond the deadline it waits for the deadline, at which it expires; beyond the budget it is not tried again."""
    claim = int(T.timestamp())
    assert next_try(T, 300, Budget(claim, DAY)) == T + timedelta(seconds=300)
    assert next_try(T, 300, Budget(claim, DAY, T + timedelta(seconds=60))) == T + timedelta(seconds=60)
    assert next_try(T, 300, Budget(claim - DAY, DAY)) is None
    assert next_try(T, 300, Budget(claim, DAY), held=T + timedelta(days=2)) == T + timedelta(days=2)
    assert next_try(T, 300, Budget(claim, DAY, T + timedelta(1)), held=T + timedelta(2)) == T + timedelta(1)


@pytest.mark.parametrize(
    ("code", "enhanced", "text", "outcome", "until"),
    [
        (554, "5.7.1", "Client host blocked using zen.spamhaus.org", "deferred", 900),
        (550, "5.7.26", "unauthenticated email", "deferred", 900),
        (550, "5.4.5", "Daily user sending quota exceeded", "deferred", 8704),
        (530, "5.7.0", "Authentication required", "deferred", 900),
        (550, "5.1.1", "User unknown", "rejected", None),
        (554, "5.7.1", "Message looks like spam", "rejected", None),
        (451, "4.7.1", "Greylisted, try again in 7 minutes", "deferred", 420),
    ],
)
def test_a_refusal_that_speaks_of_us_holds_the_mail(
    code: int, enhanced: str, text: str, outcome: str, until: float | None
) -> None:
    """Nobody is rejected because we are listed, not authenticated or over a quota."""
    terms = Terms(
        now=T,
        addresses={0: "ann@example.com"},
        tries=[0],
        dates={0: int(T.timestamp())},
        retry_for=DAY,
        back_off=BackOff(),
        jitter=0.0,
    )
    (group,) = groups([Result(0, Phase.RCPT, code, enhanced, text)], terms, 0)
    assert group.outcome == outcome
    assert group.until == (None if until is None else T + timedelta(seconds=until))
    assert group.scope != "address" or outcome == "rejected" or code == 451
