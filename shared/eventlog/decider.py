"""What a decider is: three pure functions of one entity. They call no clock, no chance, no network.

`evolve` takes every event the entity ever had; `decide` answers a command with the events it causes, with none where
all is done already, or with a refusal. Deciding the same command on the resulting state must cause nothing new.
"""

from typing import Protocol, TypeVar

from shared.contracts.commands import Refusal
from shared.contracts.envelope import DomainEvent

S = TypeVar("S")
C_contra = TypeVar("C_contra", contravariant=True)


class Decider(Protocol[S, C_contra]):
    """The rules of one kind of entity; a module or an object with these functions."""

    def initial(self) -> S:
        """Return the state before the first event."""
        ...

    def evolve(self, state: S, event: DomainEvent) -> S:
        """Return the state after `event`."""
        ...

    def decide(self, state: S, command: C_contra) -> list[DomainEvent] | Refusal:
        """Return what `command` causes in `state`."""
        ...
