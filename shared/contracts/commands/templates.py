"""Looking at what a mailing says before it goes out, templates that are kept, and the single mail."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from shared.contracts.commands.base import Command, Id, Name, Query
from shared.contracts.mailing_settings import DRAFT_ITSELF
from shared.contracts.tracking_url import NAME as TRACKING_URL_NAME


class PreviewMailing(Query):
    """The mail as one contact would get it, by its id or address; links lead straight to their targets.

    `version`: which one of an A/B test, where not the draft itself.
    """

    NAME: ClassVar[str] = "mailing.preview"

    mailing: Id
    contact: str = Field(min_length=1, max_length=320)
    version: str = Field(default=DRAFT_ITSELF, pattern="^[a-e]$")


class LintMailing(Query):
    """What the author should know of the draft -> {findings: [{code, severity, message, remedy, field, line}]}."""

    NAME: ClassVar[str] = "mailing.lint"

    mailing: Id


class SendMail(Command):
    """Send one mail to one person outside any campaign, before everything else that waits.

    `although_removed`: also to somebody who is out of all mail or must not be mailed; that is recorded.
    """

    NAME: ClassVar[str] = "mail.send"

    account: Id
    to: str = Field(min_length=3, max_length=320)
    sender_name: str = Field(default="", max_length=200)
    sender_address: str
    reply_to: str = ""
    subject: str = Field(default="", max_length=900)
    html: str = Field(default="", max_length=2_000_000)
    text: str = Field(default="", max_length=2_000_000)
    template: Id | Literal[""] = ""
    language: str = Field(default="", pattern=r"^([a-z]{2,3})?$")
    zone: str = Field(default="", max_length=64)
    headers: dict[str, str] = {}
    although_removed: bool = False


class SaveTemplate(Command):
    """Keep a template under a name, for mailings and single mails; with `template` it replaces that one as a whole.

    `single_braces`: it was written for a system that spells placeholders `{Person.firstName}`, and is kept in ours.
    """

    NAME: ClassVar[str] = "template.save"

    template: Id | Literal[""] = ""
    name: Name
    subject: str = Field(default="", max_length=900)
    html: str = Field(default="", max_length=2_000_000)
    text: str = Field(default="", max_length=2_000_000)
    single_braces: bool = False


class DeleteTemplate(Command):
    """Keep a template no more; mailings that were made from it stay as they are."""

    NAME: ClassVar[str] = "template.delete"

    template: Id


class SaveTrackingUrl(Command):
    """Have a name stand for a URL in templates (`{{ trackingUrl:NAME }}`), instead of whatever it stood for."""

    NAME: ClassVar[str] = "tracking_url.save"

    name: Annotated[str, Field(pattern=rf"^{TRACKING_URL_NAME}$")]
    url: str = Field(min_length=1, max_length=1_500)


class DeleteTrackingUrl(Command):
    """Offer the name of a URL no more; mailings that have it stay as they are."""

    NAME: ClassVar[str] = "tracking_url.delete"

    name: Annotated[str, Field(pattern=rf"^{TRACKING_URL_NAME}$")]


class TrackingUrls(Query):
    """The URLs that have a name -> {tracking_urls: [{name, url}]}."""

    NAME: ClassVar[str] = "tracking_url.list"


class Templates(Query):
    """The templates that are kept -> {templates: [{template, name, subject, saved_at}]}."""

    NAME: ClassVar[str] = "template.list"


class ShowTemplate(Query):
    """One of them -> {template, name, subject, html, text, saved_at}."""

    NAME: ClassVar[str] = "template.show"

    template: Id
