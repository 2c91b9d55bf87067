"""What can go wrong between a service and the event log. A domain "no" is none of these: it is a Refusal."""


class EventLogError(Exception):
    """Base of all errors of the event log, raised itself where the log was used wrongly."""


class WrongVersionError(EventLogError):
    """Somebody else appended to the subject since it was read: load it again and decide again."""

    def __init__(self, subject: str, expected: int, actual: int) -> None:
        super().__init__(f"{subject}: expected its last commit at seq {expected}, it is at {actual}")
        self.subject = subject
        self.expected = expected
        self.actual = actual


class UnknownOutcomeError(EventLogError):
    """An append was neither confirmed nor denied within its budget: it may stand in the log, now or later.

    Whoever tries again with the same command id learns what became of it.
    """


class UnavailableError(EventLogError):
    """A read was not answered within its budget: the server is away or has no leader."""


class HistoryGapError(EventLogError):
    """The log begins after the position of a reader: history was removed, the view cannot be continued."""


class LogBehindViewError(EventLogError):
    """The log ends before the position of a reader, or holds another event there: it was restored or replaced."""


class MissingError(EventLogError):
    """There is no document, object or message of that name."""


class ConsumerGoneError(EventLogError):
    """The consumer a reader pulls from, or its stream, is not there any more: create it anew and read on."""


class ViewOutdatedError(EventLogError):
    """The tables hold another version of the view than this program computes: rebuild it."""
