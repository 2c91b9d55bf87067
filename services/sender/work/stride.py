"""How many recipients a worker claims at once, and whether while the last ones are still on the wire.

Where few connections are at work none of them should wait for an append: half of the window is claimed while the other
half goes out. Where many are, some connection always has mails to send, and what bounds them all is the processor:
then a whole window is claimed when the last one is answered, with half as many appends, confirmations and events. So a
worker never holds more than one window either way. Where a window takes long, or a rate limits it, halves are kept: a
claim should be young when its last mail goes out.
"""

from dataclasses import dataclass
from typing import Final

MANY: Final = 8
"""So many connections at work keep a process busy while some of them wait for the log."""

SWIFT: Final = 0.2
"""A window that takes less than this share of the validity of a claim may be claimed as a whole."""


@dataclass(slots=True)
class Crowd:
    """The workers of a process that are sending now."""

    working: int = 0


@dataclass(frozen=True, slots=True)
class Stride:
    """How many to claim at most, and whether `ahead` of the answers to the last ones."""

    most: int
    ahead: bool


def stride(window: int, *, limited: bool, crowd: Crowd, each: float, validity: float, wired: int = 0) -> Stride:
    """Return the stride of a worker whose window is `window` mails, of which `each` took so many seconds lately.

    `each` is 0 where nothing is known. `limited`: a rate is kept, or claims that ran out made the window smaller.
    `wired`: so many of its mails are on the wire while it asks.
    """
    left = max(1, window - wired)
    swift = 0 < each * window < SWIFT * validity
    if window > 1 and not limited and crowd.working >= MANY and swift:
        return Stride(left, ahead=False)
    half = max(1, window // 2)
    return Stride(min(half, left), ahead=half > 1)
