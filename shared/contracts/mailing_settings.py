"""What is set of a mailing, as its events hold it: hours, batches, when it stops by itself, versions of an A/B test."""

from datetime import date, time
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

DoubtPolicy = Literal["hold", "resend"]
Tracking = Literal["off", "anonymous", "person"]
LateRule = Literal["send", "ask", "skip"]
DoubtDecision = Literal["resend", "accepted", "rejected"]
WinnerRule = Literal["opens", "clicks", "hand"]

DRAFT_ITSELF = "a"
"""The version of an A/B test that is what the draft says."""


class Span(BaseModel):
    """A part of the day.

    Attributes:
        start: First local time of day.
        end: Local time of day at which it is over; not after `start` it means the next day.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    start: time
    end: time


class SendingHours(Span):
    """When mails may go out: on every chosen day from `start` until before `end`, in the mailing's zone.

    Attributes:
        weekdays: 0 is Monday.
        more: Further windows of the same days.
        holidays: Calendars whose public holidays are closed: a country (`CZ`), or a part of one (`DE-BY`).
        closed: Other dates that are closed.
    """

    weekdays: list[int] = Field(default=[0, 1, 2, 3, 4, 5, 6])
    more: list[Span] = Field(default=[], max_length=5)
    holidays: list[str] = Field(default=[], max_length=10)
    closed: list[date] = Field(default=[], max_length=400)


class Batch(BaseModel):
    """So many recipients in any such period, all at once."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    size: int = Field(ge=1, le=10_000_000)
    minutes: int = Field(default=60, ge=1, le=10_080)


class StopRules(BaseModel):
    """When a mailing stops by itself; None turns one off.

    Attributes:
        after: Nothing is judged before so many mails were answered.
        bounces: Share of them that may be refused because the address is at fault.
        errors: Share that may be refused for any other reason.
        complaints: Share about which people may complain.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    after: int = Field(default=200, ge=1, le=1_000_000)
    bounces: float | None = Field(default=0.1, ge=0, le=1)
    errors: float | None = Field(default=0.25, ge=0, le=1)
    complaints: float | None = Field(default=None, ge=0, le=1)


class Version(BaseModel):
    """What one version of an A/B test says: the hash of a template in CONTENT."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    content: str
    subject: str


class AbTest(BaseModel):
    """Some of the audience get different versions; what did best is what the rest get.

    Attributes:
        versions: Those beside `a`, which is the draft itself, by their letters.
        percent: Share of the audience that is the sample of all versions together.
        recipients: How many are, where no share is given.
        by: Whose opens or clicks decide, or that somebody does by hand.
        wait_minutes: How long after the sample was sent they are counted.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    versions: dict[str, Version]
    percent: float | None = None
    recipients: int | None = None
    by: WinnerRule = "clicks"
    wait_minutes: float = 240

    @property
    def letters(self) -> list[str]:
        """All versions, in order."""
        return [DRAFT_ITSELF, *sorted(self.versions)]


class Figures(BaseModel):
    """How a version did with its part of the sample."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    sent: int = 0
    opened: int = 0
    clicked: int = 0
