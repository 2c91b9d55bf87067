"""Commands: what users and machines ask of the planner by request-reply on `cmd.<principal>.<name>`.

A request is a `Request`; its `key` is the idempotency key: the same key and body give the same answer, another body is
refused. The answer is an `Answer`: done with data and the log position to read from, or refused with a stable code and
the place that is wrong.
"""

from datetime import date, datetime
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints

from shared.contracts.account import Limits, TlsMode
from shared.contracts.mailing import DoubtDecision, DoubtPolicy, SendingHours, Tracking
from shared.contracts.principals import Permission

Id = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]{1,24}$")]
Name = Annotated[str, StringConstraints(min_length=1, max_length=200, strip_whitespace=True)]
Password = Annotated[str, StringConstraints(min_length=10, max_length=200), Field(repr=False)]
Secret = Annotated[str, StringConstraints(max_length=300), Field(repr=False)]


class Request(BaseModel):
    """A command or query on the wire."""

    model_config = ConfigDict(extra="forbid")

    key: str = Field(default="", max_length=100)
    at_least: int = 0
    data: dict[str, Any] = {}


class Refusal(BaseModel):
    """A domain "no": nothing was changed.

    Attributes:
        code: Stable, snake_case; documented in docs/commands.md.
        message: One or two sentences: what is wrong and what to do.
        field: Path of the field at fault, e.g. `limits.per_hour`, or "".
        line: Line of the file or template at fault, 1-based; 0 where there is none.
    """

    model_config = ConfigDict(frozen=True)

    code: str
    message: str
    field: str = ""
    line: int = 0


class Answer(BaseModel):
    """What came of a request. `position` is the log sequence that holds its events: pass it on as `at_least`."""

    ok: bool
    position: int = 0
    data: dict[str, Any] = {}
    refusal: Refusal | None = None


class Command(BaseModel):
    """Base of all commands. `NAME` is the last part of its subject."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    NAME: ClassVar[str]


class AddAccount(Command):
    """Add an SMTP account. The password is sealed into SECRETS and appears nowhere else."""

    NAME: ClassVar[str] = "account.add"

    name: Name
    host: Annotated[str, StringConstraints(min_length=1, max_length=253)]
    port: int = Field(ge=1, le=65535)
    tls: TlsMode = "starttls"
    username: str = ""
    password: str = ""
    senders: list[str] = Field(min_length=1)
    connections: int = Field(default=10, ge=1, le=200)
    limits: Limits = Limits()


class TestAccount(Command):
    """Let a sender connect, do TLS and AUTH and, with `to`, deliver a test mail."""

    NAME: ClassVar[str] = "account.test"
    __test__: ClassVar[bool] = False

    account: Id
    to: str = ""


class ImportContacts(Command):
    """Import an uploaded CSV file into a list (made if new). Answered when it is accepted; progress is a query.

    Attributes:
        upload: Id under which the parts stand in INBOX as `in.upload.<upload>.<part>`.
        parts: Number of parts, numbered from 0.
        list: Name of the list.
        encoding: A codec name; "" detects UTF-8, UTF-8 with BOM, UTF-16 with BOM, else Windows-1252 is refused.
        delimiter: One character; "" detects `,` `;` tab.
        columns: Header of the file -> field; the field `email` is the address, `name` the display name.
    """

    NAME: ClassVar[str] = "contacts.import"

    upload: Id
    parts: int = Field(ge=1)
    list: Name
    file_name: str = ""
    encoding: str = ""
    delimiter: str = Field(default="", max_length=1)
    columns: dict[str, str] = {}


class OpenCampaign(Command):
    """Open a campaign on one or more lists (by name or id)."""

    NAME: ClassVar[str] = "campaign.open"

    name: Name
    kind: Literal["email", "newsletter"] = "email"
    lists: list[str] = Field(min_length=1)
    starts_on: date | None = None
    ends_on: date | None = None


class DraftMailing(Command):
    """Draft a mailing. Placeholders in subject, html and text: `{{ field }}` or `{{ field | default("there") }}`."""

    NAME: ClassVar[str] = "mailing.draft"

    campaign: Id
    name: Name
    account: Id
    sender_name: str = Field(default="", max_length=200)
    sender_address: str
    reply_to: str = ""
    subject: str = Field(min_length=1, max_length=900)
    html: str = Field(default="", max_length=2_000_000)
    text: str = Field(default="", max_length=2_000_000)
    doubt: DoubtPolicy = "hold"
    tracking: Tracking = "person"
    limits: Limits = Limits()
    retry_for: int = Field(default=86_400, ge=0, le=604_800)


class EditMailing(DraftMailing):
    """Replace the draft as a whole, until sending starts."""

    NAME: ClassVar[str] = "mailing.edit"

    mailing: Id


class FreezeAudience(Command):
    """Fix who gets it: one mail per address, a reason for each contact left out."""

    NAME: ClassVar[str] = "mailing.audience"

    mailing: Id


class SendTest(Command):
    """Send the mailing to test addresses, through the prompt lane."""

    NAME: ClassVar[str] = "mailing.test"

    mailing: Id
    to: list[str] = Field(min_length=1, max_length=20)


class ScheduleMailing(Command):
    """Start by itself at `at` (local time of `zone`), or at once where `at` is None."""

    NAME: ClassVar[str] = "mailing.schedule"

    mailing: Id
    at: datetime | None = None
    zone: str = "UTC"
    hours: SendingHours | None = None
    deadline: datetime | None = None


class UnscheduleMailing(Command):
    """Withdraw the start before it came."""

    NAME: ClassVar[str] = "mailing.unschedule"

    mailing: Id


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


class Redrive(Command):
    """Hand a parked message back to its consumer, or drop the pointer."""

    NAME: ClassVar[str] = "parked.redrive"

    seq: int = Field(ge=1, le=2**63 - 1)
    drop: bool = False


class ResealSecrets(Command):
    """Seal all SMTP passwords with the first key of the ring, once every service has it."""

    NAME: ClassVar[str] = "keys.reseal"


class ResumeAfterRestore(Command):
    """Confirm a log or a database that was restored: it gets a new name, and the mailings held for it go on.

    Attributes:
        keep_paused: Let the mailings stay paused, to be resumed or cancelled one by one.
    """

    NAME: ClassVar[str] = "log.resume"

    keep_paused: bool = False


class IssueToken(Command):
    """Issue a token for a program. It is in the answer and nowhere else; the same key gives it once more."""

    NAME: ClassVar[str] = "token.issue"

    name: Name
    permissions: list[Permission] = Field(min_length=1)
    expires_at: AwareDatetime | None = None


class RevokeToken(Command):
    """Let a token prove nothing any more, at once."""

    NAME: ClassVar[str] = "token.revoke"

    token: Id


class AddUser(Command):
    """Add a person who signs in by e-mail address and password."""

    NAME: ClassVar[str] = "user.add"

    name: Name
    email: str
    password: Password
    permissions: list[Permission] = []


class ChangePermissions(Command):
    """Replace what a person may do; the sessions of that person end."""

    NAME: ClassVar[str] = "user.permissions"

    user: Id
    permissions: list[Permission]


class SetPassword(Command):
    """Give a person another password; the sessions of that person end."""

    NAME: ClassVar[str] = "user.password"

    user: Id
    password: Password


class RemoveUser(Command):
    """Remove a person: nothing is allowed any more, name, address and password are erased."""

    NAME: ClassVar[str] = "user.remove"

    user: Id


class ChangePassword(Command):
    """Change one's own password; all own sessions end."""

    NAME: ClassVar[str] = "password.change"

    current: Secret
    password: Password


