"""What we tell of an account's relay: it refuses us as a whole, or a provider behind it wants less or nothing. Pure.

Rules:
1. A pause is said once; it ends when the account tests well again (the planner's AccountTested).
2. A provider is slowed to half of what went out, never below the floor of its rule, and not again within `calm`
   seconds: one burst of refusals counts once.
3. What a slow-down recovers to is what went out before the first of a row of them.
4. A suspension is only ever prolonged. A good test ends suspensions, not slow-downs.
5. What is over by the clock is released once.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from shared.contracts.commands import Refusal
from shared.contracts.envelope import DomainEvent
from shared.contracts.relay import (
    AccountPaused,
    AccountReleased,
    ProviderReleased,
    ProviderSlowed,
    ProviderSuspended,
)


@dataclass(frozen=True, slots=True)
class RelayState:
    """State: the reason of the pause ("" while there is none), and who is slowed or suspended, by provider."""

    paused: str = ""
    slowed: Mapping[str, ProviderSlowed] = field(default_factory=dict)
    suspended: Mapping[str, ProviderSuspended] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PauseAccount:
    """The relay refused AUTH, TLS, the connection itself, or us by name."""

    reason: str


@dataclass(frozen=True, slots=True)
class ReleaseAccount:
    """The account tested well after the pause or the suspension."""

    cause: str


@dataclass(frozen=True, slots=True)
class SlowProvider:
    """Less to a provider.

    Attributes:
        observed: Mails an hour that went there lately.
        floor: Mails an hour at the least.
        step: Seconds until the rate doubles again.
        calm: Seconds within which a second one counts as the same burst.
    """

    provider: str
    rule: str
    now: datetime
    observed: int
    floor: int
    step: float
    calm: float


@dataclass(frozen=True, slots=True)
class SuspendProvider:
    """Nothing to a provider until then."""

    provider: str
    rule: str
    now: datetime
    until: datetime


@dataclass(frozen=True, slots=True)
class ReleaseDue:
    """Say what is over by now."""

    now: datetime


Command = PauseAccount | ReleaseAccount | SlowProvider | SuspendProvider | ReleaseDue


class RelayDecider:
    """Decider of `evt.relay.<account>`."""

    def initial(self) -> RelayState:
        """Nothing known: neither paused, nor slowed, nor suspended."""
        return RelayState()

    def evolve(self, state: RelayState, event: DomainEvent) -> RelayState:
        """Fold one event of `evt.relay.<account>`."""
        match event:
            case AccountPaused():
                return replace(state, paused=event.reason)
            case AccountReleased():
                return replace(state, paused="")
            case ProviderSlowed():
                return replace(state, slowed={**state.slowed, event.provider: event})
            case ProviderSuspended():
                return replace(state, suspended={**state.suspended, event.provider: event})
            case ProviderReleased(provider=provider, what="slowed"):
                return replace(state, slowed={p: e for p, e in state.slowed.items() if p != provider})
            case ProviderReleased(provider=provider):
                return replace(state, suspended={p: e for p, e in state.suspended.items() if p != provider})
            case _:
                return state

    def decide(self, state: RelayState, command: Command) -> list[DomainEvent] | Refusal:
        """Return what `command` causes."""
        match command:
            case PauseAccount():
                return [] if state.paused else [AccountPaused(reason=command.reason)]
            case ReleaseAccount(cause=cause):
                released = [
                    ProviderReleased(provider=p, what="suspended", cause=cause) for p in sorted(state.suspended)
                ]
                return [*([AccountReleased(cause=cause)] if state.paused else []), *released]
            case SlowProvider():
                return _slow(state, command)
            case SuspendProvider():
                known = state.suspended.get(command.provider)
                if command.until <= max(command.now, known.until if known else command.now):
                    return []
                suspended = ProviderSuspended(
                    provider=command.provider, rule=command.rule, since=command.now, until=command.until
                )
                return [suspended]
            case ReleaseDue(now=now):
                slow = [p for p, event in sorted(state.slowed.items()) if event.rate(now) is None]
                held = [p for p, event in sorted(state.suspended.items()) if event.until <= now]
                return [
                    *(ProviderReleased(provider=p, what="slowed") for p in slow),
                    *(ProviderReleased(provider=p, what="suspended") for p in held),
                ]


def _slow(state: RelayState, command: SlowProvider) -> list[DomainEvent]:
    known = state.slowed.get(command.provider)
    if known is not None and command.now < known.since + timedelta(seconds=command.calm):
        return []
    rate = known.rate(command.now) if known is not None else None
    before = max(command.observed if rate is None else min(command.observed, rate), 1)
    per_hour = max(command.floor, before // 2, 1)
    full = max(known.full if known is not None and rate is not None else 0, command.observed, 2 * per_hour)
    if rate is not None and per_hour > rate:  # never faster by being slowed
        per_hour = rate
    return [
        ProviderSlowed(
            provider=command.provider,
            rule=command.rule,
            since=command.now,
            per_hour=per_hour,
            full=full,
            step=command.step,
        )
    ]
