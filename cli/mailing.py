"""`posthaste mailing`: from the draft to the end of sending. What only looks is in `reports`."""

from typing import Annotated

import typer

from cli import ab_tests, audience, dry_runs, previews, reports
from cli.commands import KeyOption, MailingArgument, command, group
from cli.drafts import (
    Between,
    Draft,
    PerHour,
)
from cli.output import pairs
from cli.session import Session
from cli.starts import Start
from shared.contracts import commands
from shared.contracts.account import Limits

app = group("mailing", "Mailings: draft, audience, test, schedule, follow.")


@command(app, "draft")
async def draft(session: Session, given: Draft, key: KeyOption = "") -> None:
    """Draft a mailing. Links in it are tracked, an unsubscribe link is added where it has none.

    Example: `posthaste mailing draft --name May --campaign "Spring sale" --account relay
    --from "Shop <news@example.com>" --subject "Hello {{ name }}" --html mail.html`
    """
    answer = await session.ask(commands.DraftMailing.model_validate(await given.fields(session)), key=key)
    mailing = answer["mailing"]
    session.out.done(answer, f"Drafted mailing {mailing}. Next: posthaste mailing audience {mailing}")


@command(app, "edit")
async def edit(session: Session, mailing: MailingArgument, given: Draft, key: KeyOption = "") -> None:
    """Replace a draft as a whole, until sending starts; the audience has to be frozen anew.

    Example: `posthaste mailing edit b7k2m9x0q3fd --name May --campaign "Spring sale" --account relay
    --from news@example.com --subject "Hello again" --text mail.txt`
    """
    fields = await given.fields(session)
    answer = await session.ask(commands.EditMailing.model_validate(fields | {"mailing": mailing}), key=key)
    session.out.done(answer, f"Edited. Next: posthaste mailing audience {mailing}")


@command(app, "test")
async def test(
    session: Session,
    mailing: MailingArgument,
    to: Annotated[list[str], typer.Option("--to", help="Test address; repeatable, at most 20.")] = [],  # noqa: B006
    key: KeyOption = "",
) -> None:
    """Send it to test addresses, before everything else that waits.

    Example: `posthaste mailing test b7k2m9x0q3fd --to me@example.com`
    """
    answer = await session.ask(commands.SendTest(mailing=mailing, to=to), key=key)
    test_id = answer.get("test", "")
    session.out.done(answer, f"On its way as {test_id}. Follow it: posthaste mailing status {test_id}")


@command(app, "schedule")
async def schedule(session: Session, mailing: MailingArgument, given: Start, key: KeyOption = "") -> None:
    """Start it at a time, or at once; by itself, within hours and days if given.

    Examples: `posthaste mailing schedule b7k2m9x0q3fd`, `posthaste mailing schedule b7k2m9x0q3fd
    --at 2026-12-01T09:00 --zone Europe/Berlin --hours 08:00-18:00 --days mon-fri --holidays DE-BE`
    """
    answer = await session.ask(commands.ScheduleMailing.model_validate(given.fields(mailing)), key=key)
    session.out.done(answer, f"Scheduled. Follow it: posthaste mailing status {mailing} --watch")


@command(app, "forecast")
async def forecast(session: Session, mailing: MailingArgument, given: Start) -> None:
    """Tell when a mailing will be finished, under its windows, limits, batches and lanes as they are now.

    With options of `schedule` it tells what would be if it were scheduled like that.

    Examples: `posthaste mailing forecast b7k2m9x0q3fd`, `posthaste mailing forecast b7k2m9x0q3fd --hours 09:00-12:00`
    """
    tried = commands.Foresee.model_validate(given.fields(mailing)) if given.given else None
    answer = await session.ask(tried or commands.Forecast(mailing=mailing))
    if session.out.as_json:
        session.out.json(answer)
        return
    rate = f"{answer['per_second'] * 3600:g} an hour" + (" (assumed: nothing limits it)" if answer["assumed"] else "")
    shown = {
        "Starts": answer["starts_at"] or "not within sight",
        "Finished": answer["finishes_at"] or "not within sight",
        "To send": answer["left"],
        "Too late for": answer["expired"],
        "At most": rate,
        "Others on the account": answer["sharing"],
        "Plan": answer["plan"] + (" (approved)" if answer["approved"] else ""),
    }
    session.out.screen.print(pairs(shown))


@command(app, "approve")
async def approve(
    session: Session,
    mailing: MailingArgument,
    plan: Annotated[str, typer.Option("--plan", help="The plan that was looked at, as `forecast` shows it.")],
    key: KeyOption = "",
) -> None:
    """Approve of a plan that somebody else made, where the campaign asks for it; it starts at its time.

    Example: `posthaste mailing approve b7k2m9x0q3fd --plan 3f1c7a90b2d84e5567c1a0f2d9e8b746`
    """
    wanted = commands.ApproveMailing(mailing=mailing, plan=plan)
    session.out.done(await session.ask(wanted, key=key), "Approved: it goes out exactly like this.")


@command(app, "unschedule")
async def unschedule(session: Session, mailing: MailingArgument, key: KeyOption = "") -> None:
    """Withdraw the start before it came.

    Example: `posthaste mailing unschedule b7k2m9x0q3fd`
    """
    session.out.done(await session.ask(commands.UnscheduleMailing(mailing=mailing), key=key), "Back to planned.")


Reason = Annotated[str, typer.Option("--reason", help="Stands in the log.")]


@command(app, "pause")
async def pause(session: Session, mailing: MailingArgument, reason: Reason = "", key: KeyOption = "") -> None:
    """Stop sending until `resume`; what is on the wire is finished.

    Example: `posthaste mailing pause b7k2m9x0q3fd --reason "wrong price"`
    """
    session.out.done(await session.ask(commands.PauseMailing(mailing=mailing, reason=reason), key=key), "Paused.")


@command(app, "resume")
async def resume(session: Session, mailing: MailingArgument, key: KeyOption = "") -> None:
    """Go on after a pause or a failure.

    Example: `posthaste mailing resume b7k2m9x0q3fd`
    """
    session.out.done(await session.ask(commands.ResumeMailing(mailing=mailing), key=key), "Resumed.")


@command(app, "cancel")
async def cancel(session: Session, mailing: MailingArgument, reason: Reason = "", key: KeyOption = "") -> None:
    """Send nothing any more; this cannot be undone.

    Example: `posthaste mailing cancel b7k2m9x0q3fd --reason "event is off"`
    """
    session.out.done(await session.ask(commands.CancelMailing(mailing=mailing, reason=reason), key=key), "Cancelled.")


@command(app, "rate")
async def rate(
    session: Session,
    mailing: MailingArgument,
    per_hour: PerHour = None,
    seconds_between: Between = None,
    key: KeyOption = "",
) -> None:
    """Replace the limits, also while it runs; without options there is no limit.

    Example: `posthaste mailing rate b7k2m9x0q3fd --per-hour 500`
    """
    limits = Limits(per_hour=per_hour, seconds_between=seconds_between)
    session.out.done(await session.ask(commands.ChangeRate(mailing=mailing, limits=limits), key=key), "Changed.")


@command(app, "delete")
async def delete(session: Session, mailing: MailingArgument, key: KeyOption = "") -> None:
    """Hide a mailing that is not running; its history is kept.

    Example: `posthaste mailing delete b7k2m9x0q3fd`
    """
    session.out.done(await session.ask(commands.DeleteMailing(mailing=mailing), key=key), "Deleted: hidden from lists.")


for _commands in (audience, reports, previews, dry_runs, ab_tests):
    for _name, _work in _commands.COMMANDS.items():
        command(app, _name)(_work)
