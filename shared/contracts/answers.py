"""What `data` of an answer holds, for each request: documents are made from these models, clients may read with them.

Services build their answers as plain data; tests hold them to the models. A field more in an answer is no break of the
contract, so the models allow it. Instants are ISO 8601 in UTC, "" where there is none.
"""

from typing import Any, Literal

from pydantic import BaseModel

from shared.contracts import commands
from shared.contracts.account import Limits
from shared.contracts.commands import Command, Query
from shared.contracts.principals import Permission


class Data(BaseModel):
    """Base of all answers."""


class Nothing(Data):
    """Nothing but that it is done."""


class Paused(Data):
    """Views that stand still, with the reason: what the answer says is true as of an earlier position."""

    paused: dict[str, str] = {}


class Page(Paused):
    """One page; `next` is the `after` of the next one, "" on the last."""

    next: str


# Of accounts and lists of contacts


class AccountDone(Data):
    """The account."""

    account: str


class AccountTried(AccountDone):
    """What the sender saw."""

    working: bool
    detail: str
    tls: str
    extensions: list[str]


class AccountRow(Data):
    """One account, without its secrets."""

    account: str
    name: str
    host: str
    port: int
    tls: str
    username: str
    senders: list[str]
    connections: int
    limits: Limits
    tested: bool
    working: bool
    detail: str


class AccountRows(Data):
    """All accounts."""

    accounts: list[AccountRow]


class ListRow(Data):
    """One list."""

    id: str
    name: str
    members: int


class ListRows(Data):
    """All lists."""

    lists: list[ListRow]


class ImportAccepted(Data):
    """The import is in line."""

    upload: str
    list: str


class ImportProblem(Data):
    """Why an import ended early, or cannot begin."""

    code: str
    message: str
    field: str
    line: int


class ImportState(Data):
    """How far an import is."""

    state: Literal["running", "done", "failed"]
    list: str
    rows: int
    added: int
    updated: int
    unchanged: int
    rejected: int
    problem: ImportProblem | None
    position: int


class RejectedRow(Data):
    """One row that was left out."""

    line: int
    column: str
    reason: str
    value: str


class RejectedRowsPage(Data):
    """Rejected rows of an import."""

    rows: list[RejectedRow]
    next: str


class PreviewColumn(Data):
    """One column: its header, and the field it goes to ("" is left out)."""

    header: str
    field: str


class PreviewRow(Data):
    """One of the first rows: its cells, and what is wrong with it."""

    line: int
    cells: list[str]
    reason: str
    column: str


class ImportPreview(Data):
    """What an upload looks like when it is read so."""

    encoding: str
    delimiter: str
    columns: list[PreviewColumn]
    rows: list[PreviewRow]
    problem: ImportProblem | None


class Written(Data):
    """What the author of a mailing wrote; `text` is "" where it is made from the HTML."""

    mailing: str
    campaign: str
    name: str
    account: str
    sender_name: str
    sender_address: str
    reply_to: str
    subject: str
    html: str
    text: str
    doubt: str
    tracking: str
    limits: Limits
    retry_for: int


class AudienceRow(Data):
    """One contact of an audience: where it stands, or why it was left out."""

    contact: str
    address: str
    name: str
    lane: str
    n: int | None
    index: int | None
    skipped: str


class AudiencePage(Data):
    """The frozen audience."""

    rows: list[AudienceRow]
    next: str
    recipients: int
    skipped: dict[str, int]


# Of campaigns and mailings


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


class MailingDraftedNow(MailingDone):
    """The draft, with the links that will be counted."""

    links: list[str]


class AudienceFrozenNow(MailingDone):
    """Who gets it: counts by reason for those left out, chunks by lane."""

    recipients: int
    skipped: dict[str, int]
    chunks: int
    lanes: dict[str, Any]


class TestSentNow(Data):
    """The test, under whose id its status can be asked."""

    mailing: str
    test: str
    recipients: int


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
    unsubscribed: int
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


class MailingRows(Paused):
    """Mailings, newest first."""

    mailings: list[MailingRow]


class RecipientRow(Data):
    """One recipient: what became of the mail."""

    contact: str
    address: str
    name: str
    n: int
    index: int
    status: str
    outcome: str
    code: int
    enhanced: str
    text: str
    host: str
    queue_id: str
    at: str
    attempts: int
    cause: str
    until: str
    evidence: str
    opens: int
    clicks: int
    unsubscribed: bool
    comment: str


class RecipientsPage(Page):
    """Recipients in the order of their chunks."""

    rows: list[RecipientRow]


class OutcomeRow(Data):
    """What became of one contact of a producer; one row for each address that got the mailing."""

    id: str
    contact: str
    status: str
    outcome: str
    code: int
    enhanced: str
    text: str
    at: str
    attempts: int
    opens: int
    clicks: int
    unsubscribed: bool


class OutcomeRows(Paused):
    """Rows in the order of the ids; `unknown` are those that the mailing does not have."""

    rows: list[OutcomeRow]
    unknown: list[str]


class FeedEventRow(Data):
    """One event, as it stands on `subject` in OUT; docs/asyncapi.json has the data of each type."""

    specversion: Literal["1.0"]
    id: str
    source: str
    type: str
    subject: str
    time: str
    datacontenttype: str
    data: dict[str, Any]


class FeedPage(Data):
    """Events in order; `cursor` is the `after` of the next question, `end` says that there was no more."""

    events: list[FeedEventRow]
    cursor: str
    end: bool


class LinkRow(Data):
    """One link of a mailing."""

    link: int
    url: str
    hits: int
    people: int


class LinkRows(Paused):
    """All links of a mailing."""

    links: list[LinkRow]


