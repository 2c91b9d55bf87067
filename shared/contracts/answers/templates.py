"""Answers about templates, previews and single mails."""

from shared.contracts.answers.base import Data


class Preview(Data):
    """One mail as its recipient would get it."""

    mailing: str
    contact: str
    to: str
    subject: str
    html: str
    text: str


class FindingRow(Data):
    """What is wrong or unwise, and what to do; `severity` is `error` or `warning`."""

    code: str
    severity: str
    message: str
    remedy: str
    field: str
    line: int


class FindingRows(Data):
    """What was found in a draft, errors first."""

    mailing: str
    findings: list[FindingRow]


class MailSent(Data):
    """The mail under an id of its own, by which `mailing.status` and `mailing.recipients` tell of it."""

    mail: str
    contact: str


class TemplateDone(Data):
    """The template."""

    template: str


class TrackingUrlDone(Data):
    """The name."""

    name: str


class TrackingUrlRow(TrackingUrlDone):
    """One URL that has a name."""

    url: str


class TrackingUrlRows(Data):
    """All of them by name."""

    tracking_urls: list[TrackingUrlRow]


class TemplateRow(Data):
    """One template that is kept."""

    template: str
    name: str
    subject: str
    saved_at: str


class TemplateRows(Data):
    """All of them by name."""

    templates: list[TemplateRow]


class TemplateShown(TemplateRow):
    """One with its bodies."""

    html: str
    text: str
