"""What operators look at and repair."""

from typing import ClassVar

from pydantic import Field

from shared.contracts.commands.base import Command, Page, Query


class Redrive(Command):
    """Hand a parked message back to its consumer, or drop the pointer."""

    NAME: ClassVar[str] = "parked.redrive"

    seq: int = Field(ge=1, le=2**63 - 1)
    drop: bool = False


class ResumeAfterRestore(Command):
    """Confirm a log or a database that was restored: it gets a new name, and the mailings held for it go on.

    Attributes:
        keep_paused: Let the mailings stay paused, to be resumed or cancelled one by one.
    """

    NAME: ClassVar[str] = "log.resume"

    keep_paused: bool = False


class ParkedMessages(Page):
    """Pointers to poison messages -> {rows: [{seq, stream, message, service, reason, at}], next}."""

    NAME: ClassVar[str] = "parked.list"


class ViewHealth(Query):
    """Position, lag and pause of each view -> {views: [...]}."""

    NAME: ClassVar[str] = "views"


class Census(Query):
    """What is on its way -> {chunks: {state: count}, oldest_seconds, mailings: {status: count}}."""

    NAME: ClassVar[str] = "census"


class LogTrust(Query):
    """Whether the log is the one that was seen before -> {trusted, incarnation, why: {who: text}}."""

    NAME: ClassVar[str] = "log.trust"
