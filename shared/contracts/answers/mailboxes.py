"""Answers about mailboxes."""

from shared.contracts.answers.base import Data
from shared.contracts.mailbox import Security, State


class MailboxDone(Data):
    """The mailbox."""

    mailbox: str


class MailboxTried(MailboxDone):
    """What the tracker saw."""

    working: bool
    detail: str


class MailboxRow(Data):
    """One mailbox, without its secrets, and how reading it stands.

    `state`: `new` (nobody looked yet), `waiting` for the next look, `reading`, `failing` (is tried again by itself) or
    `paused` (until it is edited or tests well); `detail` says why. `read_at` is "" before it was read once.
    """

    mailbox: str
    name: str
    host: str
    port: int
    security: Security
    username: str
    folders: list[str]
    since: str | None
    target: str
    interval: int
    sent: str
    tested: bool
    working: bool
    state: State
    detail: str
    read_at: str
    taken: int
    parked: int


class MailboxRows(Data):
    """All mailboxes."""

    mailboxes: list[MailboxRow]
