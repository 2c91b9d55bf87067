"""The only place where a subject, a stream, a bucket or a durable is spelled.

An entity is one exact subject; a journal is one of 16 partitions by address key. Ids hold neither dots nor wildcards
(`shared.ids`), which `token` checks once more for what comes from outside.
"""

from dataclasses import dataclass

from shared.ids import derived_id

# Streams
EVENTS = "EVENTS"
JOBS = "JOBS"
TIMERS = "TIMERS"
PAYLOADS = "PAYLOADS"
PEOPLE = "PEOPLE"
INBOX = "INBOX"
PARKED = "PARKED"
OUT = "OUT"

# Object stores and key-value buckets
AUDIENCE = "AUDIENCE"
CONTENT = "CONTENT"
PACING = "PACING"
SECRETS = "SECRETS"
WITNESS = "WITNESS"
PRINCIPALS = "PRINCIPALS"
MAILBOXES = "MAILBOXES"

JOURNAL_PARTITIONS = 16

ALL_EVENTS = "evt.>"
ALL_MAILINGS = "evt.mailing.*"
ALL_CAMPAIGNS = "evt.campaign.*"
ALL_ACCOUNTS = "evt.account.*"
ALL_RELAYS = "evt.relay.*"
ALL_DOMAINS = "evt.domain.*"
ALL_TEMPLATES = "evt.template.*"
ALL_TRACKING_URLS = "evt.tracking_url.*"
ALL_SERIES = "evt.series.*"
ALL_PRINCIPALS = "evt.principal.*"
ALL_MAILBOXES = "evt.mailbox.*"
ALL_PLANS = "evt.plan.*.*.*.*"
ALL_CHUNKS = "evt.chunk.*.*"
ALL_CONSENT = "evt.consent.*"
ALL_ENGAGEMENT = "evt.engagement.*"
LOG = "evt.log.incarnation"
ALL_JOBS = "job.>"
ALL_PEOPLE = "person.>"
ALL_RELAYS = "evt.relay.*"
ALL_FEEDBACK = "evt.feedback.*"
ALL_AUDIENCE = "evt.audience.*"
ALL_STATUSES = "evt.statuses.*"
ALL_PAYLOADS = "payload.>"
ALL_INTAKE = "in.>"
ALL_PARKED = "parked.>"
ALL_OUT = "out.>"
ALL_TIMERS = "timer.>"
ALL_DUES = "due.>"

# Consumer of its own that JOBS has in each stream it is fed from
JOBS_SOURCE = "jobs"

# Metadata key of EVENTS: the id of this incarnation of the log, new after a restore
INCARNATION = "posthaste.incarnation"

# Metadata key of EVENTS: the backup it was put back from
RESTORED_FROM = "posthaste.restored"

# Lanes of an account (the large providers get lanes of their own beside these)
COPIES = "c"
PROMPT = "prompt"
REST = "rest"


def token(value: str) -> str:
    """Return `value` if it may stand as one token of a subject, else raise `ValueError`."""
    if not value or any(c in value for c in ".*> \t\r\n") or not value.isprintable():
        raise ValueError(f"{value!r} cannot stand in a subject")
    return value


def campaign(campaign_id: str) -> str:
    """Entity: one campaign."""
    return f"evt.campaign.{campaign_id}"


def statuses(campaign_id: str) -> str:
    """Entity: the statuses that one campaign set."""
    return f"evt.statuses.{campaign_id}"


def mailing(mailing_id: str) -> str:
    """Entity: one mailing."""
    return f"evt.mailing.{mailing_id}"


def account(account_id: str) -> str:
    """Entity: one SMTP account."""
    return f"evt.account.{account_id}"


def mailbox(mailbox_id: str) -> str:
    """Entity: one mailbox that mail comes back to."""
    return f"evt.mailbox.{mailbox_id}"


def mailbox_password(mailbox_id: str) -> str:
    """Key in the bucket SECRETS of the password of a mailbox; trackers may read keys of this kind alone."""
    return f"mailbox.{mailbox_id}"


def relay(account_id: str) -> str:
    """Entity: what the senders learnt of an account's relay."""
    return f"evt.relay.{account_id}"


def domain(name: str) -> str:
    """Entity: the keys that sign for one domain."""
    return f"evt.domain.{derived_id('domain', name)}"


