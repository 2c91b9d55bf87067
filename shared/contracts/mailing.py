"""Events of a mailing (`evt.mailing.<id>`, written by the planner), in the order of its life: all that it can say.

What is set of it stands in mailing_settings.py.
"""

from datetime import datetime
from typing import ClassVar, Literal

from shared.contracts.account import Limits
from shared.contracts.envelope import DomainEvent
from shared.contracts.mailing_settings import (
    AbTest,
    Batch,
    DoubtDecision,
    DoubtPolicy,
    Figures,
    LateRule,
    SendingHours,
    StopRules,
    Tracking,
)
from shared.contracts.sources import Sources

STOPPED = "everything was stopped"
"""How the reason of a pause begins that one command caused for all mailings."""


class MailingDrafted(DomainEvent):
    """What shall be sent, by which account. `content` is the hash of the template in CONTENT.

    Without `stop` it never stops by itself.

    Attributes:
        batch: It goes out in batches.
        recipient_time: Start and hours are those of each contact's own time zone.
        notify: How many are told how it ends; who they are stands in `content`.
        webhook: A URL is told, too.
        ab_test: Some get other versions first.
        copied: Whoever `content` names gets a blind copy of every mail that was accepted.
    """

    TYPE: ClassVar[str] = "mailing.drafted/1"

    campaign: str
    name: str
    account: str
    content: str
    subject: str
    links: list[str] = []
    doubt: DoubtPolicy = "hold"
    tracking: Tracking = "person"
    limits: Limits = Limits()
    retry_for: int = 86_400
    stop: StopRules | None = None
    batch: Batch | None = None
    recipient_time: bool = False
    notify: int = 0
    webhook: bool = False
    ab_test: AbTest | None = None
    copied: bool = False


class MailingEdited(DomainEvent):
    """The draft was replaced as a whole; the audience has to be frozen anew."""

    TYPE: ClassVar[str] = "mailing.edited/1"

    name: str
    account: str
    content: str
    subject: str
    links: list[str] = []
    doubt: DoubtPolicy = "hold"
    tracking: Tracking = "person"
    limits: Limits = Limits()
    retry_for: int = 86_400
    stop: StopRules | None = None
    batch: Batch | None = None
    recipient_time: bool = False
    notify: int = 0
    webhook: bool = False
    ab_test: AbTest | None = None
    copied: bool = False


class SourcesChosen(DomainEvent):
    """Where the audience comes from; it has to be frozen anew."""

    TYPE: ClassVar[str] = "mailing.sources_chosen/1"

    sources: Sources


class RecipientAdded(DomainEvent):
    """These contacts shall get it as well, each chosen by hand; the audience has to be frozen anew."""

    TYPE: ClassVar[str] = "mailing.recipient_added/1"

    contacts: list[str]


class RecipientRemoved(DomainEvent):
    """These contacts shall not get it, whatever they are on; the audience has to be frozen anew."""

    TYPE: ClassVar[str] = "mailing.recipient_removed/1"

    contacts: list[str]


class TestSent(DomainEvent):
    """A test mail was planned in the prompt lane as chunk 0 of the pseudo-mailing `test`."""

    TYPE: ClassVar[str] = "mailing.test_sent/1"
    __test__: ClassVar[bool] = False

    test: str
    recipients: int


class AudienceFrozen(DomainEvent):
    """Who shall get it is fixed: the AUDIENCE object named by its hash. Skipped: reason -> contacts left out.

    Attributes:
        position: Sequence of EVENTS up to which suppression was taken into account.
        chunks: Chunks by lane: numbers run from 0 over all lanes.
        zones: Recipients by time zone, "" for contacts without one; empty where zones do not matter.
        customers: How many customers the recipients are: each may get it at several addresses; 0 where nobody counted.
        sample: Recipients of an A/B test by version; all others wait for the winner.
    """

    TYPE: ClassVar[str] = "mailing.audience_frozen/1"

    object: str
    recipients: int
    skipped: dict[str, int] = {}
    chunks: int
    lanes: dict[str, int]
    zones: dict[str, int] = {}
    sample: dict[str, int] = {}
    position: int
    customers: int = 0


class DryRunFinished(DomainEvent):
    """Every mail was made for a look, as it would be sent.

    Attributes:
        run: Under whose id what every recipient's mail was made from is kept, where `kept`.
        object: The AUDIENCE object.
        content: Hash of the template in CONTENT.
        date: Seconds since 1970 that stood in Date.
        digest: Over the digests of all mails, in their order.
        mails: How many can be made.
        failed: How many recipients would be skipped, as theirs cannot.
        bytes: What all mails take.
        largest: What the largest takes.
        kept: An approval of it holds the data of the recipients, too: they are sent what was looked at.
    """

    TYPE: ClassVar[str] = "mailing.dry_run_finished/1"

    run: str
    object: str
    content: str
    date: int
    digest: str
    mails: int
    failed: int = 0
    bytes: int = 0
    largest: int = 0
    kept: bool = False


