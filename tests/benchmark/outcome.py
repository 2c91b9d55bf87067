"""What a benchmark has to say: one JSON object a line, the same fields for all of them.

`yardstick` was measured in the same run on the same machine; `ratio` is our speed by its speed (for costs: its cost by
ours), so above 1 is always better. `processes` tells the CPU seconds and the peak memory of each.
"""

import json
import sys
from dataclasses import asdict, dataclass, field


@dataclass(frozen=True)
class Yardstick:
    """What somebody else does in the same run."""

    name: str
    value: float


@dataclass(frozen=True)
class Spent:
    """What one process used."""

    cpu_s: float
    peak_rss_mib: float


@dataclass(frozen=True)
class Outcome:
    """One line. `more` holds what only this benchmark measures."""

    name: str
    value: float
    unit: str
    yardstick: Yardstick | None = None
    ratio: float | None = None
    processes: dict[str, Spent] = field(default_factory=dict)
    more: dict[str, object] = field(default_factory=dict)

    def line(self) -> str:
        """Return the JSON line."""
        whole = asdict(self)
        more = whole.pop("more")
        return json.dumps(_rounded({name: value for name, value in whole.items() if value not in (None, {})} | more))


def emit(outcome: Outcome) -> None:
    """Print one outcome."""
    sys.stdout.write(outcome.line() + "\n")
    sys.stdout.flush()


def note(text: str) -> None:
    """Say on standard error what is going on."""
    sys.stderr.write(f"# {text}\n")
    sys.stderr.flush()


def _rounded(value: object) -> object:
    """Return the same with floats of four digits, which is more than any of them is worth."""
    if isinstance(value, float):
        return float(f"{value:.4g}") if abs(value) < 10_000 else round(value)
    if isinstance(value, dict):
        return {name: _rounded(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(item) for item in value]
    return value
