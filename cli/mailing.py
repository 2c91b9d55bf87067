"""`posthaste mailing`: from the draft to the end of sending. What only looks is in `reports`."""

from dataclasses import dataclass
from mimetypes import guess_type
from pathlib import Path
from typing import Annotated, Any

import typer

from cli import audience, choices, reports
from cli.commands import KeyOption, MailingArgument, command, group
from cli.errors import InputError
from cli.output import pairs
from cli.session import Session, read_file
from shared.contracts import commands
from shared.contracts.account import Limits
from shared.contracts.mailing import Batch, DoubtPolicy, LateRule, StopRules, Tracking

app = group("mailing", "Mailings: draft, audience, test, schedule, follow.")

Name = Annotated[str, typer.Option("--name", help="What people call it.")]
Campaign = Annotated[str, typer.Option("--campaign", help="Campaign by id or name.")]
Account = Annotated[str, typer.Option("--account", help="SMTP account by id or name.")]
From = Annotated[str, typer.Option("--from", help="Sender: `Name <address>` or an address.")]
Subject = Annotated[str, typer.Option("--subject", help="May hold placeholders: {{ name }}.")]
Html = Annotated[Path | None, typer.Option("--html", help="File with the HTML body.")]
Text = Annotated[Path | None, typer.Option("--text", help="File with the text body; made from the HTML if not given.")]
Language = Annotated[
    str, typer.Option("--language", help="Code of the language of what we add, and of the pages behind it, e.g. el.")
]
ReplyTo = Annotated[str, typer.Option("--reply-to", help="Where answers go.")]
Doubt = Annotated[DoubtPolicy, typer.Option("--doubt", help="What becomes of mails whose fate cannot be known.")]
Track = Annotated[Tracking, typer.Option("--tracking", help="Opens and clicks: per person, only in sum, or not.")]
PerHour = Annotated[int | None, typer.Option("--per-hour", help="Mails an hour at most.")]
Between = Annotated[float | None, typer.Option("--seconds-between", help="Least pause between one mail and the next.")]
Attach = Annotated[list[Path], typer.Option("--attach", help="File that goes with every mail; repeatable.")]
Inline = Annotated[
    list[str], typer.Option("--inline", help="Image shown in the HTML: `logo=logo.png` for cid:logo; repeatable.")
]
Header = Annotated[list[str], typer.Option("--header", help="Further header field: `Name: value`; repeatable.")]
RetryFor = Annotated[int, typer.Option("--retry-for", help="Seconds for which a deferred mail is tried again.")]
Stop = Annotated[
    str, typer.Option("--stop", help="When it stops by itself, such as bounces=0.1,errors=0.25,after=200; or off.")
]
InBatches = Annotated[str, typer.Option("--batch", help="So many recipients in so many minutes, all at once: 500/60.")]
TheirTime = Annotated[bool, typer.Option("--recipient-time", help="Start and hours in each contact's own time zone.")]


@dataclass(frozen=True)
class Draft:
    """The options of a draft."""

    name: str
    campaign: str
    account: str
    sender: str
    subject: str
    html: Path | None
    text: Path | None
    reply_to: str
    language: str
    doubt: DoubtPolicy
    tracking: Tracking
    limits: Limits
    retry_for: int
    stop: StopRules
    batch: Batch | None
    recipient_time: bool
    attach: list[Path]
    inline: list[str]
    header: list[str]

    async def fields(self, session: Session) -> dict[str, Any]:
        """Return them as the command takes them: files read, names resolved."""
        if self.html is None and self.text is None:
            raise InputError("empty_body", "Give --html FILE, --text FILE, or both.")
        sender_name, sender_address = choices.sender(self.sender)
        html = read_file(self.html) if self.html else ""
        text = read_file(self.text) if self.text else ""
        return {
            "campaign": await choices.campaign_id(session, self.campaign),
            "name": self.name,
            "account": await choices.account_id(session, self.account),
            "sender_name": sender_name,
            "sender_address": sender_address,
            "reply_to": self.reply_to,
            "subject": self.subject,
            "html": html,
            "text": text,
            "language": self.language,
            "doubt": self.doubt,
            "tracking": self.tracking,
            "limits": self.limits,
            "retry_for": self.retry_for,
            "stop": self.stop,
            "batch": self.batch,
            "recipient_time": self.recipient_time,
            "headers": {name.strip(): value.strip() for name, _, value in map(_colon, self.header)},
            "attachments": [await _attached(session, path) for path in self.attach]
            + [await _attached(session, Path(path), cid) for cid, _, path in map(_equals, self.inline)],
        }


