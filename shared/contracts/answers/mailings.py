"""Answers about campaigns and mailings."""

from typing import Any

from shared.contracts.account import Limits
from shared.contracts.answers.base import Data, Page, Paused
from shared.contracts.commands.mailings import AbTestWanted
from shared.contracts.content import AttachedFile, Variant
from shared.contracts.mailing_settings import Batch, StopRules
from shared.contracts.sources import Sources


class CampaignDone(Data):
    """The campaign."""

    campaign: str


class CampaignRow(Data):
    """One campaign."""

    campaign: str
    name: str
    kind: str
    lists: list[str]
    starts_on: str
    ends_on: str
    approval: bool
    utm: dict[str, str]
    statuses: dict[str, str]
    status: str
    opened_at: str
    mailings: int


class CampaignRows(Paused):
    """All campaigns, newest first."""

    campaigns: list[CampaignRow]


class MailingDone(Data):
    """The mailing and where it stands now."""

    mailing: str
    status: str


class AllDone(Data):
    """The mailings it was done to; `left`: those it could not be done to, and why."""

    mailings: list[str]
    left: dict[str, str]


class MailingDraftedNow(MailingDone):
    """The draft, with the links that will be counted."""

    links: list[str]


class Written(Data):
    """What the author of a mailing wrote; `text` is "" where it is made from the HTML."""

    mailing: str
    campaign: str
    name: str
    account: str
    sender_name: str
    sender_address: str
    reply_to: str
    language: str
    zone: str
    variants: dict[str, Variant]
    subject: str
    preheader: str
    html: str
    text: str
    headers: dict[str, str]
    attachments: list[AttachedFile]
    doubt: str
    tracking: str
    limits: Limits
    retry_for: int
    stop: StopRules | None
    batch: Batch | None
    recipient_time: bool
    notify: list[str]
    notify_url: str
    ab_test: AbTestWanted | None
    blind_copy: str


class RecipientsChosen(MailingDone):
    """The contacts that were named, in the order in which they were."""

    contacts: list[str]


class SourcesShown(Data):
    """Where the audience comes from. `lists`: names by id; `added`, `removed`: contacts chosen one by one."""

    mailing: str
    sources: Sources
    lists: dict[str, str]
    added: list[str]
    removed: list[str]


class ListMade(Data):
    """The list, and how many are behind the number."""

    list: str
    name: str
    contacts: int


class AudienceFrozenNow(MailingDone):
    """Who gets it: counts by reason for those left out, chunks by lane."""

    recipients: int
    customers: int
    skipped: dict[str, int]
    chunks: int
    lanes: dict[str, int]


class Foreseen(Data):
    """When a mailing will be finished; docs/planning.md explains the fields."""

    mailing: str
    status: str
    starts_at: str
    finishes_at: str
    left: int
    sent: int
    expired: int
    per_second: float
    assumed: bool
    sharing: int
    plan: str
    approved: bool


class DryRunDone(Data):
    """The mailing and its dry run: `state` is `running`, `done`, `failed` or `cancelled`."""

    mailing: str
    run: str
    state: str


class DryRunShown(DryRunDone):
    """How far it is and what it found; docs/planning.md explains the fields."""

    problem: str
    recipients: int
    done: int
    mails: int
    failed: int
    causes: dict[str, int]
    missing: dict[str, int]
    left_out: dict[str, int]
    bytes: int
    largest: int
    largest_contact: str
    date: str
    digest: str
    current: bool
    forecast: dict[str, Any]


class DryRunRow(Data):
    """One recipient: the digest of the mail, or why it cannot be made."""

    contact: str
    address: str
    name: str
    n: int
    index: int
    digest: str
    cause: str


class DryRunPage(Page):
    """Recipients of a dry run, in the order of their places."""

    rows: list[DryRunRow]


class TestSentNow(Data):
    """The test, under whose id its status can be asked."""

    mailing: str
    test: str
    recipients: int


class VersionRow(Data):
    """How a version of an A/B test did with its part of the sample."""

    version: str
    subject: str
    recipients: int
    sent: int
    opened: int
    clicked: int
    unsubscribed: int


class AbTestShown(Data):
    """Where an A/B test stands: `sample` (is sent to), `waiting`, `decided`; `versions` in the status alone."""

    stage: str
    by: str
    decides_at: str
    winner: str
    chosen_by: str
    versions: list[VersionRow]


class MailingRow(Paused):
    """Status and numbers of one mailing; docs/commands.md explains the fields."""

    mailing: str
    campaign: str
    name: str
    account: str
    subject: str
    status: str
    reason: str
    zone: str
    audience: str
    test_of: str
    doubt: str
    tracking: str
    limits: Limits
    left_out: dict[str, int]
    hours: dict[str, Any] | None
    deleted: bool
    scheduled_at: str
    deadline: str
    until: str
    opens: str
    drafted_at: str
    started_at: str
    finished_at: str
    first_sent: str
    last_sent: str
    rate: float
    total: int
    to_send: int
    sent: int
    failed: int
    pending: int
    read: int
    opened: int
    clicks: int
    clicked: int
    opens_by: dict[str, int]
    clicks_by: dict[str, int]
    only_machines: int
    rules: int
    copied: int
    unsubscribed: int
    bounced: int
    bounce_reasons: dict[str, int]
    complained: int
    replied: int
    auto_replied: int
    accepted: int
    deferred: int
    rejected: int
    skipped: int
    expired: int
    cancelled: int
    in_doubt: int
    evidence: int
    recipients: int | None
    planned: int
    chunks: int
    chunks_planned: int
    chunks_finished: int
    parked: int
    audience_position: int
    ab_test: AbTestShown | None


class MailingRows(Paused):
    """Mailings, newest first."""

    mailings: list[MailingRow]
