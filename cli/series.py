"""`posthaste series`: recurring mailings."""

from dataclasses import dataclass
from datetime import time
from typing import Annotated, Any, Literal

import typer

from cli import choices
from cli.commands import KeyOption, command, group
from cli.drafts import Draft
from cli.errors import InputError
from cli.session import Session
from shared.contracts import commands
from shared.contracts.mailing_settings import LateRule

app = group("series", "Recurring mailings: open, edit, list, show, stop.")

SeriesArgument = Annotated[str, typer.Argument(help="Id of the recurring mailing.")]
Every = Annotated[Literal["day", "week", "month"], typer.Option("--every", help="How often it comes round.")]
At = Annotated[str, typer.Option("--at", help="Local time of day: 09:00.")]
In = Annotated[str, typer.Option("--in", help="Time zone of all times here.")]
On = Annotated[str, typer.Option("--on", help="Days of the week: mon,thu.")]
Day = Annotated[int, typer.Option("--day", help="Day of the month; the last one where a month is shorter.")]
Starts = Annotated[str, typer.Option("--starts-on", help="Not before this date.")]
Until = Annotated[str, typer.Option("--until", help="Not after this date.")]
Times = Annotated[int | None, typer.Option("--times", help="So many mailings in all.")]
Hours = Annotated[str, typer.Option("--hours", help="Send only within these hours: 08:00-18:00.")]
Minutes = Annotated[int | None, typer.Option("--deadline-minutes", help="Nothing goes out so long after its time.")]
Late = Annotated[LateRule, typer.Option("--late", help="If a time is found too late, after an outage.")]
OnlyNew = Annotated[bool, typer.Option("--only-new", help="Skip it where everybody was in the audience before.")]


@dataclass(frozen=True)
class Round(Draft):
    """The options of a draft, and when it comes round."""

    every: Every = "week"
    at: At = "09:00"
    zone_of_times: In = "UTC"
    on: On = "mon"
    day: Day = 1
    starts_on: Starts = ""
    until: Until = ""
    times: Times = None
    hours: Hours = ""
    deadline_minutes: Minutes = None
    late: Late = "send"
    only_new: OnlyNew = False

    async def series(self, session: Session) -> dict[str, Any]:
        """Return them as the command takes them."""
        try:
            at = time.fromisoformat(self.at)
        except ValueError as error:
            raise InputError("hours_invalid", "Write the time like 09:00.") from error
        rhythm = {
            "every": self.every,
            "at": at,
            "zone": self.zone_of_times,
            "weekdays": choices.weekdays(self.on),
            "day": self.day,
            "starts_on": choices.day(self.starts_on) if self.starts_on else None,
            "until": choices.day(self.until) if self.until else None,
            "times": self.times,
        }
        return {
            "draft": await self.fields(session),
            "rhythm": rhythm,
            "hours": choices.hours(self.hours, ""),
            "deadline_minutes": self.deadline_minutes,
            "late": self.late,
            "only_new": self.only_new,
        }


@command(app, "open")
async def open_(session: Session, given: Round, key: KeyOption = "") -> None:
    """Make a fresh mailing each time it comes round.

    Example: `posthaste series open --name News --campaign "Spring sale" --account relay --from news@example.com
    --template Letter --every week --on mon,thu --at 09:00 --in Europe/Prague`
    """
    answer = await session.ask(commands.OpenSeries.model_validate(await given.series(session)), key=key)
    session.out.done(answer, f"Opened {answer['series']}; it comes round at {answer['next_at']}.")


@command(app, "edit")
async def edit(session: Session, series: SeriesArgument, given: Round, key: KeyOption = "") -> None:
    """Replace one as a whole, for what comes from now on.

    Example: `posthaste series edit s4w8k2m0x9qd --name News --campaign "Spring sale" --account relay
    --from news@example.com --template Letter --every day --at 08:00`
    """
    fields = await given.series(session)
    answer = await session.ask(commands.EditSeries.model_validate(fields | {"series": series}), key=key)
    session.out.done(answer, f"Edited; it comes round at {answer['next_at']}.")


@command(app, "list")
async def list_(session: Session) -> None:
    """List recurring mailings: when they come round next, and what became of the last time.

    Example: `posthaste series list`
    """
    answer = await session.ask(commands.AllSeries())
    columns = {"series": "Id", "name": "Name", "next_at": "Next", "made": "Made", "skipped": "Skipped"}
    columns |= {"last_mailing": "Last mailing", "last_reason": "Last skipped", "reason": "Stopped for"}
    session.out.rows(answer, "series", columns, empty="None yet: posthaste series open --help")


@command(app, "show")
async def show(session: Session, series: SeriesArgument) -> None:
    """Show what became of its last times.

    Example: `posthaste series show s4w8k2m0x9qd`
    """
    answer = await session.ask(commands.ShowSeries(series=series))
    columns = {"at": "Time", "mailing": "Mailing", "reason": "Skipped"}
    session.out.rows(answer, "times", columns, empty="It did not come round yet.")


@command(app, "stop")
async def stop(session: Session, series: SeriesArgument, key: KeyOption = "") -> None:
    """Make no more of them; what was made goes out.

    Example: `posthaste series stop s4w8k2m0x9qd`
    """
    session.out.done(await session.ask(commands.StopSeries(series=series), key=key), "Stopped.")
