"""Numbers of mailboxes: what was read, what failed, how many stand how. Each tracker says what it saw last."""

from typing import get_args

from shared.contracts.mailbox import State
from shared.metrics import counter, gauge

MAILS = counter("posthaste_mailbox_mails_total", "Mails read from mailboxes, by what became of them", ("result",))
PROBLEMS = counter("posthaste_mailbox_problems_total", "Looks at a mailbox that failed, by why", ("why",))
STANDING = gauge("posthaste_mailboxes_count", "Mailboxes by how reading them stands", ("state",))
_states: dict[str, State] = {}


def stands(mailbox: str, state: State) -> None:
    """Show how a mailbox stands."""
    if _states.get(mailbox) != state:
        _states[mailbox] = state
        _show()


def gone(mailbox: str) -> None:
    """Show one that was removed no more."""
    _states.pop(mailbox, None)
    _show()


def _show() -> None:
    for state in get_args(State):
        STANDING.labels(state).set(sum(each == state for each in _states.values()))


def taken() -> None:
    """Count a mail that was taken in."""
    MAILS.labels("taken").inc()


def parked() -> None:
    """Count a mail that was parked."""
    MAILS.labels("parked").inc()


def refused() -> None:
    """Count a login that was refused."""
    PROBLEMS.labels("refused").inc()


def failed() -> None:
    """Count a look that failed in another way."""
    PROBLEMS.labels("failed").inc()