def _colon(text: str) -> tuple[str, str, str]:
    if ":" not in text:
        raise InputError("header_not_allowed", "Write a header field like `Name: value`.")
    return text.partition(":")


def _equals(text: str) -> tuple[str, str, str]:
    if "=" not in text:
        raise InputError("attachment_invalid", "Write an image like `logo=logo.png`.")
    return text.partition("=")


async def _attached(session: Session, path: Path, content_id: str = "") -> commands.Attachment:
    """Upload a file and return what the draft says of it."""
    upload, parts = await session.upload(path, lambda _: None)
    guessed = guess_type(path.name)[0] or "application/octet-stream"
    return commands.Attachment(
        file_name=path.name, media_type=guessed, content_id=content_id, upload=upload, parts=parts
    )


@command(app, "draft")
async def draft(
    session: Session,
    name: Name,
    campaign: Campaign,
    account: Account,
    sender: From,
    subject: Subject,
    html: Html = None,
    text: Text = None,
    reply_to: ReplyTo = "",
    language: Language = "",
    doubt: Doubt = "hold",
    tracking: Track = "person",
    per_hour: PerHour = None,
    seconds_between: Between = None,
    retry_for: RetryFor = 86_400,
    stop: Stop = "",
    batch: InBatches = "",
    recipient_time: TheirTime = False,
    attach: Attach = [],  # noqa: B006 - typer reads the default, nobody changes it
    inline: Inline = [],  # noqa: B006
    header: Header = [],  # noqa: B006
    key: KeyOption = "",
) -> None:
    """Draft a mailing. Links in it are tracked, an unsubscribe link is added where it has none.

    Example: `posthaste mailing draft --name May --campaign "Spring sale" --account relay
    --from "Shop <news@example.com>" --subject "Hello {{ name }}" --html mail.html`
    """
    limits = Limits(per_hour=per_hour, seconds_between=seconds_between)
    sent = (doubt, tracking, limits, retry_for, choices.stop_rules(stop), choices.batch(batch), recipient_time)
    given = Draft(
        name, campaign, account, sender, subject, html, text, reply_to, language, *sent, attach, inline, header
    )
    answer = await session.ask(commands.DraftMailing.model_validate(await given.fields(session)), key=key)
    mailing = answer["mailing"]
    session.out.done(answer, f"Drafted mailing {mailing}. Next: posthaste mailing audience {mailing}")


