"""Which version of an A/B test did best.

Pure. In go the figures of each version: how many got it, and how many people opened it and clicked (machines do not
count). The share of those who got it decides; where shares are equal, the other kind of share, then the order of the
letters: the draft itself stands.
"""

from collections.abc import Mapping
from fractions import Fraction

from shared.contracts.mailing_settings import DRAFT_ITSELF, Figures


def best(figures: Mapping[str, Figures], by: str) -> str:
    """Return the letter of the version that did best by `opens` or by clicks."""

    def shares(version: str) -> tuple[Fraction, Fraction]:
        found = figures[version]
        opened, clicked = _share(found.opened, found.sent), _share(found.clicked, found.sent)
        return (opened, clicked) if by == "opens" else (clicked, opened)

    return max(sorted(figures), key=shares, default=DRAFT_ITSELF)


def _share(part: int, whole: int) -> Fraction:
    return Fraction(part, whole) if whole else Fraction(0)
