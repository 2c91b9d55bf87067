"""Counters of the tracker."""

from prometheus_client import Counter

from shared.metrics import counter, gauge, histogram

REQUESTS = counter(
    "posthaste_tracker_requests_total", "Requests by what they asked for and the answer", ("kind", "status")
)
HITS_LOGGED = counter("posthaste_tracker_facts_logged_total", "Hits and consent acts acknowledged by the log")
HITS_SPOOLED = counter("posthaste_tracker_facts_spooled_total", "Hits and consent acts kept in the spool")
HITS_REPLAYED = counter(
    "posthaste_tracker_facts_replayed_total", "Hits and consent acts handed from the spool to the log"
)
HITS_LOST = counter("posthaste_tracker_facts_lost_total", "Hits and consent acts that neither log nor spool took")
FEEDBACK = counter(
    "posthaste_tracker_feedback_total",
    "Mails and events that came back, by kind and by whether a token proved a mail of ours",
    ("kind", "matched"),
)
SPOOL_DAMAGED = counter("posthaste_tracker_spool_lines_aside_total", "Lines of the spool set aside for an operator")
SPOOL_BYTES = gauge("posthaste_tracker_spool_bytes", "Bytes in the spool that the log has not taken yet")
WEBHOOKS = counter(
    "posthaste_tracker_webhooks_total", "Webhooks by provider and what became of them", ("provider", "outcome")
)
COMMIT_HITS = histogram(
    "posthaste_tracker_commit_hits", "Hits in one commit", buckets=(1, 2, 5, 10, 20, 50, 100, 200, 500)
)

_children: dict[tuple[str, int], Counter] = {}


def requests(kind: str, status: int) -> None:
    """Count a request (`status` 0: nobody was answered)."""
    child = _children.get((kind, status))
    if child is None:
        child = _children[kind, status] = REQUESTS.labels(kind, str(status))
    child.inc()


INTAKE_MAILS = counter(
    "posthaste_intake_mails_total", "Mails that a mail server handed in, by what became of them", ("result",)
)


def intake(result: str) -> None:
    """Count a mail that a mail server handed in."""
    INTAKE_MAILS.labels(result).inc()