class MailingScheduled(DomainEvent):
    """It starts by itself at `at`. After `deadline` nothing goes out.

    Attributes:
        late: What becomes of a start that is found too late, after an outage: it goes out, it is paused until somebody
            resumes it, or it is cancelled.
        approval: It does not start before a second person approved of it.
    """

    TYPE: ClassVar[str] = "mailing.scheduled/1"

    at: datetime
    zone: str = "UTC"
    hours: SendingHours | None = None
    deadline: datetime | None = None
    late: LateRule = "send"
    approval: bool = False


class MailingApproved(DomainEvent):
    """A second person approved of exactly this plan: content, audience and schedule, as a hash."""

    TYPE: ClassVar[str] = "mailing.approved/1"

    plan: str


class ApprovalWithdrawn(DomainEvent):
    """The plan that was approved is no more."""

    TYPE: ClassVar[str] = "mailing.approval_withdrawn/1"


class MailingUnscheduled(DomainEvent):
    """Back to planned: the start was withdrawn before it came."""

    TYPE: ClassVar[str] = "mailing.unscheduled/1"


class SendingStarted(DomainEvent):
    """Chunks are planned from now on. `until`: end of the open window, where there are sending hours."""

    TYPE: ClassVar[str] = "mailing.sending_started/1"

    until: datetime | None = None


class SampleSent(DomainEvent):
    """Every recipient of the sample was tried. The winner is chosen at `decides_at`; None: by hand."""

    TYPE: ClassVar[str] = "mailing.sample_sent/1"

    decides_at: datetime | None = None


class WinnerChosen(DomainEvent):
    """Whoever is not of the sample gets this version.

    Attributes:
        by: What decided; `deadline`: nothing had, and there was no more time.
        figures: By version how many got it, opened it and clicked, as people do.
    """

    TYPE: ClassVar[str] = "mailing.winner_chosen/1"

    version: str
    by: Literal["opens", "clicks", "hand", "deadline"]
    figures: dict[str, Figures] = {}


class WindowClosed(DomainEvent):
    """Outside the sending hours: nothing goes out until the window opens at `opens`."""

    TYPE: ClassVar[str] = "mailing.window_closed/1"

    opens: datetime


class WindowOpened(DomainEvent):
    """Inside the sending hours, until `until`."""

    TYPE: ClassVar[str] = "mailing.window_opened/1"

    until: datetime


class MailingPaused(DomainEvent):
    """Nothing goes out until it is resumed."""

    TYPE: ClassVar[str] = "mailing.paused/1"

    reason: str = ""


class MailingResumed(DomainEvent):
    """Goes on after a pause or a failure. `until` as in SendingStarted."""

    TYPE: ClassVar[str] = "mailing.resumed/1"

    until: datetime | None = None


class RateChanged(DomainEvent):
    """New limits, valid at once for all senders."""

    TYPE: ClassVar[str] = "mailing.rate_changed/1"

    limits: Limits


class DoubtDecided(DomainEvent):
    """An operator decided on recipients in doubt: send them again, or settle them by hand."""

    TYPE: ClassVar[str] = "mailing.doubt_decided/1"

    n: int
    indexes: str
    decision: DoubtDecision


class MailingCompleted(DomainEvent):
    """No recipient is pending. Totals by outcome; `in_doubt` of them wait for evidence or a decision."""

    TYPE: ClassVar[str] = "mailing.completed/1"

    totals: dict[str, int]
    in_doubt: int = 0


class MailingFailed(DomainEvent):
    """It cannot go on by itself; `resume` takes it up again once the cause is mended."""

    TYPE: ClassVar[str] = "mailing.failed/1"

    reason: str


class MailingCancelled(DomainEvent):
    """Nothing goes out any more; what is not yet sent is settled as cancelled."""

    TYPE: ClassVar[str] = "mailing.cancelled/1"

    reason: str = ""


class MailingDeleted(DomainEvent):
    """Hidden from lists; its history is kept."""

    TYPE: ClassVar[str] = "mailing.deleted/1"


EVENTS = (
    MailingDrafted,
    MailingEdited,
    SourcesChosen,
    RecipientAdded,
    RecipientRemoved,
    TestSent,
    AudienceFrozen,
    DryRunFinished,
    MailingScheduled,
    MailingApproved,
    ApprovalWithdrawn,
    MailingUnscheduled,
    SendingStarted,
    SampleSent,
    WinnerChosen,
    WindowClosed,
    WindowOpened,
    MailingPaused,
    MailingResumed,
    RateChanged,
    DoubtDecided,
    MailingCompleted,
    MailingFailed,
    MailingCancelled,
    MailingDeleted,
)
