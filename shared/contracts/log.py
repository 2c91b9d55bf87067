"""The log about itself (`evt.log.incarnation`, written by the planner): which incarnation of it this is.

EVENTS is made with an id of its own in its metadata. A backup that is put back gets a new one, and an operator who
confirms that a log or a database was restored writes `LogContinued`: from then on that is its name.
"""

from typing import ClassVar

from shared.contracts.envelope import DomainEvent

RESTORED = "log restored"
"""Reason of every pause that the guard ordered."""


class LogContinued(DomainEvent):
    """An operator confirmed that this log goes on, although somebody remembers another.

    Attributes:
        incarnation: The name of the log from now on.
        stream: The id in the metadata of the stream at that time; where another stands, this event is of another log.
        supersedes: Names under which services may remember it; who does takes the new one over.
        end: Last sequence of the log when it was confirmed.
    """

    TYPE: ClassVar[str] = "log.continued/1"

    incarnation: str
    stream: str
    supersedes: list[str] = []
    end: int = 0


EVENTS = (LogContinued,)
