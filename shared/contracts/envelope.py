"""The envelope of every event: CloudEvents 1.0 in structured mode, several of one entity in one commit.

A commit is one message: a JSON list of CloudEvents (the batch format of CloudEvents 1.0), no `ce-` headers.
`DomainEvent` is what deciders return and evolve on; `EventRecord` is the same event as it stands in the log.
"""

from dataclasses import dataclass, field
from datetime import datetime
from typing import ClassVar

from pydantic import BaseModel, ConfigDict


class DomainEvent(BaseModel):
    """Base of all events. `TYPE` is the wire name with its version, e.g. `mailing.scheduled/1`: data, never a path."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    TYPE: ClassVar[str]


@dataclass(frozen=True, slots=True)
class Origin:
    """Who and what caused a commit.

    Attributes:
        command_id: Id of the command; event ids and the message id derive from it.
        source: The service that writes, e.g. `planner`.
        time: When the cause was recorded by the writer (event time; the log keeps its own record time).
        correlation_id: What all messages of one undertaking share, normally the mailing id.
        causation_id: Id of the message that caused this one.
        principal: The person or machine in whose name it happens; empty where a service acts on its own.
    """

    command_id: str
    source: str
    time: datetime
    correlation_id: str = ""
    causation_id: str = ""
    principal: str = ""


@dataclass(frozen=True, slots=True)
class EventRecord:
    """One event as read from the log.

    Attributes:
        id: Event id, unique in the log.
        event: The typed event, upcast to its newest version.
        subject: The subject (entity or journal) it stands on.
        seq: Sequence of its commit in the stream; all events of one commit share it.
        index: Place within the commit, from 0.
        time: Event time as the writer set it.
        recorded_at: Record time of the commit, set by the server.
    """

    id: str
    event: DomainEvent
    subject: str
    seq: int
    index: int
    time: datetime
    recorded_at: datetime
    source: str = ""
    correlation_id: str = ""
    causation_id: str = ""
    principal: str = ""


@dataclass(frozen=True, slots=True)
class Commit:
    """One message of the log: the events that one command caused on one subject.

    Attributes:
        seq: Its sequence in the stream.
        subject: The subject it stands on.
        recorded_at: Record time set by the server.
        events: Its events in order, at least one.
    """

    seq: int
    subject: str
    recorded_at: datetime
    events: tuple[EventRecord, ...] = field(default=())
