"""Campaigns and mailings, from the draft to the end."""

from datetime import date, datetime
from typing import Annotated, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

from shared.contracts.account import Limits
from shared.contracts.commands.base import Command, Id, Name, Page, Query
from shared.contracts.mailing_settings import (
    Batch,
    DoubtDecision,
    DoubtPolicy,
    LateRule,
    SendingHours,
    StopRules,
    Tracking,
    WinnerRule,
)
from shared.contracts.statuses import StatusMap


class OpenCampaign(Command):
    """Open a campaign on one or more lists (by name or id).

    `utm`: parameters such as `utm_source` that links of its mailings get where they have them not.

    Attributes:
        statuses: Outcome -> the status of the customer that it sets.
    """

    NAME: ClassVar[str] = "campaign.open"

    name: Name
    kind: Literal["email", "newsletter"] = "email"
    lists: list[str] = Field(min_length=1)
    starts_on: date | None = None
    ends_on: date | None = None
    approval: bool = False
    utm: dict[Annotated[str, Field(pattern="^utm_[a-z_]{1,30}$")], Annotated[str, Field(max_length=200)]] = Field(
        default={}, max_length=10
    )
    statuses: StatusMap = {}


class EditCampaign(OpenCampaign):
    """Replace a campaign as a whole."""

    NAME: ClassVar[str] = "campaign.edit"

    campaign: Id


class CloseCampaign(Command):
    """Take no more mailings; what is scheduled goes out."""

    NAME: ClassVar[str] = "campaign.close"

    campaign: Id


class DeleteCampaign(Command):
    """Hide a campaign of which no mailing goes out or will; its history is kept."""

    NAME: ClassVar[str] = "campaign.delete"

    campaign: Id


class Attachment(BaseModel):
    """A file for every mail: an upload (see `contacts.import`), or the `object` that `mailing.content` told of it.

    With `content_id` it is shown inside the HTML, where `cid:<content_id>` names it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    file_name: str = Field(min_length=1, max_length=200)
    media_type: str = Field(default="application/octet-stream", max_length=100)
    content_id: str = Field(default="", max_length=100)
    upload: Id | Literal[""] = ""
    parts: int = Field(default=0, ge=0, le=1_000)
    object: str = Field(default="", pattern=r"^([0-9a-f]{64})?$")


class LanguageVariant(BaseModel):
    """What a mailing says in another language; what is not given is taken from `template`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    subject: str = Field(default="", max_length=900)
    html: str = Field(default="", max_length=2_000_000)
    text: str = Field(default="", max_length=2_000_000)
    template: Id | Literal[""] = ""


Language = Annotated[str, Field(pattern=r"^[a-z]{2,3}(-[a-z0-9]{2,8})?$")]


class AbVersion(BaseModel):
    """Another version of a mailing; what is not given is taken from `template`, or is as in the draft."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    subject: str = Field(default="", max_length=900)
    html: str = Field(default="", max_length=2_000_000)
    text: str = Field(default="", max_length=2_000_000)
    template: Id | Literal[""] = ""
    variants: dict[Language, LanguageVariant] = Field(default={}, max_length=30)


class AbTestWanted(BaseModel):
    """Some of the audience get different versions, and the rest the one that did best.

    `versions`: those beside the draft, which is `a`. The sample is `percent` of the audience, or so many `recipients`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    versions: dict[Annotated[str, Field(pattern="^[b-e]$")], AbVersion] = Field(min_length=1, max_length=4)
    percent: float | None = Field(default=None, gt=0, le=100)
    recipients: int | None = Field(default=None, ge=2, le=10_000_000)
    by: WinnerRule = "clicks"
    wait_minutes: float = Field(default=240, ge=0, le=43_200)


class DraftMailing(Command):
    """Draft a mailing. Placeholders in subject, html and text: `{{ field }}` or `{{ field | default("there") }}`.

    `zone`: in which `{{ today }}` and `{{ now }}` are told. `template`: what is not given is taken from it.
    `variants`: by the field `language` of a contact. `inline_css`: rules of `<style>` become styles of the elements.
    `notify`: who is told by mail when it completes, fails, or stops by itself; whoever drafts it, where a person who
    signed in leaves it out. `notify_url`: by a webhook.
    `preheader`: what lists of mails show behind the subject, hidden in the HTML; not in other languages.
    `ab_test`: other versions, of which a sample decides.
    `blind_copy`: who gets a copy of every mail that was accepted, as a mail of its own whose links lead nobody out.
    """

    NAME: ClassVar[str] = "mailing.draft"

    campaign: Id
    name: Name
    account: Id
    sender_name: str = Field(default="", max_length=200)
    sender_address: str
    reply_to: str = ""
    subject: str = Field(default="", max_length=900)
    preheader: str = Field(default="", max_length=250)
    html: str = Field(default="", max_length=2_000_000)
    text: str = Field(default="", max_length=2_000_000)
    template: Id | Literal[""] = ""
    variants: dict[Language, LanguageVariant] = Field(default={}, max_length=30)
    inline_css: bool = False
    language: str = Field(default="", pattern=r"^([a-z]{2,3})?$")
    zone: str = Field(default="", max_length=64)
    headers: dict[str, str] = {}
    attachments: list[Attachment] = []
    doubt: DoubtPolicy = "hold"
    tracking: Tracking = "person"
    limits: Limits = Limits()
    retry_for: int = Field(default=86_400, ge=0, le=604_800)
    stop: StopRules = StopRules()
    batch: Batch | None = None
    recipient_time: bool = False
    notify: list[Annotated[str, Field(max_length=320)]] = Field(default=[], max_length=5)
    notify_url: str = Field(default="", max_length=1_000)
    ab_test: AbTestWanted | None = None
    blind_copy: str = Field(default="", max_length=320)


