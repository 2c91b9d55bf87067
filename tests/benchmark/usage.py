"""CPU time and peak memory of processes, from /proc.

`Meter` begins by setting back the peaks, so each stretch of work has its own. A process that was started again in the
middle of a measurement has lost its counters: `spent` raises, the measurement is void.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.benchmark.outcome import Spent

_TICKS = os.sysconf("SC_CLK_TCK")


def cpu_seconds(pid: int) -> float:
    """Return the user and system time of a process, its threads included."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def peak_mib(pid: int) -> float:
    """Return the most memory that was resident since the peak was last set back."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    raise ProcessLookupError(pid)


def busy_seconds() -> float:
    """Return the seconds all processors together were not idle since the machine started."""
    fields = [int(field) for field in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]]
    return (sum(fields[:8]) - fields[3] - fields[4]) / _TICKS


@dataclass(frozen=True)
class Meter:
    """A stretch of work by some processes."""

    pids: dict[str, int]
    before: dict[str, float]
    busy_before: float

    @classmethod
    def start(cls, pids: Mapping[str, int]) -> "Meter":
        """Begin."""
        for pid in pids.values():
            Path(f"/proc/{pid}/clear_refs").write_text("5")
        return cls(dict(pids), {name: cpu_seconds(pid) for name, pid in pids.items()}, busy_seconds())

    def spent(self) -> dict[str, Spent]:
        """Return what each has used so far.

        Raises:
            ProcessLookupError: One of them ended meanwhile.
        """
        return {
            name: Spent(cpu_seconds(pid) - self.before[name], peak_mib(pid))
            if Path(f"/proc/{pid}").exists()
            else _gone(name)
            for name, pid in self.pids.items()
        }

    def others(self) -> float:
        """Return the CPU seconds that went to processes which are not ours: above a few percent, figures are noise."""
        return busy_seconds() - self.busy_before - sum(spent.cpu_s for spent in self.spent().values())


def _gone(name: str) -> Spent:
    raise ProcessLookupError(f"{name} ended while it was measured")
