"""What producers say of activities that are no mailings, on `in.activities`: CloudEvents as those on `in.contacts`.

An activity is points awarded, a visit, a purchase; it is known by its `source` and its id there. Several events may
tell of one: their participants add up, and the newest `time` says what it was and when. So events may come in any
order and any number of times, and the same events lead to the same activities.
"""

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints, field_validator, model_validator

from shared.addresses import parse
from shared.contracts import intake
from shared.contracts.intake import ExternalId, IntakeEvent, Problem, Source
from shared.contracts.sources import ActivityType, CampaignWord

MOST_PARTICIPANTS = 1_000


class Participant(BaseModel):
    """One who took part: a record that was told of on `in.contacts`, sooner or later, or an address."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    source: Source | None = Field(default=None, description="Whose record it is; that of the event if missing.")
    id: ExternalId | None = Field(default=None, description="Id of the record at its source.")
    address: Annotated[str, StringConstraints(min_length=3, max_length=254)] | None = None

    @field_validator("address")
    @classmethod
    def _usable(cls, address: str | None) -> str | None:
        return None if address is None else parse(address)

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.id is None) == (self.address is None):
            raise ValueError("an id or an address is wanted, one of both")
        if self.source is not None and self.id is None:
            raise ValueError("a source goes with an id")
        return self


class ActivityHappened(BaseModel):
    """Something happened that is no mailing, and these took part; the `time` of the event says when."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    TYPE: ClassVar[str] = "activity.happened/1"

    id: ExternalId = Field(description="Id of the activity at the source; events of one add their participants.")
    type: ActivityType = Field(description="A word of one's own, by which mailings choose it; it names nobody.")
    campaign: CampaignWord = Field(default="", description="Id or name of the campaign it belongs to, if to any.")
    participants: list[Participant] = Field(
        max_length=MOST_PARTICIPANTS, description="Who took part; more of them come in further events."
    )


class ActivityHappenedEvent(IntakeEvent):
    """An activity happened."""

    type: Literal["activity.happened/1"] = "activity.happened/1"
    time: AwareDatetime = Field(description="When it happened.")
    data: ActivityHappened  # type: ignore[assignment]  # the same place, typed


EVENTS: dict[str, type[ActivityHappenedEvent]] = {ActivityHappened.TYPE: ActivityHappenedEvent}


@dataclass(frozen=True, slots=True)
class Activity:
    """One good event: whose it is, when it happened in microseconds since 1970, and what."""

    source: str
    at: int
    data: ActivityHappened


def read(body: bytes) -> tuple[list[Activity], list[Problem]]:
    """Return the good events of a message, in order, and what is wrong with the others."""
    return intake.taken_apart(body, _read_one)


def _read_one(place: int, item: object) -> Activity | Problem:
    event = intake.validated(place, item, EVENTS)
    if isinstance(event, Problem):
        return event
    at = intake.microseconds(event.time)
    return Problem(place, "time", "out of range") if at is None else Activity(event.source, at, event.data)
