"""What the sender shows: mails by outcome, windows, connections, and which relays and accounts are in trouble.

Labels are outcomes and kinds of errors, never an account or a relay: which one it is stands in the log of the service
and in `posthaste account list`.
"""

import time
from collections.abc import Callable, Iterable, Sequence
from typing import get_args

from services.sender.gates.gates import AccountGate
from shared import metrics
from shared.contracts import ranges
from shared.contracts.envelope import DomainEvent
from shared.contracts.sending import Outcome, RecipientsSettled

DOWN_AFTER = 3
"""Failures in a row of a lane after which its relay counts as unreachable."""
FRESH = 300.0
"""Seconds for which a failure tells anything: a lane in trouble tries again within a minute and a half."""

_MAILS = metrics.counter("posthaste_mails_total", "Recipients settled, by outcome", ("outcome",))
_OUTCOMES = {outcome: _MAILS.labels(outcome) for outcome in get_args(Outcome)}
_WINDOW = metrics.histogram(
    "posthaste_claim_recipients", "Recipients claimed at once", buckets=(1, 2, 5, 10, 15, 20, 25, 50, 100, 250)
)
_CONNECTS = metrics.counter("posthaste_relay_connects_total", "Connections to relays, opened or not", ("outcome",))
_OPEN = metrics.gauge("posthaste_relay_connections_count", "Open connections to relays")
_LANES = metrics.gauge("posthaste_lanes_open_count", "Lanes of accounts that this process works")
_UNREACHABLE = metrics.gauge("posthaste_relays_unreachable_count", "Accounts whose relay failed again and again")
_PAUSED = metrics.gauge("posthaste_accounts_paused_count", "Accounts that may not be used until a test is good")
_SLOWED = metrics.gauge("posthaste_providers_slowed_count", "Providers of accounts that get less for a time")
_SUSPENDED = metrics.gauge("posthaste_providers_suspended_count", "Providers of accounts that get nothing for a time")
_STRIKES = metrics.counter("posthaste_shaping_strikes_total", "Shaping rules fulfilled, by what follows", ("action",))

_failures: dict[tuple[str, str], tuple[int, float]] = {}


def settled(events: Sequence[DomainEvent]) -> None:
    """Count what an append has recorded."""
    for event in events:
        if isinstance(event, RecipientsSettled):
            for group in event.groups:
                _OUTCOMES[group.outcome].inc(ranges.size(group.indexes))


def claimed(recipients: int) -> None:
    """Note the size of a claim."""
    _WINDOW.observe(recipients)


def connected() -> None:
    """A connection to a relay is open."""
    _CONNECTS.labels("ok").inc()
    _OPEN.inc()


def not_connected(error: Exception) -> None:
    """A connection to a relay could not be opened."""
    _CONNECTS.labels(type(error).__name__).inc()


def disconnected() -> None:
    """A connection to a relay was ended."""
    _OPEN.dec()


def trouble(account: str, lane: str) -> None:
    """The relay of a lane failed us once more."""
    times, _ = _failures.get((account, lane), (0, 0.0))
    _failures[account, lane] = (times + 1, time.monotonic())


def worked(account: str, lane: str) -> None:
    """The relay of a lane took mails."""
    _failures.pop((account, lane), None)


def unreachable() -> int:
    """Return how many accounts have a lane that failed `DOWN_AFTER` times in a row, and lately."""
    since = time.monotonic() - FRESH
    return len({account for (account, _), (times, at) in _failures.items() if times >= DOWN_AFTER and at > since})


def struck(action: str) -> None:
    """A shaping rule was fulfilled."""
    _STRIKES.labels(action).inc()


def show(lanes: Callable[[], int], accounts: Callable[[], Iterable[AccountGate]]) -> None:
    """Show lanes and troubles from now on."""
    _LANES.set_function(lanes)
    _PAUSED.set_function(lambda: sum(1 for account in accounts() if account.paused))
    _SLOWED.set_function(lambda: sum(len(account.slowed) for account in accounts()))
    _SUSPENDED.set_function(lambda: sum(len(account.suspended) for account in accounts()))
    _UNREACHABLE.set_function(unreachable)
