"""Who of a chunk is next where some of its providers are slowed or suspended. Pure.

Whoever is not concerned comes first and is not held up; then each slowed provider in turn, at its own pace; mail to a
suspended one waits where it is, unclaimed.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial

from services.sender.chunks.chunk import Chunk, Status
from services.sender.gates.gates import AccountGate


@dataclass(frozen=True, slots=True)
class Turn:
    """Recipients that may be claimed together; `provider` is set where that one is slowed."""

    indexes: Sequence[int]
    provider: str = ""


@dataclass(slots=True)
class Turns:
    """Turns in order.

    Attributes:
        reopens: When the first suspension ends that keeps somebody here.
        due: Server time at which a domain has room for somebody of whom there is no turn now.
    """

    turns: list[Turn] = field(default_factory=list)
    reopens: datetime | None = None
    due: float | None = None


def turns_of(indexes: Sequence[int]) -> list[Turn]:
    """Return the one turn of recipients whom nothing slows."""
    return [Turn(indexes)] if indexes else []


def shaped_turns(  # noqa: PLR0917 - all it goes by
    chunk: Chunk,
    account: AccountGate,
    provider: Callable[[int], str],
    now: datetime,
    most: int,
    paced: Collection[str] = (),
    fits: Callable[[int], bool] | None = None,
) -> Turns:
    """Return whom of `chunk` to claim next, at most `most` a turn.

    `paced`: providers with a rate of their own. `fits`: whether the domain of somebody has room, where it is limited.
    """
    names = {index: provider(index) for index in chunk.having(Status.PENDING, Status.DEFERRED)}
    present = set(names.values())
    held = {name: event for name in present if (event := account.held(name, now)) is not None}
    slow = sorted(name for name in present - held.keys() if name in paced or account.slow(name, now) is not None)
    free = present - held.keys() - set(slow)
    found = Turns(turns_of(chunk.claimable(now, most, partial(_may, names, free, fits))))
    for name in slow:
        if few := chunk.claimable(now, most, partial(_may, names, {name}, fits)):
            found.turns.append(Turn(few, name))
    found.reopens = min((event.until for event in held.values()), default=None)
    return found


def _may(names: Mapping[int, str], whose: Collection[str], fits: Callable[[int], bool] | None, index: int) -> bool:
    return names[index] in whose and (fits is None or fits(index))