def series(series_id: str) -> str:
    """Entity: one recurring mailing."""
    return f"evt.series.{series_id}"


def template(template_id: str) -> str:
    """Entity: one template that is kept."""
    return f"evt.template.{template_id}"


def tracking_url(url_id: str) -> str:
    """Entity: one named tracking URL."""
    return f"evt.tracking_url.{url_id}"


def signing_key(domain_name: str, selector: str) -> str:
    """Key in the bucket SECRETS of the private key that signs for a domain."""
    return f"dkim.{derived_id('domain', domain_name)}.{selector}"


def sealed(key: str) -> str:
    """Message that holds a key of the bucket SECRETS."""
    return f"$KV.{SECRETS}.{key}"


def bucket(name: str) -> str:
    """Stream of a key-value bucket."""
    return f"KV_{name}"


def principal(principal_id: str) -> str:
    """Entity: one person or token."""
    return f"evt.principal.{principal_id}"


def principal_record(principal_id: str, record: str) -> str:
    """Name, address and verifier of a principal, in the bucket PRINCIPALS; `*` for all its records."""
    return f"$KV.{PRINCIPALS}.{principal_id}.{record}"


def plan(mailing_id: str, account_id: str, lane: str, n: int) -> str:
    """Entity: the plan of one chunk."""
    return f"evt.plan.{mailing_id}.{account_id}.{lane}.{n}"


def copies_of(mailing_id: str) -> str:
    """Id under which blind copies of a mailing's mails go out, chunk by chunk."""
    return mailing_id + COPIES


def plans_of(mailing_id: str) -> str:
    """Filter: all planned chunks of a mailing."""
    return f"evt.plan.{mailing_id}.*.*.*"


def plan_anywhere(mailing_id: str, n: int) -> str:
    """Filter: the plan of one chunk, whatever its account and lane."""
    return f"evt.plan.{mailing_id}.*.*.{n}"


def chunk(mailing_id: str, n: int) -> str:
    """Entity: the work on one chunk."""
    return f"evt.chunk.{mailing_id}.{n}"


def chunks_of(mailing_id: str) -> str:
    """Filter: the work on all chunks of a mailing."""
    return f"evt.chunk.{mailing_id}.*"


def partition(address_key: str) -> int:
    """Return the journal partition of an address key (16 hex digits)."""
    return int(address_key[-1], 16) % JOURNAL_PARTITIONS


def engagement(part: int) -> str:
    """Journal: opens and clicks."""
    return f"evt.engagement.{part}"


def consent(part: int) -> str:
    """Journal: opt-outs, opt-ins, suppression."""
    return f"evt.consent.{part}"


def feedback(part: int) -> str:
    """Journal: bounces, complaints, replies."""
    return f"evt.feedback.{part}"


def audience(part: int) -> str:
    """Journal: imports and list changes, ids and counts only."""
    return f"evt.audience.{part}"


def payload(mailing_id: str, n: int) -> str:
    """Personal data of one chunk, in PAYLOADS."""
    return f"payload.{mailing_id}.{n}"


def person_page(page: int) -> str:
    """One page of the directory of people, in PEOPLE."""
    return f"person.page.{page}"


def person_note(key: str) -> str:
    """Free text one person wrote, in PEOPLE."""
    return f"person.note.{key}"


def person_list(list_id: str) -> str:
    """What a list is called, in PEOPLE."""
    return f"person.list.{list_id}"


def upload_part(upload_id: str, part: int) -> str:
    """One part of an uploaded file, in INBOX."""
    return f"in.upload.{upload_id}.{part}"


CONTACTS_IN = "in.contacts"
"""Where producers say what their contacts are."""
ACTIVITIES_IN = "in.activities"
"""Where producers say what their contacts did, or had done for them, that is no mailing."""


def out_mailing(mailing_id: str) -> str:
    """What happened to a mailing, for integrators, in OUT."""
    return f"out.mailing.{mailing_id}"


def out_recipient(mailing_id: str) -> str:
    """What became of recipients of a mailing."""
    return f"out.recipient.{mailing_id}"


def out_engagement(mailing_id: str) -> str:
    """Opens and clicks of a mailing."""
    return f"out.engagement.{mailing_id}"


