"""Events of a recurring mailing (`evt.series.<id>`, written by the planner): a fresh mailing each time."""

from datetime import date, datetime, time
from typing import ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

from shared.contracts.envelope import DomainEvent
from shared.contracts.mailing_settings import LateRule, SendingHours
from shared.contracts.sources import Sources


class Rhythm(BaseModel):
    """When it comes round: at a local time of a zone, every day, on days of the week, or on a day of the month.

    Attributes:
        weekdays: Of `week`: 0 is Monday.
        day: Of `month`; where a month is shorter, its last day.
        starts_on: Not before this date there.
        until: Not after this date there.
        times: So many mailings in all.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    every: Literal["day", "week", "month"]
    at: time
    zone: str = Field(default="UTC", max_length=64)
    weekdays: list[int] = Field(default=[0], min_length=1, max_length=7)
    day: int = Field(default=1, ge=1, le=31)
    starts_on: date | None = None
    until: date | None = None
    times: int | None = Field(default=None, ge=1, le=10_000)


class SeriesSettings(DomainEvent):
    """What is made each time.

    Attributes:
        draft: Hash of the draft in CONTENT, as its author asked for it.
        since: No occurrence before this instant is meant.
        deadline_minutes: Nothing of a mailing goes out so long after its time; None: no such limit.
        late: What becomes of the last occurrence that was missed; earlier ones are left out.
        only_new: An occurrence is left out where everybody was in the audience of the one before.
    """

    campaign: str
    name: str
    draft: str
    rhythm: Rhythm
    since: datetime
    hours: SendingHours | None = None
    deadline_minutes: int | None = None
    late: LateRule = "send"
    only_new: bool = False
    sources: Sources | None = None


class SeriesOpened(SeriesSettings):
    """It comes round from now on."""

    TYPE: ClassVar[str] = "series.opened/1"


class SeriesEdited(SeriesSettings):
    """It was replaced as a whole, for what comes from `since` on."""

    TYPE: ClassVar[str] = "series.edited/1"


class SeriesStopped(DomainEvent):
    """It comes round no more."""

    TYPE: ClassVar[str] = "series.stopped/1"

    reason: str = ""


class OccurrenceMade(DomainEvent):
    """The mailing of one time. `waits`: its start was too late, somebody has to set one."""

    TYPE: ClassVar[str] = "series.occurrence_made/1"

    at: datetime
    mailing: str
    waits: bool = False


class OccurrenceSkipped(DomainEvent):
    """Nothing goes out this time: a code of a refusal, or `missed`, `late`, `nobody_new`."""

    TYPE: ClassVar[str] = "series.occurrence_skipped/1"

    at: datetime
    reason: str


EVENTS = (SeriesOpened, SeriesEdited, SeriesStopped, OccurrenceMade, OccurrenceSkipped)
