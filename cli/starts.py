"""The options of a start, and what they say of a mailing: `schedule` sets it, `forecast` tries it out."""

from dataclasses import dataclass, field
from typing import Annotated, Any

import typer

from cli import choices
from shared.contracts.mailing_settings import LateRule

At = Annotated[str, typer.Option("--at", help="Local time 2026-12-24T09:00; at once if not given.")]
Zone = Annotated[str, typer.Option("--zone", help="Time zone of all times here.")]
Hours = Annotated[
    str, typer.Option("--hours", help="Send only within these hours: 08:00-18:00, or 08:00-12:00,13:00-18:00.")
]
Days = Annotated[str, typer.Option("--days", help="Send only on these days: mon-fri, or mon,wed.")]
Holidays = Annotated[
    list[str],
    typer.Option("--holidays", help="Not on public holidays of a country (CZ) or part (DE-BY); repeatable."),
]
Closed = Annotated[list[str], typer.Option("--closed", help="Not on this date either; repeatable.")]
Deadline = Annotated[str, typer.Option("--deadline", help="Nothing goes out after this local time.")]
Late = Annotated[LateRule, typer.Option("--late", help="If its start is found too late, after an outage.")]


@dataclass(frozen=True)
class Start:
    """The options of a start."""

    at: At = ""
    zone: Zone = "UTC"
    hours: Hours = ""
    days: Days = ""
    holidays: Holidays = field(default_factory=list)
    closed: Closed = field(default_factory=list)
    deadline: Deadline = ""
    late: Late = "send"

    @property
    def given(self) -> bool:
        """Whether any of them was."""
        return self != Start()

    def fields(self, mailing: str) -> dict[str, Any]:
        """Return the fields of `mailing.schedule`."""
        return {
            "mailing": mailing,
            "at": choices.local_time(self.at) if self.at else None,
            "zone": self.zone,
            "hours": choices.hours(self.hours, self.days, self.holidays, self.closed),
            "deadline": choices.local_time(self.deadline) if self.deadline else None,
            "late": self.late,
        }