class EditMailing(DraftMailing):
    """Replace the draft as a whole, until sending starts."""

    NAME: ClassVar[str] = "mailing.edit"

    mailing: Id


class SendTest(Command):
    """Send the mailing to test addresses, or to whoever asks, through the prompt lane."""

    NAME: ClassVar[str] = "mailing.test"

    mailing: Id
    to: list[str] = Field(default=[], max_length=20)


class Start(BaseModel):
    """When a mailing starts and goes out; local times are those of `zone`, and without `at` it starts at once."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    mailing: Id
    at: datetime | None = None
    zone: str = "UTC"
    hours: SendingHours | None = None
    deadline: datetime | None = None
    late: LateRule = "send"


class ScheduleMailing(Start, Command):
    """Start by itself at `at` (local time of `zone`), or at once where `at` is None."""

    NAME: ClassVar[str] = "mailing.schedule"


class ApproveMailing(Command):
    """Approve of a plan (`mailing.forecast` names it), by somebody who has not made it."""

    NAME: ClassVar[str] = "mailing.approve"

    mailing: Id
    plan: str = Field(pattern=r"^[0-9a-f]{32}$")


class StartDryRun(Command):
    """Make the mail of every recipient as a sender would, and send none; how far it is: `mailing.dry_run.show`."""

    NAME: ClassVar[str] = "mailing.dry_run"

    mailing: Id


class CancelDryRun(Command):
    """End a dry run that is not done."""

    NAME: ClassVar[str] = "mailing.dry_run.cancel"

    mailing: Id


class UnscheduleMailing(Command):
    """Withdraw the start before it came."""

    NAME: ClassVar[str] = "mailing.unschedule"

    mailing: Id


class ChooseWinner(Command):
    """Choose by hand which version of an A/B test the rest gets, once it was started."""

    NAME: ClassVar[str] = "mailing.winner"

    mailing: Id
    version: str = Field(pattern="^[a-e]$")


class PauseMailing(Command):
    """Nothing goes out until resume."""

    NAME: ClassVar[str] = "mailing.pause"

    mailing: Id
    reason: str = Field(default="", max_length=500)


class ResumeMailing(Command):
    """Go on after a pause or a failure."""

    NAME: ClassVar[str] = "mailing.resume"

    mailing: Id


class CancelMailing(Command):
    """Nothing goes out any more."""

    NAME: ClassVar[str] = "mailing.cancel"

    mailing: Id
    reason: str = Field(default="", max_length=500)


class StopEverything(Command):
    """Pause every mailing that sends or will, all with one reason."""

    NAME: ClassVar[str] = "mailings.stop"

    reason: str = Field(default="", max_length=400)


class ResumeStopped(Command):
    """Let the mailings go on that were stopped all at once, and no others."""

    NAME: ClassVar[str] = "mailings.resume"


class ChangeRate(Command):
    """Replace the limits, also while it runs."""

    NAME: ClassVar[str] = "mailing.rate"

    mailing: Id
    limits: Limits


class DecideDoubt(Command):
    """Decide on recipients in doubt of one chunk: send again, or settle as accepted or rejected."""

    NAME: ClassVar[str] = "doubt.decide"

    mailing: Id
    n: int = Field(ge=0, le=10_000_000)
    indexes: str = Field(max_length=4_000)
    decision: DoubtDecision


class DeleteMailing(Command):
    """Hide a mailing that is not running; its history is kept."""

    NAME: ClassVar[str] = "mailing.delete"

    mailing: Id


class Forecast(Query):
    """When it will be finished, under its limits, windows and lanes as they are now."""

    NAME: ClassVar[str] = "mailing.forecast"

    mailing: Id


class Foresee(Start, Query):
    """When it would be finished if it were scheduled like this; refused where `mailing.schedule` would be."""

    NAME: ClassVar[str] = "mailing.foresee"


class DryRunStatus(Query):
    """How far the last dry run is, and what it found."""

    NAME: ClassVar[str] = "mailing.dry_run.show"

    mailing: Id


class DryRunRows(Page):
    """The recipients of a dry run: those whose mail cannot be made, or all of them with the digests of their mails."""

    NAME: ClassVar[str] = "mailing.dry_run.list"

    mailing: Id
    only: Literal["failed", "all"] = "failed"


class Draft(Query):
    """What the author of a mailing wrote, to be shown or edited -> the fields of `DraftMailing`."""

    NAME: ClassVar[str] = "mailing.content"

    mailing: Id
