"""Metrics of a service, named `posthaste_<thing>_<unit>`, in the registry of the process; the ops port shows them.

A label has few values, fixed by the program: the name of a command, an outcome, a view. Never a subject, an id or an
address, which would make a series each and, worse, leave personal data in the monitoring.
"""

import re
from collections.abc import Sequence

from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, Counter, Gauge, Histogram, generate_latest

_NAME = re.compile(r"posthaste(_[a-z0-9]+){2,}")
_UNBOUNDED = frozenset(
    {"address", "campaign", "chunk", "contact", "domain", "email", "id", "mailing", "recipient", "seq", "subject"}
)
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)

CONTENT_TYPE = CONTENT_TYPE_LATEST


def _checked(name: str, labels: Sequence[str]) -> None:
    if not _NAME.fullmatch(name):
        raise ValueError(f"{name!r} is not named posthaste_<thing>_<unit>")
    if unbounded := _UNBOUNDED.intersection(labels):
        raise ValueError(f"{name}: a label {', '.join(sorted(unbounded))} would make a series for each value")


def counter(name: str, meaning: str, labels: Sequence[str] = ()) -> Counter:
    """Return a new counter; its name ends in `_total`."""
    _checked(name, labels)
    return Counter(name, meaning, labels)


def gauge(name: str, meaning: str, labels: Sequence[str] = ()) -> Gauge:
    """Return a new gauge."""
    _checked(name, labels)
    return Gauge(name, meaning, labels)


def histogram(name: str, meaning: str, labels: Sequence[str] = (), buckets: Sequence[float] = _SECONDS) -> Histogram:
    """Return a new histogram, of seconds unless other buckets are given."""
    _checked(name, labels)
    return Histogram(name, meaning, labels, buckets=buckets)


def exposition() -> bytes:
    """Return all metrics of this process in the text format of Prometheus."""
    return generate_latest(REGISTRY)
