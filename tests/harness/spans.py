"""Spans kept in a list, for tests within one process."""

from collections.abc import Iterator
from contextlib import contextmanager

from shared import tracing
from shared.tracing import Span


class _Recorder:
    def __init__(self, spans: list[Span]) -> None:
        self.record = spans.append

    def close(self) -> None:
        """Nothing is left to do."""


@contextmanager
def recorded(share: float = 1.0) -> Iterator[list[Span]]:
    """Trace into the list that is yielded."""
    spans: list[Span] = []
    tracing.use(_Recorder(spans), share)
    try:
        yield spans
    finally:
        tracing.turn_off()
