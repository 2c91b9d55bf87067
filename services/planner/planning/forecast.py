"""When a mailing will be finished, under its windows, limits, lanes and batches as they are now.

Pure: a simulation in steps from one change to the next (a window, a batch, a lane that is done, another day of a
warm-up); between two of them mails go out evenly. Lanes share what mailing and account allow, none above its own limit,
as senders do. Not foreseen is what relays will say: deferrals, slow-downs to come, pauses. After `DAYS`, or `STEPS`
steps, it says that it does not know the end.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta

from services.planner.planning import fan_out
from shared.contracts import windows
from shared.contracts.mailing import MailingScheduled
from shared.contracts.mailing_settings import Batch
from shared.instants import from_millis, to_millis

DAYS = 400
STEPS = 20_000
_LEAST = 1e-6

Key = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Lane:
    """What holds for one lane alone: mails a second at most, and when it may be used."""

    per_second: float | None = None
    opens_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Work:
    """What is to be done, and how fast.

    Attributes:
        left: Recipients by lane and time zone ("" where the mailing's own windows hold).
        per_second: Mails a second of all lanes together, at an instant.
        planned: What a batch has counted so far, as `fan_out.room` takes it.
    """

    scheduled: MailingScheduled
    left: Mapping[Key, int]
    per_second: Callable[[datetime], float]
    lanes: Mapping[str, Lane] = field(default_factory=dict)
    batch: Batch | None = None
    planned: Sequence[tuple[int, int]] = ()


@dataclass(frozen=True, slots=True)
class Forecast:
    """What will be: the first mail, the last one (None: not within sight), who is sent to, for whom it is too late."""

    starts_at: datetime | None
    finishes_at: datetime | None
    sent: int
    expired: int


def foresee(work: Work, now: datetime) -> Forecast:
    """Return what will be from `now` on."""
    return _Simulation(work, now).run()


class _Simulation:
    def __init__(self, work: Work, now: datetime) -> None:
        self._work = work
        self._now = now
        self._end = now + timedelta(days=DAYS)
        self._left = {key: float(count) for key, count in work.left.items() if count > 0}
        self._released = 0.0 if work.batch else float("inf")
        self._planned = list(work.planned)
        self._started: datetime | None = None
        self._windows: dict[str, windows.Window] = {}

    def run(self) -> Forecast:
        whole = sum(self._left.values())
        deadline = self._work.scheduled.deadline
        for _ in range(STEPS):
            if not self._left or self._now >= self._end:
                break
            if deadline is not None and self._now >= deadline:
                return self._told(whole, deadline)
            self._step(min(filter(None, (deadline, self._end))))
        return self._told(whole, None if self._left else self._now)

    def _told(self, whole: float, finished: datetime | None) -> Forecast:
        late = round(sum(self._left.values()))
        return Forecast(self._started, finished, round(whole) - late, late if finished else 0)

    def _step(self, limit: datetime) -> None:
        """Go on to the next change: send what goes out until then."""
        changes = [limit, _midnight(self._now)]
        by_lane: dict[str, list[Key]] = {}
        for key in self._left:
            lane = self._work.lanes.get(key[0], Lane())
            window = self._window(key[1])
            opens = max(filter(None, (window.opens, lane.opens_at)))
            if opens > self._now:
                changes.append(opens)
                continue
            by_lane.setdefault(key[0], []).append(key)
            changes += [window.closes] if window.closes else []
        if by_lane and self._released < 1:
            changes += self._next_batch()
        sums = {lane: sum(self._left[key] for key in keys) for lane, keys in by_lane.items()}
        rates = self._shared(sums) if self._released >= _LEAST else {}
        whole = sum(rates.values())
        seconds = (min(changes) - self._now).total_seconds()
        if whole:
            self._started = self._started or self._now
            seconds = min(seconds, self._released / whole, *(sums[lane] / rate for lane, rate in rates.items() if rate))
        for name, rate in rates.items():
            for key in by_lane[name]:
                self._left[key] -= rate * seconds * self._left[key] / sums[name]
        self._released -= whole * seconds
        self._left = {key: left for key, left in self._left.items() if left > _LEAST}
        self._now += timedelta(seconds=max(seconds, _LEAST))

    def _window(self, zone: str) -> windows.Window:
        """Return the window of a zone that is open, or opens next."""
        known = self._windows.get(zone)
        if known is None or (known.closes is not None and known.closes <= self._now):
            scheduled = self._work.scheduled
            known = self._windows[zone] = windows.window_in(scheduled, zone or scheduled.zone, self._now)
        return known

    def _next_batch(self) -> list[datetime]:
        """Release what a batch has room for; return when there will be more, where there is no room."""
        batch = self._work.batch
        if batch is None:
            return []
        at = to_millis(self._now)
        self._planned = [each for each in self._planned if each[0] > at - batch.minutes * 60_000]
        room, more = fan_out.room(batch, self._planned, at)
        if room:
            self._planned.append((at, room))
            self._released += room
            return []
        return [from_millis(more)]

    def _shared(self, sums: Mapping[str, float]) -> dict[str, float]:
        """Return the rate of each lane: even shares of the whole, of which a slow lane leaves the rest to others."""
        whole, rates = self._work.per_second(self._now), dict[str, float]()
        lanes = {lane: self._work.lanes.get(lane, Lane()).per_second for lane in sums}
        slowest = sorted(lanes, key=lambda lane: (lanes[lane] is None, lanes[lane] or 0.0))
        for place, lane in enumerate(slowest):
            share, own = whole / (len(slowest) - place), lanes[lane]
            rates[lane] = share if own is None else min(share, own)
            whole -= rates[lane]
        return rates


def _midnight(now: datetime) -> datetime:
    return datetime.combine(now.astimezone(UTC).date() + timedelta(days=1), time(), UTC)
