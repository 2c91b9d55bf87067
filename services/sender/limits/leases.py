"""Who may have how many connections to a relay: the table all senders share, one row each. Pure.

A sender's row says how many connections it has or may open, by lane, whether it could use more, and until when all this
holds. It takes what is free; while another one goes without it takes no more than its share, and gives back what is
beyond that as its jobs end. A row that was not renewed is no more: its holder died, and the relay saw it go. One
connection is kept for the prompt lane where there are several.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

import orjson

from shared.contracts.subjects import PROMPT

LIFE = 15.0
"""Seconds that a row holds."""


@dataclass(frozen=True, slots=True)
class Row:
    """One sender's."""

    until: float
    lanes: Mapping[str, int] = field(default_factory=dict)
    starving: bool = False

    @property
    def total(self) -> int:
        """Connections in all lanes."""
        return sum(self.lanes.values())


@dataclass(frozen=True, slots=True)
class Most:
    """How many connections an account may have, and each of its lanes."""

    account: int
    lane: Callable[[str], int]


def read(value: bytes | None, now: float) -> dict[str, Row]:
    """Return the rows that hold."""
    rows = {holder: Row(*fields) for holder, fields in orjson.loads(value or b"{}").items()}
    return {holder: row for holder, row in rows.items() if row.until > now}


def write(rows: Mapping[str, Row]) -> bytes:
    """Return the table as it is stored."""
    return orjson.dumps({holder: [row.until, row.lanes, row.starving] for holder, row in rows.items()})


def row(others: Iterable[Row], used: Mapping[str, int], wanted: Mapping[str, int], most: Most, now: float) -> Row:
    """Return what one sender's row should be.

    Args:
        others: The rows of all others.
        used: Connections by lane that it has and cannot give back just now.
        wanted: Connections by lane that it could use, those included.
        most: What all together may have.
        now: Server time.
    """
    others = list(others)
    lanes = {lane: count for lane, count in used.items() if count}
    share = most.account // (len(others) + 1) if any(each.starving for each in others) else most.account
    left = min(max(share, 1), most.account - sum(each.total for each in others)) - sum(lanes.values())
    bulk = left
    if most.account > 1:
        everybody = [*(each.lanes for each in others), lanes]
        bulk = most.account - 1 - sum(sum(each.values()) - each.get(PROMPT, 0) for each in everybody)
    short = False
    for lane in sorted(wanted, key=lambda name: (name != PROMPT, name)):
        more = wanted[lane] - lanes.get(lane, 0)
        room = most.lane(lane) - lanes.get(lane, 0) - sum(each.lanes.get(lane, 0) for each in others)
        given = max(0, min(more, room, left if lane == PROMPT else min(left, bulk)))
        if given:
            lanes[lane] = lanes.get(lane, 0) + given
            left, bulk = left - given, bulk - (given if lane != PROMPT else 0)
        short = short or given < min(more, room)
    return Row(now + LIFE, lanes, short)
