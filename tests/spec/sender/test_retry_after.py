"""Times that relays name in their replies."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.sender.replies.retry_after import LONGEST, retry_after

NAMED = (
    ("Greylisted, please try again in 300 seconds", 300),
    ("Greylisting in action, please come back in 00:04:57", 297),
    ("Recipient address rejected: Greylisted for 5 minutes", 300),
    ("Greylisted for 300s, see http://postgrey.example/help/example.com.html", 300),
    ("Please retry in 5 minutes", 300),
    ("Temporarily deferred. Try again after 15 min.", 900),
    ("Try again later (in 1 hour)", None),
    ("rate limit exceeded, retry after 1h", 3600),
    ("Too many messages, wait 60 seconds before sending again", 60),
    ("retry=120s", 120),
    ("retry-after: 90", 90),
    ("Please wait at least 2 hours before the next delivery", 7200),
    ("30 seconds until the next message is taken", 30),
    ("Deferred for 10 minutes", 600),
    ("IP blocked for 2 days", 86_400),
    ("try again in 900000 seconds", LONGEST),
)

NOT_NAMED = (
    "",
    "Greylisted, try again later",
    "Mailbox full (5 MB)",
    "Message exceeds 300 seconds of nothing",
    "Connected for 300 s",
    "try again in 0 seconds",
    "retry in 5 bananas",
    "4.7.0 [TSS04] Messages from 192.0.2.1 temporarily deferred due to user complaints",
    "after 12 messages",
    "try again; code 1.2.3.4",
)


@pytest.mark.parametrize(("text", "seconds"), NAMED)
def test_a_named_time_is_understood(text: str, seconds: float | None) -> None:
    """Seconds, minutes, hours, days and clocks, in the words that relays use."""
    assert retry_after(text) == seconds


@pytest.mark.parametrize("text", NOT_NAMED)
def test_other_numbers_are_no_times(text: str) -> None:
    """Only what is said about waiting counts."""
    assert retry_after(text) is None


@given(st.text(max_size=500))
def test_any_text_has_a_bounded_answer(text: str) -> None:
    """Whatever a relay says, the wait is none or between nothing and a day."""
    wait = retry_after(text)
    assert wait is None or 0 < wait <= LONGEST


def test_no_text_takes_long() -> None:
    """A hostile reply cannot hold the sender up."""
    began = time.perf_counter()
    for hostile in ("retry in for " * 40, "again " * 80, "1" * 500, "wait:" * 100 + "(" * 100, "after the next " * 33):
        retry_after(hostile[:500])
    assert time.perf_counter() - began < 0.5