def out_returned(mailing_id: str) -> str:
    """What came back for a mailing, for integrators."""
    return f"out.returned.{mailing_id}"


OUT_CONSENT = "out.consent"
OUT_CONTACT = "out.contact"
OUT_STATUSES = "out.statuses"


def parked(service: str, role: str) -> str:
    """Pointer to a poison message, in PARKED."""
    return f"parked.{service}.{role}"


@dataclass(frozen=True, slots=True)
class ChunkRef:
    """Where the work on one chunk belongs: the four tokens of a job."""

    account: str
    lane: str
    mailing: str
    n: int

    @property
    def job(self) -> str:
        """Subject of the chunk's jobs in JOBS."""
        return f"job.{self.account}.{self.lane}.{self.mailing}.{self.n}"

    @property
    def retry_timer(self) -> str:
        """Subject of the chunk's one timer in TIMERS; publishing again re-arms it."""
        return f"timer.retry.{self.account}.{self.lane}.{self.mailing}.{self.n}"

    @property
    def due_retry(self) -> str:
        """Subject on which TIMERS fires; JOBS sources it as a job."""
        return f"due.retry.{self.account}.{self.lane}.{self.mailing}.{self.n}"

    @classmethod
    def of_job(cls, subject: str) -> "ChunkRef":
        """Read the subject of a job."""
        _, account_id, lane, mailing_id, n = subject.split(".")
        return cls(account_id, lane, mailing_id, int(n))

    @classmethod
    def of_plan(cls, subject: str) -> "ChunkRef":
        """Read the subject of a planned chunk."""
        _, _, mailing_id, account_id, lane, n = subject.split(".")
        return cls(account_id, lane, mailing_id, int(n))


def jobs_of(account_id: str, lane: str) -> str:
    """Filter: the jobs of one lane of an account."""
    return f"job.{account_id}.{lane}.>"


def job_consumer(account_id: str, lane: str) -> str:
    """Durable that all senders share for one lane of an account."""
    return f"sender-jobs-{account_id}-{lane}"


def mailing_timer(kind: str, mailing_id: str) -> str:
    """Timer of a mailing (`start`, `window`); one of each kind."""
    return f"timer.{kind}.{mailing_id}"


def mailing_due(kind: str, mailing_id: str) -> str:
    """Subject on which a mailing's timer fires."""
    return f"due.{kind}.{mailing_id}"


ALL_MAILING_DUES = ("due.start.*", "due.window.*")
ALL_DUE_RETRIES = "due.retry.*.*.*.*"

# Durables
PLANNER_INTAKE = "planner-intake"
PLANNER_FACTS = "planner-facts"
PLANNER_TIMERS = "planner-timers"
REPORTING_VIEWS = "reporting-views"
REPORTING_DIRECTORY = "reporting-directory"


def command(principal: str, name: str) -> str:
    """Request subject of a command; NATS permissions tie the second token to the NATS user."""
    return f"cmd.{principal}.{name}"


def command_filter(name: str) -> str:
    """What a service subscribes to for one command, whoever asks."""
    return f"cmd.*.{name}"


def query(principal: str, name: str) -> str:
    """Request subject of a query."""
    return f"query.{principal}.{name}"


def query_filter(name: str) -> str:
    """What a service subscribes to for one query."""
    return f"query.*.{name}"


def inbox_prefix(user: str) -> str:
    """What the reply subjects of a NATS user begin with; nobody else may listen there."""
    return f"_INBOX_{user}" if user else "_INBOX"


def probe() -> str:
    """Request subject on which any sender tries out an SMTP account for the planner."""
    return "probe.account"


def desk() -> str:
    """Request subject on which any tracker takes a mail that came back and was uploaded."""
    return "desk.take"


def view() -> str:
    """Request subject on which any sender shows a mail for a tracker as it went out."""
    return "view.mail"


def rehearsal() -> str:
    """Request subject on which any sender makes the mails of a chunk for the planner, and sends none."""
    return "dry_run.chunk"


def probe_mailbox() -> str:
    """Request subject on which any tracker tries out a mailbox for the planner."""
    return "probe.mailbox"


def trust() -> str:
    """Request subject on which a service tells the planner what it remembers of the log, and asks for its word."""
    return "trust.log"
