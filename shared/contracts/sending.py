"""Events of a chunk: its plan (`evt.plan...`, planner) and the work on it (`evt.chunk.<mailing>.<n>`, sender).

A recipient is (mailing, n, index). Sets of indexes are packed (`ranges`), digests stand concatenated in base64, replies
that are alike stand once: a mail costs at most 60 bytes of the log beyond its plan.
"""

from datetime import datetime
from typing import ClassVar, Literal

from pydantic import BaseModel, ConfigDict

from shared.contracts.envelope import DomainEvent
from shared.contracts.mailing_settings import DoubtPolicy, Tracking

Outcome = Literal["accepted", "deferred", "rejected", "skipped", "released", "in_doubt", "expired", "cancelled"]
ChunkKind = Literal["campaign", "test", "confirmation", "single", "notice", "copy"]

SINGLE: tuple[ChunkKind, ...] = ("test", "confirmation", "single", "notice", "copy")
"""Chunks of no mailing of their own: mails that somebody asked for, and blind copies of those of a mailing."""

FINAL: frozenset[str] = frozenset({"accepted", "rejected", "skipped", "expired", "cancelled", "in_doubt"})
"""Outcomes that end a recipient (in doubt until evidence or a decision moves it)."""

PAYLOAD_DIGEST_BYTES = 12
MAIL_DIGEST_BYTES = 8


class ChunkPlanned(DomainEvent):
    """Up to 500 recipients of one lane. It pins everything that shapes their bytes.

    Attributes:
        contacts: Contact id by index.
        digests: Payload digests by index: base64 of 12 bytes each (first bytes of SHA-256 of the payload row).
        checked: Sequence of EVENTS up to which suppression was taken into account.
        content: Hash of the template in CONTENT.
        token_key: Id of the key that signs tokens.
        selectors: DKIM selectors, none where the relay signs.
        expires_at: The mailing's deadline: nothing goes out after it.
        retry_for: Seconds after the first claim during which a deferred recipient is tried again.
        insisted: No mail may go to them, and an operator insisted on this one.
        zone: Time zone of its recipients, whose windows are its own; "" where those of the mailing hold.
        version: Of an A/B test, where they are of its sample.
        copied: A blind copy of each of its mails that was accepted goes out, in a chunk of kind `copy` (`copies_of`).
    """

    TYPE: ClassVar[str] = "plan.chunk_planned/1"

    mailing: str
    n: int
    account: str
    lane: str
    kind: ChunkKind = "campaign"
    contacts: list[str]
    digests: str
    checked: int
    content: str
    doubt: DoubtPolicy = "hold"
    tracking: Tracking = "person"
    token_key: str
    selectors: list[str] = []
    expires_at: datetime | None = None
    retry_for: int = 86_400
    insisted: bool = False
    zone: str = ""
    version: str = ""
    copied: bool = False


class ChunkStarted(DomainEvent):
    """A worker took the chunk up for the job at `job` in JOBS; a takeover ends the claims of another worker."""

    TYPE: ClassVar[str] = "chunk.started/1"

    job: int
    worker: str
    takeover: bool = False


class RecipientsClaimed(DomainEvent):
    """These recipients may be sent by the writer, while the claim is valid. `date` is the Date of first claims.

    Attributes:
        indexes: Packed set, in sending order ascending.
        digests: base64 of 8 bytes each: first bytes of SHA-256 of the message as it goes over the wire.
        date: Seconds since 1970 that stand in Date (and DKIM t=) of those claimed for the first time.
    """

    TYPE: ClassVar[str] = "chunk.claimed/1"

    indexes: str
    digests: str
    date: int


class Group(BaseModel):
    """Recipients with the same outcome and the same reply.

    Attributes:
        outcome: See `Outcome`.
        indexes: Packed set.
        code: SMTP reply code, 0 where no server spoke.
        enhanced: Enhanced status code (RFC 3463), "" where none.
        text: Scrubbed reply text; `*` stands where the queue ids stood.
        queue_ids: Queue id by place in `indexes`, empty where the replies name none.
        at: Milliseconds after `RecipientsSettled.base` at which each reply came, by place in `indexes`.
        until: Not to be tried before (deferred, released).
        cause: Why it was skipped, released or cancelled: id of the causing event, or a reason.
        scope: For rejected ones, what is to blame: address, domain, sender, content, us; "" where unknown.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    outcome: Outcome
    indexes: str
    code: int = 0
    enhanced: str = ""
    text: str = ""
    queue_ids: list[str] = []
    at: list[int] = []
    until: datetime | None = None
    cause: str = ""
    scope: str = ""

    @property
    def untimed(self) -> bool:
        """Whether the relay may have these mails from a time on that nobody knows.

        So it is with those in doubt, whatever becomes of them, and with those that were accepted as was found out or
        decided later: for these, the event tells when it became known.
        """
        return self.outcome == "in_doubt" or (self.outcome == "accepted" and not self.at)


class RecipientsSettled(DomainEvent):
    """What became of recipients. Released ones are pending again and were not tried.

    Attributes:
        host: The relay that answered, `host:port`.
        base: Milliseconds since 1970 to which `Group.at` adds.
    """

    TYPE: ClassVar[str] = "chunk.settled/1"

    groups: list[Group]
    host: str = ""
    base: int = 0


class ChunkPassed(DomainEvent):
    """Every recipient was tried once or is settled; `deferred` of them are tried again, from `until` on."""

    TYPE: ClassVar[str] = "chunk.passed/1"

    deferred: int
    until: datetime | None = None


class ChunkParked(DomainEvent):
    """Workers died on it again and again, or its payload is missing; it waits for an operator."""

    TYPE: ClassVar[str] = "chunk.parked/1"

    reason: str
    index: int | None = None


class ChunkFinished(DomainEvent):
    """Every recipient has a final outcome. `address_rejected`: packed indexes whose address is to blame."""

    TYPE: ClassVar[str] = "chunk.finished/1"

    totals: dict[str, int]
    address_rejected: str = ""


EVENTS = (
    ChunkPlanned,
    ChunkStarted,
    RecipientsClaimed,
    RecipientsSettled,
    ChunkPassed,
    ChunkParked,
    ChunkFinished,
)
