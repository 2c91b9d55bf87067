"""Which chunks to plan next: about two minutes of work a lane, never more; and only what is left of a batch.

Pure. In: the rate, the chunks whose first pass is open, the chunks of the audience not yet planned. Out: the numbers to
plan now. A chunk that passed and waits for greylisted recipients does not count, or a lane would stand still for them.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import ceil

from shared.contracts.account import Limits
from shared.contracts.mailing_settings import Batch


@dataclass(frozen=True, slots=True)
class Piece:
    """A chunk of the frozen audience.

    Attributes:
        zone: The time zone of its recipients, where zones matter.
        version: Which one of an A/B test they get as its sample; "" for whoever is not of it.
    """

    n: int
    lane: str
    size: int
    zone: str = ""
    version: str = ""


def rate(*limits: Limits) -> float | None:
    """Return the mails a second that all `limits` together allow, None where nothing limits them."""
    rates = [most / period for each in limits for most, period in each.windows()]
    rates += [1 / each.seconds_between for each in limits if each.seconds_between is not None]
    return min(rates, default=None)


def chunk_size(per_second: float | None, most: int = 500, batch: Batch | None = None) -> int:
    """Return how many recipients a chunk has at a rate: about a minute of work, and equal parts of a batch."""
    size = most if per_second is None else max(1, min(most, int(per_second * 60)))
    return size if batch is None else ceil(batch.size / ceil(batch.size / size))


def room(batch: Batch, planned: Sequence[tuple[int, int]], now: int) -> tuple[int, int]:
    """Return how many recipients a batch has room for at `now`, and when it has more; all in milliseconds.

    `planned` holds when and how many recipients were planned in the last period, in order of time.
    """
    period = batch.minutes * 60_000
    recent = [(at, size) for at, size in planned if at > now - period]
    left = max(0, batch.size - sum(size for _, size in recent))
    return left, recent[0][0] + period if recent else now


def choose(
    per_second: float | None,
    open_pieces: Iterable[Piece],
    unplanned: Sequence[Piece],
    *,
    seconds: float = 120,
    most_open: int = 64,
    most: int | None = None,
) -> list[Piece]:
    """Return the pieces of `unplanned` (in order) to plan now, so that every lane has `seconds` of work, no more.

    `most`: how many recipients they may have together, None where nothing limits them.
    """
    work: Counter[str] = Counter()
    count: Counter[str] = Counter()
    for piece in open_pieces:
        work[piece.lane] += piece.size
        count[piece.lane] += 1
    wanted: list[Piece] = []
    for piece in unplanned:
        enough = per_second is not None and work[piece.lane] >= per_second * seconds and count[piece.lane] > 0
        if enough or count[piece.lane] >= most_open:
            continue
        if most is not None:
            if piece.size > most:
                continue
            most -= piece.size
        work[piece.lane] += piece.size
        count[piece.lane] += 1
        wanted.append(piece)
    return wanted
