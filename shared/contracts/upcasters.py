"""Old versions of events lifted to the newest: pure functions from data to data, one step a version.

`STEPS` maps a wire type to its successor and the function that lifts the data. Every version ever written has a golden
file in tests/contract/golden; a version that has none of a newer form needs no step.
"""

from collections.abc import Callable, Mapping
from typing import Any

Data = dict[str, Any]

STEPS: Mapping[str, tuple[str, Callable[[Data], Data]]] = {}


def newest(wire_type: str, steps: Mapping[str, tuple[str, Callable[[Data], Data]]] = STEPS) -> str:
    """Return the type that `lift` would lead to."""
    while (step := steps.get(wire_type)) is not None:
        wire_type = step[0]
    return wire_type


def lift(
    wire_type: str, data: Data, steps: Mapping[str, tuple[str, Callable[[Data], Data]]] = STEPS
) -> tuple[str, Data]:
    """Return type and data in the newest version that `steps` lead to."""
    while (step := steps.get(wire_type)) is not None:
        wire_type, upcast = step
        data = upcast(data)
    return wire_type, data
