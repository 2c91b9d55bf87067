"""What of a mailing may be planned just now: the zones whose windows are open, and what a batch has room for.

Pure. In: the mailing, the time, what was planned in the last period. Out: a `Leave`, with when there may be more.
Chunks of a zone that is closed are neither planned nor counted: a night in Tokyo does not hold up Berlin. A batch is
counted by when its chunks are planned: in any period of its length no more than its size.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from services.planner.mailings.mailing import Mailing
from services.planner.planning import fan_out
from shared.contracts import windows
from shared.instants import from_millis, to_millis


@dataclass(frozen=True, slots=True)
class Leave:
    """What may be planned.

    Attributes:
        zones: Only chunks of these zones, None where zones do not matter.
        most: At most so many recipients, None where nothing limits them.
        more_at: When there may be more, None where nobody has to wait.
        sample: Only the sample of an A/B test.
    """

    zones: frozenset[str] | None = None
    most: int | None = None
    more_at: datetime | None = None
    sample: bool = False


EVERYTHING = Leave()


def leave(state: Mailing, now: datetime, planned: Sequence[tuple[int, int]]) -> Leave:
    """Return what may be planned; `planned` as `fan_out.room` takes it."""
    zones, later = _zones(state, now)
    batch = state.draft.batch if state.draft else None
    if batch is None:
        return Leave(zones, None, later, state.testing)
    most, more = fan_out.room(batch, planned, to_millis(now))
    room = from_millis(more)
    more_at = min(filter(None, (later, room if room > now else None)), default=None)
    return Leave(zones, most, more_at, state.testing)


def _zones(state: Mailing, now: datetime) -> tuple[frozenset[str] | None, datetime | None]:
    """Return the zones that are open, "" among them where the mailing's own is, and when the next one opens."""
    if state.draft is None or state.schedule is None or state.audience is None or not state.draft.recipient_time:
        return None, None
    scheduled = state.schedule
    found = {zone: windows.window_in(scheduled, zone or scheduled.zone, now) for zone in state.audience.zones}
    held = frozenset(zone for zone, window in found.items() if window.holds(now))
    return held, min((window.opens for zone, window in found.items() if zone not in held), default=None)
