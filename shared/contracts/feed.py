"""What integrators hear: events on `out.>`, kept for 30 days in OUT, each a CloudEvent of its own.

They are made from the log alone, in its order, and are a language of their own: nothing of how mails are sent stands in
them. The id of an event derives from what it was made from, so the same fact told again has the same id. Recipients are
named by contact id and, where a producer told of them, by its `source` and `external` id.
"""

from datetime import datetime
from typing import ClassVar, Literal

from pydantic import BaseModel, ConfigDict

from shared.contracts.statuses import CustomerOutcome

RETENTION_DAYS = 30

Change = Literal[
    "drafted",
    "edited",
    "audience_frozen",
    "scheduled",
    "unscheduled",
    "started",
    "window_closed",
    "window_opened",
    "paused",
    "resumed",
    "completed",
    "failed",
    "cancelled",
    "deleted",
]
FeedOutcome = Literal["accepted", "deferred", "rejected", "skipped", "expired", "cancelled", "in_doubt"]
Returned = Literal["bounced", "delayed", "delivered", "complained", "not_spam", "replied", "auto_replied"]


class FeedData(BaseModel):
    """Base of all that is told. `TYPE` is the wire name with its version."""

    model_config = ConfigDict(frozen=True)

    TYPE: ClassVar[str]


class Person(BaseModel):
    """A contact.

    Attributes:
        contact: Its id, the same in every answer; "" where mails are counted without names (anonymous tracking).
        source: The system whose record it is, "" where none is known.
        external: Id of the record there.
    """

    model_config = ConfigDict(frozen=True)

    contact: str = ""
    source: str = ""
    external: str = ""


class MailingChanged(FeedData):
    """Something happened to a mailing.

    Attributes:
        campaign: Known when it is drafted.
        at: When it will start (scheduled), goes on (window_closed) or stops (window_opened, started, resumed).
        reason: Of a pause, failure or cancel, as it was given.
        recipients: How many there are (audience_frozen).
        totals: Recipients by outcome (completed).
    """

    TYPE: ClassVar[str] = "mailing.changed/1"

    mailing: str
    change: Change
    campaign: str = ""
    at: datetime | None = None
    reason: str = ""
    recipients: int | None = None
    totals: dict[str, int] = {}


class Settled(Person):
    """What became of one recipient. A deferred one is tried again; in doubt may become another outcome later.

    Attributes:
        code: SMTP reply code, 0 where no server spoke.
        enhanced: Enhanced status code (RFC 3463), "" where none.
        reply: What the relay said, without addresses.
        at: When it said so.
        cause: Why it was skipped, where that has a name.
    """

    outcome: FeedOutcome
    code: int = 0
    enhanced: str = ""
    reply: str = ""
    at: datetime
    cause: str = ""


class RecipientsSettled(FeedData):
    """What became of some recipients of a mailing. Test mails are not told of."""

    TYPE: ClassVar[str] = "recipients.settled/1"

    mailing: str
    recipients: list[Settled]


class Engaged(Person):
    """One open or click, raw: machines ask for mails as well, see `agent`.

    Attributes:
        id: Of the fact: told twice, it is one.
        link: Place of the link in the mail, None for opens.
        agent: What the program that asked looks like.
    """

    id: str
    kind: Literal["open", "click"]
    link: int | None = None
    agent: str = ""
    at: datetime


class EngagementRecorded(FeedData):
    """Opens and clicks of a mailing."""

    TYPE: ClassVar[str] = "engagement.recorded/1"

    mailing: str
    hits: list[Engaged]


class MailReturned(FeedData, Person):
    """Something came back for a mail: a bounce, a complaint, an answer. Only what is proven to be about that mail.

    Attributes:
        reason: Why it bounced, was delayed or delivered, as docs/feedback.md lists them.
        scope: Whose fault a bounce is.
        permanent: Whether a bounce says that the address will never be reached.
        status: Enhanced status code (RFC 3463) of a bounce, "" where none was said.
        code: Reply code of a bounce.
    """

    TYPE: ClassVar[str] = "mail.returned/1"

    mailing: str
    what: Returned
    reason: str = ""
    scope: str = ""
    permanent: bool = False
    status: str = ""
    code: str = ""


class ConsentChanged(FeedData, Person):
    """Somebody opted out or in, or an address must not be mailed (any more). Named where a mail led to it.

    Attributes:
        scope: Id of a list, `*` for all.
        how: By which way it came.
        mailing: The mail that led to it, where known.
    """

    TYPE: ClassVar[str] = "consent.changed/1"

    act: Literal["opted_out", "opt_in_requested", "opted_in", "suppressed", "suppression_lifted"]
    scope: str
    how: str = ""
    mailing: str = ""


class ContactsChanged(FeedData):
    """An import ended, or events of a producer were taken in: counts."""

    TYPE: ClassVar[str] = "contacts.changed/1"

    by: Literal["import", "producer"]
    upload: str = ""
    source: str = ""
    list: str = ""
    added: int
    updated: int
    unchanged: int
    rejected: int = 0


class Customer(Person):
    """One customer whose status changed.

    Attributes:
        at: When that happened which set it.
    """

    at: datetime


class StatusesChanged(FeedData):
    """An outcome of a mailing set the status of some customers, as its campaign has it. Each is told once."""

    TYPE: ClassVar[str] = "statuses.changed/1"

    campaign: str
    mailing: str
    outcome: CustomerOutcome
    status: str
    customers: list[Customer]


FEED: dict[str, type[FeedData]] = {
    model.TYPE: model
    for model in (
        *(MailingChanged, RecipientsSettled, EngagementRecorded),
        *(MailReturned, ConsentChanged, ContactsChanged, StatusesChanged),
    )
}


class FeedEvent(BaseModel):
    """The envelope: CloudEvents 1.0. `subject` is the subject in OUT it stands on."""

    model_config = ConfigDict(frozen=True)

    specversion: Literal["1.0"] = "1.0"
    id: str
    source: Literal["posthaste"] = "posthaste"
    type: str
    subject: str
    time: datetime
    datacontenttype: Literal["application/json"] = "application/json"
    data: FeedData
