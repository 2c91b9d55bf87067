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


def unpack(packed: str) -> list[int]:
    """Return the indexes of a packed set in ascending order; `ValueError` when it is none."""
    indexes: list[int] = []
    for run in packed.split(",") if packed else ():
        first, dash, last = run.partition("-")
        indexes.extend(range(int(first), int(last) + 1) if dash else (int(first),))
    return indexes
