"""Limits as slots: how far they are apart, and how late one may be used. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass

from shared.contracts.account import Limits

LATENESS_DENSE = 0.05
LATENESS_BETWEEN = 0.015
WIDER = 0.1
"""Most seconds by which an interval is spaced wider, so that a slot may be used so much later."""
JITTER = 0.02
"""Seconds that the way of a mail to the relay may differ from that of the next one."""


@dataclass(frozen=True, slots=True)
class Spacing:
    """Seconds from slot to slot, and how late a slot may be used."""

    interval: float
    lateness: float

    @property
    def rate(self) -> float:
        """Mails a second."""
        return 1 / self.interval


def spacing(limits: Limits) -> Spacing | None:
    """Return the spacing that keeps all of `limits`, None where there are none.

    Slots spaced by I and used up to l late are at most ceil((P + l) / I) in any half-open window P: L + 1 of them.
    """
    found: list[Spacing] = []
    for most, period in limits.windows():
        plain = period / most
        lateness = max(plain - JITTER, LATENESS_DENSE)
        found.append(Spacing(max(plain, (period + lateness + JITTER) / (most + 1)), lateness))
    if between := limits.seconds_between:
        wider = min(WIDER, between / 50)
        found.append(Spacing(between + wider, max(wider + 0.005, LATENESS_BETWEEN)))
    if not found:
        return None
    return Spacing(max(s.interval for s in found), min(s.lateness for s in found))


@dataclass(frozen=True, slots=True)
class Slot:
    """A server time at which one mail may go out, and until when that holds."""

    at: float
    void_after: float


def window(scopes: Mapping[str, Limits], most: int = 50) -> int:
    """Return W: two seconds of the slowest rate, at least 1, at most `most`."""
    rates = [space.rate for limits in scopes.values() if (space := spacing(limits)) is not None]
    return max(1, min(most, int(min(rates) * 2))) if rates else most
