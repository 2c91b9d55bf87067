"""Counters of mailboxes."""

from shared.metrics import counter

MAILS = counter("posthaste_mailbox_mails_total", "Mails read from mailboxes, by what became of them", ("result",))
PROBLEMS = counter("posthaste_mailbox_problems_total", "Looks at a mailbox that failed, by why", ("why",))


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
