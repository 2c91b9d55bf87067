"""Events of a mailbox that mail comes back to (`evt.mailbox.<id>`, written by the planner).

How far a mailbox was read is no event: it stands in the bucket MAILBOXES, and reading again makes no fact twice.
"""

from datetime import date
from typing import ClassVar, Literal

from pydantic import BaseModel, ConfigDict

from shared.contracts.envelope import DomainEvent

Security = Literal["tls", "starttls", "none"]

State = Literal["new", "waiting", "reading", "failing", "paused"]


class MailboxSettings(DomainEvent):
    """What is known of a mailbox. The password stays in SECRETS.

    Attributes:
        security: TLS from the first byte, STARTTLS, or nothing at all.
        folders: Those that are read.
        since: Mail that came before that day is left alone; None means that all of it is read.
        target: Folder into which what was read is moved; "" leaves it where it is.
        interval: Seconds from one look to the next.
        sent: Folder in which mail programs keep what people of ours sent, read as well; "" for none.
    """

    name: str
    host: str
    port: int
    security: Security = "tls"
    username: str
    folders: list[str] = ["INBOX"]
    since: date | None = None
    target: str = ""
    interval: int = 300
    sent: str = ""


class MailboxAdded(MailboxSettings):
    """A mailbox is read from now on."""

    TYPE: ClassVar[str] = "mailbox.added/1"


class MailboxEdited(MailboxSettings):
    """All of it was replaced.

    Attributes:
        password_changed: The password in SECRETS is another one.
    """

    TYPE: ClassVar[str] = "mailbox.edited/1"

    password_changed: bool = False


class MailboxTested(DomainEvent):
    """A tracker connected, logged in and looked for the folders. A good test ends a pause."""

    TYPE: ClassVar[str] = "mailbox.tested/1"

    working: bool
    detail: str


class MailboxRemoved(DomainEvent):
    """It is read no more, and its password is gone."""

    TYPE: ClassVar[str] = "mailbox.removed/1"


class Place(BaseModel):
    """How far a folder was read: up to `uid`, which means something under that UIDVALIDITY only."""

    model_config = ConfigDict(frozen=True)

    validity: int
    uid: int = 0


class Reading(BaseModel):
    """How reading a mailbox stands: the value of its key in the bucket MAILBOXES, written by who reads it.

    Attributes:
        holder: The tracker that reads it just now, "" while nobody does.
        of: Fingerprint of what the places belong to: server, user, first day.
        places: How far each folder was read.
        state: `failing` is tried again by itself, `paused` waits for an edit or a good test.
        detail: What went wrong last, "" where nothing did.
        seen: Sequence of the mailbox's last event when it was paused.
        read_at: When it was last read to its end, in seconds since 1970.
        retry_at: When a failing one is tried again.
        taken: Mails taken in so far.
        parked: Mails that could not be read.
    """

    model_config = ConfigDict(frozen=True)

    holder: str = ""
    of: str = ""
    places: dict[str, Place] = {}
    state: State = "new"
    detail: str = ""
    seen: int = 0
    read_at: float = 0
    retry_at: float = 0
    taken: int = 0
    parked: int = 0


EVENTS = (MailboxAdded, MailboxEdited, MailboxTested, MailboxRemoved)
