"""Statuses of customers: which outcomes of a campaign's mails set them, and the event that says they were set.

A campaign maps outcomes to words of its own. `ORDER` is the defined order: within a campaign a customer's status moves
forward in it and never back. On `evt.statuses.<campaign>`, written by the planner with the expected last sequence.
"""

from typing import Annotated, ClassVar, Literal, get_args

from pydantic import Field, StringConstraints

from shared.contracts.envelope import DomainEvent

CustomerOutcome = Literal["sent", "bounced", "read", "clicked", "removed"]
ORDER: tuple[CustomerOutcome, ...] = get_args(CustomerOutcome)
"""sent: a relay took the mail; bounced: it was refused for good, or came back; read, clicked: by a person, whoever
clicked has read; removed: the customer opted out or complained."""

# No "@": an address is no status, for statuses stand in events.
StatusWord = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=80, pattern=r"^[^@\x00-\x1f\x7f]+$")
]
StatusMap = Annotated[dict[CustomerOutcome, StatusWord], Field(max_length=len(ORDER))]


class StatusesSet(DomainEvent):
    """One outcome set one status for some customers. Columns: contacts, and when it happened to each.

    Attributes:
        mailing: Whose mails they were.
        contacts: Those whose mails led to it.
        base: Seconds since 1970.
        at: Seconds after `base`, for each contact.
    """

    TYPE: ClassVar[str] = "statuses.set/1"

    mailing: str
    outcome: CustomerOutcome
    status: str
    contacts: list[str]
    base: int
    at: list[int]


EVENTS = (StatusesSet,)