class OpenSession(Command):
    """Sign in. It carries no idempotency key: each time is another session."""

    NAME: ClassVar[str] = "session.open"

    email: str = Field(max_length=254)
    password: Secret


class CloseSession(Command):
    """Sign out: end this one session, which whoever has it may."""

    NAME: ClassVar[str] = "session.close"

    session: Secret


class Query(BaseModel):
    """Base of all queries, asked on `query.<principal>.<name>`; they change nothing."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    NAME: ClassVar[str]


class _Page(Query):
    after: str = ""
    limit: int = Field(default=100, ge=1, le=1000)


# Answered by the planner


class Accounts(Query):
    """All SMTP accounts -> {accounts: [...]}."""

    NAME: ClassVar[str] = "account.list"


class Lists(Query):
    """All lists -> {lists: [{id, name, members}]}."""

    NAME: ClassVar[str] = "list.list"


class ImportStatus(Query):
    """Progress of an import -> {state: running|done|failed, rows, added, updated, unchanged, rejected, problem}."""

    NAME: ClassVar[str] = "import.status"

    upload: Id


class RejectedRows(_Page):
    """Rejected rows of an import -> {rows: [{line, column, reason, value}], next}."""

    NAME: ClassVar[str] = "import.rejected"

    upload: Id


class PreviewImport(Query):
    """What an upload looks like -> {encoding, delimiter, columns, rows, problem}; nothing is imported.

    Attributes:
        upload: Id under which the parts stand in INBOX.
        encoding: As in `ImportContacts`; so are `delimiter` and `columns`.
        limit: How many of the first rows to show.
    """

    NAME: ClassVar[str] = "import.preview"

    upload: Id
    encoding: str = Field(default="", max_length=40)
    delimiter: str = Field(default="", max_length=1)
    columns: dict[str, str] = {}
    limit: int = Field(default=20, ge=1, le=100)


class Audience(_Page):
    """The frozen audience -> {rows: [{contact, address, name, lane, n, index, skipped}], next, recipients, skipped}."""

    NAME: ClassVar[str] = "mailing.audience.list"

    mailing: Id
    only: Literal["all", "recipients", "skipped"] = "all"


class Draft(Query):
    """What the author of a mailing wrote, to be shown or edited -> the fields of `DraftMailing`."""

    NAME: ClassVar[str] = "mailing.content"

    mailing: Id


class Tokens(Query):
    """All tokens, those that are revoked left out -> {tokens: [{token, name, permissions, expires_at, expired}]}."""

    NAME: ClassVar[str] = "token.list"


class Users(Query):
    """All people -> {users: [{user, name, email, permissions}]}."""

    NAME: ClassVar[str] = "user.list"


class AuditTrail(_Page):
    """Who asked for what, newest first -> {rows, next}; each command has a row, whatever came of it.

    Attributes:
        principal: Only what this one asked for.
        command: Only commands of this name.
    """

    NAME: ClassVar[str] = "audit"

    principal: str = Field(default="", pattern=r"^[a-z0-9]{0,24}$")
    command: str = Field(default="", pattern=r"^[a-z.]{0,50}$")


# Answered by reporting


class Campaigns(Query):
    """All campaigns -> {campaigns: [...]}."""

    NAME: ClassVar[str] = "campaign.list"


class Mailings(Query):
    """All mailings, newest first -> {mailings: [...]} each as in `Status`."""

    NAME: ClassVar[str] = "mailing.list"

    campaign: str = ""


class Status(Query):
    """Status and numbers of one mailing (docs/commands.md lists the fields)."""

    NAME: ClassVar[str] = "mailing.status"

    mailing: Id


class Recipients(_Page):
    """Recipients of a mailing with outcome, reply, attempts -> {rows, next}. `search`: part of an address or a name."""

    NAME: ClassVar[str] = "mailing.recipients"

    mailing: Id
    outcome: str = ""
    search: str = Field(default="", max_length=200)


class Links(Query):
    """Hits by link -> {links: [{link, url, hits, people}]}."""

    NAME: ClassVar[str] = "mailing.links"

    mailing: Id


class Timeline(Query):
    """Accepted, opens and clicks by second or minute -> {points: [...]}."""

    NAME: ClassVar[str] = "mailing.timeline"

    mailing: Id


class LogLines(_Page):
    """What happened to a mailing or campaign, newest first, with principal -> {rows, next}."""

    NAME: ClassVar[str] = "log"

    mailing: str = ""


class ConsentHistory(Query):
    """Consent acts of one address or contact, oldest first -> {acts: [...]}."""

    NAME: ClassVar[str] = "consent"

    contact: str = ""
    address: str = ""


class Outcomes(Query):
    """What became of contacts of a producer in one mailing -> {rows: [...], unknown: [ids that are not in it]}."""

    NAME: ClassVar[str] = "mailing.outcomes"

    mailing: Id
    source: str = Field(min_length=1, max_length=100)
    ids: list[Annotated[str, StringConstraints(min_length=1, max_length=100)]] = Field(min_length=1, max_length=500)


class FeedEvents(Query):
    """What happened since a cursor, as on `out.>` -> {events: [CloudEvents], cursor, end}.

    Attributes:
        after: The `cursor` of the answer before; "" begins with the oldest event that is kept.
    """

    NAME: ClassVar[str] = "events.feed"

    after: str = Field(default="", max_length=20)
    limit: int = Field(default=100, ge=1, le=1000)


class Doubts(_Page):
    """Recipients in doubt -> {rows: [{n, index, contact, address, since, evidence}], next}."""

    NAME: ClassVar[str] = "mailing.doubts"

    mailing: Id


class VerifyLedger(Query):
    """Recompute from log and AUDIENCE -> {balanced, planned, totals, pending, gaps: [...]}."""

    NAME: ClassVar[str] = "mailing.ledger"

    mailing: Id


class ParkedMessages(_Page):
    """Pointers to poison messages -> {rows: [{seq, stream, message, service, reason, at}], next}."""

    NAME: ClassVar[str] = "parked.list"


class ContactProblems(_Page):
    """Messages of producers that are parked because an event in them does not fit -> {rows: [...], next}."""

    NAME: ClassVar[str] = "contacts.problems"


class ViewHealth(Query):
    """Position, lag and pause of each view -> {views: [...]}."""

    NAME: ClassVar[str] = "views"


class Census(Query):
    """What is on its way -> {chunks: {state: count}, oldest_seconds, mailings: {status: count}}."""

    NAME: ClassVar[str] = "census"


class LogTrust(Query):
    """Whether the log is the one that was seen before -> {trusted, incarnation, why: {who: text}}."""

    NAME: ClassVar[str] = "log.trust"


# Between services


class Recollection(BaseModel):
    """A service tells the planner what it remembers of the log (`trust.log`) and asks for its word.

    `incarnation` is "" where it remembers nothing.
    """

    who: str = Field(max_length=64)
    incarnation: str = ""
    seq: int = 0
    event_id: str = ""


class Word(BaseModel):
    """The planner's word: `why` says who remembers another log; empty where the log may be trusted."""

    incarnation: str
    why: dict[str, str] = {}


class Probe(BaseModel):
    """The planner asks any sender to try an account out (`probe.account`)."""

    account: str
    host: str
    port: int
    tls: TlsMode
    username: str = ""
    sender: str
    to: str = ""


class ProbeResult(BaseModel):
    """What the sender saw."""

    working: bool
    detail: str
    tls: str = ""
    extensions: list[str] = []
