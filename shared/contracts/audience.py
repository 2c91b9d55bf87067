"""Journal of the contact base (`evt.audience.<p>`, written by the planner): ids and counts, nothing personal."""

from typing import ClassVar

from shared.contracts.envelope import DomainEvent
from shared.contracts.sources import OutcomeGroup


class ContactsImported(DomainEvent):
    """An import ended: rows by what became of them."""

    TYPE: ClassVar[str] = "audience.contacts_imported/1"

    list: str
    upload: str
    added: int
    updated: int
    unchanged: int
    rejected: int


class ContactsSynced(DomainEvent):
    """Producers told of contacts. Counts are of what one transaction took in.

    Attributes:
        source: The system that owns the records.
        added: Contacts that were new.
        updated: Contacts of which something changed.
        unchanged: Contacts that were so already.
        stale: Events that came late or again and changed nothing.
        joined: Memberships of lists that were new.
        left: Memberships that ended.
    """

    TYPE: ClassVar[str] = "audience.contacts_synced/1"

    source: str
    added: int = 0
    updated: int = 0
    unchanged: int = 0
    stale: int = 0
    joined: int = 0
    left: int = 0


class ActivitiesTold(DomainEvent):
    """Producers told of activities. Counts are of what one transaction took in.

    Attributes:
        source: The system that owns the activities.
        activities: Those that were new, or of which something newer was told.
        participants: Who was not known to have taken part before.
        stale: Events that came late or again and changed nothing.
    """

    TYPE: ClassVar[str] = "audience.activities_told/1"

    source: str
    activities: int = 0
    participants: int = 0
    stale: int = 0


class ListFilled(DomainEvent):
    """Those behind a number of a mailing's report were put on a list.

    Attributes:
        group: By what became of their mail.
        contacts: How many they were; some may have been on it.
    """

    TYPE: ClassVar[str] = "audience.list_filled/1"

    list: str
    mailing: str
    group: OutcomeGroup
    contacts: int


class ListRuled(DomainEvent):
    """A list was given a rule, or its rule was taken away.

    Attributes:
        rule: Digest of the rule, "" where there is none any more; its words may name people.
    """

    TYPE: ClassVar[str] = "audience.list_ruled/1"

    list: str
    rule: str


class DomainBlocked(DomainEvent):
    """A domain was blocked, or let go; its name stands here as a keyed hash only."""

    TYPE: ClassVar[str] = "audience.domain_blocked/1"

    domain: str
    blocked: bool


class MemberRemoved(DomainEvent):
    """A contact was taken off a list by hand."""

    TYPE: ClassVar[str] = "audience.member_removed/1"

    list: str
    contact: str


EVENTS = (ContactsImported, ContactsSynced, ActivitiesTold, ListRuled, ListFilled, DomainBlocked, MemberRemoved)
