"""Journal of the contact base (`evt.audience.<p>`, written by the planner): ids and counts, nothing personal."""

from typing import ClassVar

from shared.contracts.envelope import DomainEvent


class ContactsImported(DomainEvent):
    """An import ended: rows by what became of them."""

    TYPE: ClassVar[str] = "audience.contacts_imported/1"

    list: str
    upload: str
    added: int
    updated: int
    unchanged: int
    rejected: int


EVENTS = (ContactsImported,)