class Point(Data):
    """What happened within one step."""

    at: str
    accepted: int
    opens: int
    clicks: int


class Points(Paused):
    """What happened over time, by steps of so many seconds."""

    step: int
    points: list[Point]


class DoubtRow(Data):
    """One recipient in doubt."""

    n: int
    index: int
    contact: str
    address: str
    name: str
    since: str
    evidence: str


class DoubtsPage(Page):
    """Recipients in doubt."""

    rows: list[DoubtRow]


class Gap(Data):
    """One recipient in no state, or in two."""

    n: int
    index: int
    contact: str
    why: str


class Ledger(Data):
    """The numbers recomputed from the log alone."""

    balanced: bool
    planned: int
    totals: dict[str, int]
    pending: int
    gaps: list[Gap]
    position: int


# Of people and tokens


class TokenIssued(Data):
    """The token: its id, and the secret that proves it, which is shown here and stored nowhere."""

    token: str
    secret: str


class TokenDone(Data):
    """The token."""

    token: str


class TokenRow(Data):
    """One token; `expires_at` is "" where it does not expire."""

    token: str
    name: str
    permissions: list[Permission]
    expires_at: str
    expired: bool


class TokenRows(Data):
    """All tokens."""

    tokens: list[TokenRow]


class UserDone(Data):
    """The person."""

    user: str


class UserRow(Data):
    """One person."""

    user: str
    name: str
    email: str
    permissions: list[Permission]


class UserRows(Data):
    """All people."""

    users: list[UserRow]


class SessionOpened(UserDone):
    """The session, to be shown like a token until it expires."""

    session: str
    name: str
    permissions: list[Permission]
    expires_at: str


class AuditRow(Data):
    """One command, whatever came of it: `outcome` is `ok` or the code of the refusal."""

    at: str
    principal: str
    command: str
    about: str
    via: str
    remote: str
    outcome: str
    position: int


class AuditPage(Data):
    """Who asked for what, newest first."""

    rows: list[AuditRow]
    next: str


# Of the log, of consent, of what is wrong


class LogRow(Data):
    """One thing that happened."""

    seq: int
    place: int
    at: str
    text: str
    type: str
    principal: str
    mailing: str
    campaign: str


class LogPage(Page):
    """What happened, newest first."""

    rows: list[LogRow]


class ConsentRow(Data):
    """One act; `holds` marks those in force."""

    seq: int
    at: str
    act: str
    scope: str
    how: str
    mailing: str
    n: int | None
    index: int | None
    reason: str
    principal: str
    comment: str
    holds: bool


class ConsentRows(Paused):
    """Every act of one address, oldest first."""

    acts: list[ConsentRow]


class ParkedRow(Data):
    """One pointer to a message that nobody could handle."""

    seq: int
    at: str
    service: str
    role: str
    stream: str
    message: int
    reason: str


class ParkedPage(Data):
    """Pointers to parked messages."""

    rows: list[ParkedRow]
    next: str


class Redriven(Data):
    """The pointer that is gone; `dropped` where nothing was handed back."""

    seq: int
    dropped: bool


class ViewRow(Data):
    """One view: how far it is."""

    name: str
    version: int
    state: str
    reason: str | None
    failed_seq: int | None
    position: int
    lag: int


class ViewRows(Paused):
    """All views, and where the log ends."""

    views: list[ViewRow]
    end: int
    directory: int


DATA: dict[type[Command | Query], type[Data]] = {
    commands.AddAccount: AccountDone,
    commands.TestAccount: AccountTried,
    commands.ImportContacts: ImportAccepted,
    commands.OpenCampaign: CampaignDone,
    commands.DraftMailing: MailingDraftedNow,
    commands.EditMailing: MailingDraftedNow,
    commands.FreezeAudience: AudienceFrozenNow,
    commands.SendTest: TestSentNow,
    commands.ScheduleMailing: MailingDone,
    commands.UnscheduleMailing: MailingDone,
    commands.PauseMailing: MailingDone,
    commands.ResumeMailing: MailingDone,
    commands.CancelMailing: MailingDone,
    commands.ChangeRate: MailingDone,
    commands.DecideDoubt: MailingDone,
    commands.DeleteMailing: MailingDone,
    commands.Accounts: AccountRows,
    commands.Lists: ListRows,
    commands.ImportStatus: ImportState,
    commands.RejectedRows: RejectedRowsPage,
    commands.PreviewImport: ImportPreview,
    commands.Draft: Written,
    commands.Audience: AudiencePage,
    commands.Redrive: Redriven,
    commands.ChangePassword: UserDone,
    commands.IssueToken: TokenIssued,
    commands.RevokeToken: TokenDone,
    commands.Tokens: TokenRows,
    commands.AddUser: UserDone,
    commands.ChangePermissions: UserDone,
    commands.SetPassword: UserDone,
    commands.RemoveUser: UserDone,
    commands.Users: UserRows,
    commands.OpenSession: SessionOpened,
    commands.AuditTrail: AuditPage,
    commands.Campaigns: CampaignRows,
    commands.Mailings: MailingRows,
    commands.Status: MailingRow,
    commands.Recipients: RecipientsPage,
    commands.Outcomes: OutcomeRows,
    commands.FeedEvents: FeedPage,
    commands.Links: LinkRows,
    commands.Timeline: Points,
    commands.LogLines: LogPage,
    commands.ConsentHistory: ConsentRows,
    commands.Doubts: DoubtsPage,
    commands.VerifyLedger: Ledger,
    commands.ParkedMessages: ParkedPage,
    commands.ContactProblems: ParkedPage,
    commands.ViewHealth: ViewRows,
}
"""Requests that are not here answer with nothing (`Nothing`)."""
