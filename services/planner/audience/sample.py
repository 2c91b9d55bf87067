"""Who of an audience is the sample of an A/B test, and which version each of them gets.

Pure. In go the recipients one by one, in the order in which they are frozen; out comes the letter of a version for as
many as wanted, "" for the others. Each has the same chance (Knuth's algorithm S), drawn from a digest of mailing and
contact: the same audience gives the same sample, another mailing another one, and nothing is held in memory. Versions
take turns, so they get equally many.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from shared.contracts.mailing_settings import AbTest

_WHOLE = 1 << 64


def size(test: AbTest, total: int) -> int:
    """Return how many of `total` recipients are the sample, at least one for each version; 0 where they are too few."""
    least = len(test.letters)
    if total < least:
        return 0
    wanted = round(total * test.percent / 100) if test.percent is not None else test.recipients or 0
    return min(total, max(wanted, least))


@dataclass(slots=True)
class Draw:
    """Draws `wanted` of `left` recipients of a mailing, for `versions`."""

    mailing: str
    versions: Sequence[str]
    wanted: int
    left: int
    drawn: int = 0

    def version(self, contact: str) -> str:
        """Return which version the next recipient gets as one of the sample, "" for one who is not."""
        chosen = _chance(self.mailing, contact) * self.left < (self.wanted - self.drawn) * _WHOLE
        self.left -= 1
        if not chosen:
            return ""
        self.drawn += 1
        return self.versions[(self.drawn - 1) % len(self.versions)]


def _chance(mailing: str, contact: str) -> int:
    """Return a number below 2^64 that nobody can foresee and everybody can find again."""
    return int.from_bytes(hashlib.sha256(f"{mailing} {contact}".encode()).digest()[:8])
