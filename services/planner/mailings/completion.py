"""When a mailing is done: every chunk of its audience is planned and finished.

Pure. The totals are summed over the chunks by outcome; doubts count as done, the mailing says how many there are.
"""

from collections import Counter
from collections.abc import Iterable, Mapping


def totals(chunks: int, finished: Iterable[Mapping[str, int]]) -> dict[str, int] | None:
    """Return the totals of a mailing of `chunks` chunks whose finished ones ended so, None while any is missing."""
    sums: Counter[str] = Counter()
    count = 0
    for ended in finished:
        sums.update(ended)
        count += 1
    return dict(sorted(sums.items())) if count >= chunks > 0 else None
