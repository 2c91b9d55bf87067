"""Sets of indexes in few characters: `0-24,27` instead of 26 numbers."""

from collections.abc import Iterable


def pack(indexes: Iterable[int]) -> str:
    """Return sorted, distinct `indexes` as comma-separated runs."""
    runs: list[str] = []
    start = last = -1
    for index in sorted(set(indexes)):
        if start >= 0 and index == last + 1:
            last = index
            continue
        if start >= 0:
            runs.append(str(start) if start == last else f"{start}-{last}")
        start = last = index
    if start >= 0:
        runs.append(str(start) if start == last else f"{start}-{last}")
    return ",".join(runs)


def runs(packed: str) -> list[range]:
    """Return the runs of a packed set in ascending order; `ValueError` when it is none."""
    found: list[range] = []
    for run in packed.split(",") if packed else ():
        first, dash, last = run.partition("-")
        found.append(range(int(first), int(last if dash else first) + 1))
    return found


def unpack(packed: str) -> list[int]:
    """Return the indexes of a packed set in ascending order; `ValueError` when it is none."""
    return [index for run in runs(packed) for index in run]


def size(packed: str) -> int:
    """Return how many indexes a packed set holds."""
    return sum(map(len, runs(packed)))
