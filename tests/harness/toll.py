"""What faults cost: one row a scenario, kept while it runs and printed by `make chaos` as a table.

`strike` notes when a fault happened; `charge` what became of everybody, once all had come to an end.
"""

import time
from collections.abc import Iterable
from dataclasses import dataclass, field

from services.sender.chunks.chunk import Status


@dataclass(frozen=True, slots=True)
class Toll:
    """What became of the recipients of one scenario.

    Attributes:
        planned: How many were planned.
        delivered: How many the relay has a mail for.
        lost: Accepted in the log, and the relay never had it.
        doubled: Mails at the relay beyond the first of a recipient.
        unnamed: At the relay, and the log says neither accepted nor in doubt.
        in_doubt: In doubt in the log.
        seconds: From the last fault to the accounting; None where nobody noted a fault.
    """

    planned: int
    delivered: int
    lost: int
    doubled: int
    unnamed: int
    in_doubt: int
    seconds: float | None = None


@dataclass(slots=True)
class _Scenario:
    struck_at: float | None = None
    tolls: list[Toll] = field(default_factory=list)


_scenario = _Scenario()


def begin() -> None:
    """Begin a scenario."""
    global _scenario  # noqa: PLW0603 - tests of a process come one after the other
    _scenario = _Scenario()


def strike() -> None:
    """Note that a fault happened now."""
    _scenario.struck_at = time.monotonic()


def charge(claims: Iterable[tuple[str, Status]], got: dict[str, int]) -> Toll:
    """Count what the log claims of each address against how many mails the relay has for it."""
    planned = delivered = lost = doubled = unnamed = in_doubt = 0
    for address, status in claims:
        mails = got.get(address, 0)
        planned += 1
        delivered += mails > 0
        doubled += max(0, mails - 1)
        lost += status == Status.ACCEPTED and not mails
        unnamed += mails > 0 and status not in (Status.ACCEPTED, Status.IN_DOUBT)
        in_doubt += status == Status.IN_DOUBT
    seconds = None if _scenario.struck_at is None else time.monotonic() - _scenario.struck_at
    toll = Toll(planned, delivered, lost, doubled, unnamed, in_doubt, seconds)
    _scenario.tolls.append(toll)
    return toll


def tolls() -> list[Toll]:
    """Return what this scenario cost, one for each mailing that was accounted for."""
    return list(_scenario.tolls)
