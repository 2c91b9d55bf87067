"""The recurring mailing: when it comes round, and what became of each time.

Pure; the caller makes the mailing of a time and says so. Rules:
1. It is opened once, and edited as a whole until it is stopped; what is new holds from the instant of the edit on.
2. Every time of its rhythm is made or skipped, once, in order: one before the last is not recorded any more.
3. Of several times that were missed only the last may be made; the others are skipped.
4. It is over when it was made as often as wanted, or its last date is past; stopped it stays stopped.
5. A command repeated emits nothing.
"""

from dataclasses import dataclass
from datetime import datetime

from pydantic import BaseModel, ConfigDict

from services.planner.mailings import rhythm
from shared.contracts.commands import Refusal
from shared.contracts.envelope import DomainEvent
from shared.contracts.series import (
    OccurrenceMade,
    OccurrenceSkipped,
    SeriesEdited,
    SeriesOpened,
    SeriesSettings,
    SeriesStopped,
)

NO_SERIES = Refusal(code="series_unknown", message="There is no such recurring mailing.", field="series")


class Series(BaseModel):
    """State of one recurring mailing; `settings` is None while there is none.

    Attributes:
        last: The last time that was made or skipped.
        mailing: The last mailing that was made, "" while none was.
        skip: Why the last time was skipped, "" where it was made.
    """

    model_config = ConfigDict(frozen=True)

    settings: SeriesSettings | None = None
    stopped: bool = False
    reason: str = ""
    last: datetime | None = None
    mailing: str = ""
    skip: str = ""
    made: int = 0
    skipped: int = 0

    @property
    def after(self) -> datetime | None:
        """The instant after which its next time comes, None where there is none."""
        if self.settings is None or self.stopped:
            return None
        if self.settings.rhythm.times is not None and self.made >= self.settings.rhythm.times:
            return None
        return self.settings.since if self.last is None else max(self.last, self.settings.since)

    @property
    def next_at(self) -> datetime | None:
        """When it comes round next, None for never."""
        if self.after is None or self.settings is None:
            return None
        return next(rhythm.following(self.settings.rhythm, self.after), None)

    def due(self, now: datetime) -> list[datetime]:
        """Return the times that came until `now` and were neither made nor skipped."""
        if self.after is None or self.settings is None:
            return []
        return rhythm.due(self.settings.rhythm, self.after, now)


@dataclass(frozen=True, slots=True)
class Open:
    """Open it."""

    opened: SeriesOpened


@dataclass(frozen=True, slots=True)
class Edit:
    """Replace it."""

    edited: SeriesEdited


@dataclass(frozen=True, slots=True)
class Stop:
    """Make no more."""

    reason: str = ""


@dataclass(frozen=True, slots=True)
class Record:
    """Record what became of a time."""

    what: OccurrenceMade | OccurrenceSkipped


Command = Open | Edit | Stop | Record


class SeriesDecider:
    """Decider of one recurring mailing."""

    def initial(self) -> Series:
        """Return the state before the first event."""
        return Series()

    def evolve(self, state: Series, event: DomainEvent) -> Series:
        """Fold one event."""
        match event:
            case SeriesOpened() | SeriesEdited():
                settings = SeriesSettings.model_validate(event.model_dump())
                return state.model_copy(update={"settings": settings})
            case SeriesStopped():
                return state.model_copy(update={"stopped": True, "reason": event.reason})
            case OccurrenceMade():
                made = {"last": event.at, "mailing": event.mailing, "skip": "", "made": state.made + 1}
                return state.model_copy(update=made)
            case OccurrenceSkipped():
                skipped = {"last": event.at, "skip": event.reason, "skipped": state.skipped + 1}
                return state.model_copy(update=skipped)
            case _:
                raise TypeError(f"{event.TYPE} is no event of a recurring mailing")

    def decide(self, state: Series, command: Command) -> list[DomainEvent] | Refusal:
        """Return the events of `command`, or why it must not be."""
        if isinstance(command, Open):
            return rhythm_problem(command.opened) or ([] if state.settings is not None else [command.opened])
        if state.settings is None:
            return NO_SERIES
        match command:
            case Edit(edited=edited):
                if state.stopped:
                    return Refusal(code="series_stopped", message="It was stopped: open another one.", field="series")
                before = state.settings.model_copy(update={"since": edited.since})
                same = before == SeriesSettings.model_validate(edited.model_dump())
                return [] if same else rhythm_problem(edited) or [edited]
            case Stop(reason=reason):
                return [] if state.stopped else [SeriesStopped(reason=reason)]
            case Record(what=what):
                past = state.stopped or (state.last is not None and what.at <= state.last)
                return [] if past else [what]


def rhythm_problem(wanted: SeriesSettings) -> Refusal | None:
    """Return why it cannot come round, None if it can."""
    refusal = rhythm.problem(wanted.rhythm)
    if refusal is not None:
        return refusal
    if next(rhythm.following(wanted.rhythm, wanted.since), None) is None:
        return Refusal(code="rhythm_empty", message="It would never come round: its dates are past.", field="rhythm")
    return None
