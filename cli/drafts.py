"""The options of a draft, and the command they make."""

from dataclasses import dataclass, field
from mimetypes import guess_type
from pathlib import Path
from typing import Annotated, Any

import typer

from cli import ab_tests, choices
from cli.errors import InputError
from cli.session import Session, read_file
from shared.contracts import commands
from shared.contracts.account import Limits
from shared.contracts.mailing_settings import DoubtPolicy, Tracking

Name = Annotated[str, typer.Option("--name", help="What people call it.")]
Campaign = Annotated[str, typer.Option("--campaign", help="Campaign by id or name.")]
Account = Annotated[str, typer.Option("--account", help="SMTP account by id or name.")]
From = Annotated[str, typer.Option("--from", help="Sender: `Name <address>` or an address.")]
Subject = Annotated[str, typer.Option("--subject", help="May hold placeholders: {{ name }}.")]
Preheader = Annotated[str, typer.Option("--preheader", help="What lists of mails show behind the subject.")]
Template = Annotated[str, typer.Option("--template", help="Template by id or name, for what is not given.")]
Html = Annotated[Path | None, typer.Option("--html", help="File with the HTML body.")]
Text = Annotated[Path | None, typer.Option("--text", help="File with the text body; made from the HTML if not given.")]
Language = Annotated[
    str, typer.Option("--language", help="Code of the language of what we add, and of the pages behind it, e.g. el.")
]
Zone = Annotated[
    str, typer.Option("--zone", help="Time zone of {{ today }} and {{ now }}, e.g. Europe/Athens; else UTC.")
]
Variant = Annotated[
    list[str],
    typer.Option("--variant", help="Template in another language: `de=Letter-de`; repeatable."),
]
InlineCss = Annotated[bool, typer.Option("--inline-css", help="Write the rules of style sheets into the elements.")]
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
Notify = Annotated[
    list[str], typer.Option("--notify", help="Who is told when it completes, fails or stops by itself; repeatable.")
]
NotifyUrl = Annotated[str, typer.Option("--notify-url", help="URL that is told the same by a signed webhook.")]
BlindCopy = Annotated[str, typer.Option("--blind-copy", help="Who gets a copy of every mail, unseen: an archive.")]


@dataclass(frozen=True)
class Draft:
    """The options of a draft."""

    name: Name
    campaign: Campaign
    account: Account
    sender: From
    subject: Subject = ""
    preheader: Preheader = ""
    html: Html = None
    text: Text = None
    reply_to: ReplyTo = ""
    language: Language = ""
    zone: Zone = ""
    template: Template = ""
    variant: Variant = field(default_factory=list)
    inline_css: InlineCss = False
    doubt: Doubt = "hold"
    tracking: Track = "person"
    per_hour: PerHour = None
    seconds_between: Between = None
    retry_for: RetryFor = 86_400
    stop: Stop = ""
    batch: InBatches = ""
    recipient_time: TheirTime = False
    notify: Notify = field(default_factory=list)
    notify_url: NotifyUrl = ""
    version: ab_tests.Version = field(default_factory=list)
    version_subject: ab_tests.VersionSubject = field(default_factory=list)
    sample: ab_tests.Sample = ""
    winner: ab_tests.By = "clicks"
    wait: ab_tests.Wait = 240
    blind_copy: BlindCopy = ""
    attach: Attach = field(default_factory=list)
    inline: Inline = field(default_factory=list)
    header: Header = field(default_factory=list)

    async def fields(self, session: Session) -> dict[str, Any]:
        """Return them as the command takes them: files read, names resolved."""
        if self.html is None and self.text is None and not self.template:
            raise InputError("empty_body", "Give --html FILE, --text FILE, or both.")
        limits = Limits(per_hour=self.per_hour, seconds_between=self.seconds_between)
        stop, batch = choices.stop_rules(self.stop), choices.batch(self.batch)
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
            "preheader": self.preheader,
            "html": html,
            "text": text,
            "language": self.language,
            "zone": self.zone,
            "template": await choices.template_id(session, self.template),
            "variants": {
                code: {"template": await choices.template_id(session, wanted)}
                for code, _, wanted in map(_equals, self.variant)
            },
            "inline_css": self.inline_css,
            "doubt": self.doubt,
            "tracking": self.tracking,
            "limits": limits,
            "retry_for": self.retry_for,
            "stop": stop,
            "batch": batch,
            "recipient_time": self.recipient_time,
            "notify": self.notify,
            "notify_url": self.notify_url,
            "ab_test": await ab_tests.wanted(
                session, self.version, self.version_subject, self.sample, self.winner, self.wait
            ),
            "blind_copy": self.blind_copy,
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