@command(app, "edit")
async def edit(
    session: Session,
    mailing: MailingArgument,
    name: Name,
    campaign: Campaign,
    account: Account,
    sender: From,
    subject: Subject,
    html: Html = None,
    text: Text = None,
    reply_to: ReplyTo = "",
    language: Language = "",
    doubt: Doubt = "hold",
    tracking: Track = "person",
    per_hour: PerHour = None,
    seconds_between: Between = None,
    retry_for: RetryFor = 86_400,
    stop: Stop = "",
    batch: InBatches = "",
    recipient_time: TheirTime = False,
    attach: Attach = [],  # noqa: B006 - typer reads the default, nobody changes it
    inline: Inline = [],  # noqa: B006
    header: Header = [],  # noqa: B006
    key: KeyOption = "",
) -> None:
    """Replace a draft as a whole, until sending starts; the audience has to be frozen anew.

    Example: `posthaste mailing edit b7k2m9x0q3fd --name May --campaign "Spring sale" --account relay
    --from news@example.com --subject "Hello again" --text mail.txt`
    """
    limits = Limits(per_hour=per_hour, seconds_between=seconds_between)
    sent = (doubt, tracking, limits, retry_for, choices.stop_rules(stop), choices.batch(batch), recipient_time)
    given = Draft(
        name, campaign, account, sender, subject, html, text, reply_to, language, *sent, attach, inline, header
    )
    fields = await given.fields(session)
    answer = await session.ask(commands.EditMailing.model_validate(fields | {"mailing": mailing}), key=key)
    session.out.done(answer, f"Edited. Next: posthaste mailing audience {mailing}")


@command(app, "test")
async def test(
    session: Session,
    mailing: MailingArgument,
    to: Annotated[list[str], typer.Option("--to", help="Test address; repeatable, at most 20.")],
    key: KeyOption = "",
) -> None:
    """Send it to test addresses, before everything else that waits.

    Example: `posthaste mailing test b7k2m9x0q3fd --to me@example.com`
    """
    answer = await session.ask(commands.SendTest(mailing=mailing, to=to), key=key)
    test_id = answer.get("test", "")
    session.out.done(answer, f"On its way as {test_id}. Follow it: posthaste mailing status {test_id}")


@command(app, "schedule")
async def schedule(
    session: Session,
    mailing: MailingArgument,
    at: Annotated[str, typer.Option("--at", help="Local time 2026-12-24T09:00; at once if not given.")] = "",
    zone: Annotated[str, typer.Option("--zone", help="Time zone of all times here.")] = "UTC",
    hours: Annotated[
        str, typer.Option("--hours", help="Send only within these hours: 08:00-18:00, or 08:00-12:00,13:00-18:00.")
    ] = "",
    days: Annotated[str, typer.Option("--days", help="Send only on these days: mon-fri, or mon,wed.")] = "",
    holidays: Annotated[
        list[str],
        typer.Option("--holidays", help="Not on public holidays of a country (CZ) or part (DE-BY); repeatable."),
    ] = [],  # noqa: B006 - typer reads the default, nobody changes it
    closed: Annotated[list[str], typer.Option("--closed", help="Not on this date either; repeatable.")] = [],  # noqa: B006
    deadline: Annotated[str, typer.Option("--deadline", help="Nothing goes out after this local time.")] = "",
    late: Annotated[LateRule, typer.Option("--late", help="If its start is found too late, after an outage.")] = "send",
    key: KeyOption = "",
) -> None:
    """Start it at a time, or at once; by itself, within hours and days if given.

    Examples: `posthaste mailing schedule b7k2m9x0q3fd`, `posthaste mailing schedule b7k2m9x0q3fd
    --at 2026-12-01T09:00 --zone Europe/Berlin --hours 08:00-18:00 --days mon-fri --holidays DE-BE`
    """
    wanted = commands.ScheduleMailing(
        mailing=mailing,
        at=choices.local_time(at) if at else None,
        zone=zone,
        hours=choices.hours(hours, days, holidays, closed),
        deadline=choices.local_time(deadline) if deadline else None,
        late=late,
    )
    answer = await session.ask(wanted, key=key)
    session.out.done(answer, f"Scheduled. Follow it: posthaste mailing status {mailing} --watch")


@command(app, "forecast")
async def forecast(session: Session, mailing: MailingArgument) -> None:
    """Tell when a mailing will be finished, under its windows, limits, batches and lanes as they are now.

    Example: `posthaste mailing forecast b7k2m9x0q3fd`
    """
    answer = await session.ask(commands.Forecast(mailing=mailing))
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


for _name, _work in (audience.COMMANDS | reports.COMMANDS).items():
    command(app, _name)(_work)
