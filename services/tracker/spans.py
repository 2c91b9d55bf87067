"""Hits and consent acts as spans in the trace of their mailing, each linked to the chunk that the mail went out with.

Hits come by the thousand: a process shows at most five commits a second, each as one span for a mailing, with counts.
"""

from collections.abc import Iterable, Sequence

from shared import tracing
from shared.contracts.engagement import Hit
from shared.tracing import MOST_LINKS

A_SECOND = 5.0


def trace_hits(hits: Sequence[Hit], began: int) -> None:
    """Record that hits were kept just now: one span for each of their mailings."""
    for mailing in dict.fromkeys(hit.mailing for hit in hits[: MOST_LINKS if began else 0]):
        its = [hit for hit in hits if hit.mailing == mailing]
        clicks = sum(hit.kind == "click" for hit in its)
        _record("hits", began, mailing, (hit.n for hit in its), opens=len(its) - clicks, clicks=clicks)


def trace_act(kind: str, mailing: str, n: int, began: int) -> None:
    """Record that a consent act (`out` or `in`) was kept just now."""
    _record(f"opt {kind}", began, mailing, [n])


def _record(name: str, began: int, mailing: str, chunks: Iterable[int], **counts: int) -> None:
    whole = tracing.whole(mailing)
    links = [tracing.piece(mailing, "chunk", n) for n in dict.fromkeys(chunks)]
    tracing.record(name, began, tracing.some(whole), kind="server", parent=whole, links=links, what=counts)
