"""Instants as milliseconds since 1970, as tables keep them, and back: exact both ways.

A float of seconds is not: it may fall short of the millisecond it stands for, and is then cut to the one before.
"""

from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


def from_millis(millis: int) -> datetime:
    """Return the instant so many milliseconds after 1970, in UTC."""
    return _EPOCH + millis * _MILLISECOND


def to_millis(instant: datetime) -> int:
    """Return how many whole milliseconds after 1970 an instant is."""
    return (instant - _EPOCH) // _MILLISECOND
