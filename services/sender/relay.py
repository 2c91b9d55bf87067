"""What we tell of an account's relay: it refuses us as a whole, so nothing of the account goes out. Pure.

Rules: a pause is said once; it ends when the account tests well again (the planner's AccountTested).
"""

from dataclasses import dataclass

from shared.contracts.commands import Refusal
from shared.contracts.envelope import DomainEvent
from shared.contracts.relay import AccountPaused, AccountReleased


@dataclass(frozen=True, slots=True)
class PauseAccount:
    """The relay refused AUTH, TLS or the connection itself."""

    reason: str


@dataclass(frozen=True, slots=True)
class ReleaseAccount:
    """The account tested well after the pause."""

    cause: str


class RelayDecider:
    """State: the reason of the pause, "" while there is none."""

    def initial(self) -> str:
        """Nothing known: not paused."""
        return ""

    def evolve(self, state: str, event: DomainEvent) -> str:
        """Fold one event of `evt.relay.<account>`."""
        match event:
            case AccountPaused():
                return event.reason
            case AccountReleased():
                return ""
            case _:
                return state

    def decide(self, state: str, command: PauseAccount | ReleaseAccount) -> list[DomainEvent] | Refusal:
        """Return what `command` causes."""
        match command:
            case PauseAccount():
                return [] if state else [AccountPaused(reason=command.reason)]
            case ReleaseAccount():
                return [AccountReleased(cause=command.cause)] if state else []
