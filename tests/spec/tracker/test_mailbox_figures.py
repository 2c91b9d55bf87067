"""How many mailboxes stand how, as a tracker shows it."""

from prometheus_client import REGISTRY

from services.tracker.mailboxes import metrics


def _standing(state: str) -> float | None:
    return REGISTRY.get_sample_value("posthaste_mailboxes_count", {"state": state})


def test_a_mailbox_counts_in_the_state_it_was_seen_in_last() -> None:
    """One that was removed counts nowhere."""
    metrics.stands("m1", "paused")
    metrics.stands("m2", "failing")
    metrics.stands("m1", "waiting")
    assert [_standing(state) for state in ("new", "waiting", "reading", "failing", "paused")] == [0, 1, 0, 1, 0]
    metrics.gone("m2")
    metrics.gone("m1")
    assert [_standing(state) for state in ("waiting", "failing")] == [0, 0]
