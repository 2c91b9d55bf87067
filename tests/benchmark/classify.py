"""How many mails that came back are read a second, in one process.

The mails are those of the tests, each with the newsletter of 10 KB that many mail systems return whole. The yardstick
is the parser of the standard library alone, `email.message_from_bytes`, on the same mails: it only takes them apart.
"""

import email
import statistics
import time
from collections.abc import Callable

from services.tracker.feedback import judging
from services.tracker.feedback.reading import read
from tests.benchmark.outcome import Outcome, Yardstick, emit
from tests.spec.feedback import mails

MAILS = 6_000
ROUNDS = 5
_NEWSLETTER = "A line of a newsletter that nobody will read again, and a link: https://shop.example/p\n" * 115


def corpus() -> list[bytes]:
    """Return the mails, all different in what they return."""
    return [text.replace("\nHello\n", f"\n{_NEWSLETTER}\n").encode() for text, _ in mails.ALL.values()]


def rate(work: Callable[[bytes], object], raws: list[bytes], count: int) -> float:
    """Return the mails a second."""
    began = time.perf_counter()
    for number in range(count):
        work(raws[number % len(raws)])
    return count / (time.perf_counter() - began)


def _afresh(raw: bytes) -> object:
    """Read without what was learnt from the same words before."""
    judging.forget()
    return read(raw)


def run(count: int = MAILS, rounds: int = ROUNDS) -> None:
    """Measure in turns and print the medians."""
    raws = corpus()
    rate(read, raws, len(raws))
    measured = [
        (rate(email.message_from_bytes, raws, count), rate(_afresh, raws, count), rate(read, raws, count))
        for _ in range(rounds)
    ]
    parsed, ours, alike = (statistics.median(column) for column in zip(*measured, strict=True))
    more: dict[str, object] = {"words_seen_before": alike, "mails": len(raws)}
    yardstick = Yardstick("email.message_from_bytes", parsed)
    emit(Outcome("classify", ours, "mails/s", yardstick, ours / parsed, more=more))
