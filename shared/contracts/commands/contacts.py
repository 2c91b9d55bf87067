"""Contacts: how they come in, the lists they are on, what they consented to."""

from typing import ClassVar

from pydantic import Field

from shared.contracts.commands.base import Command, Id, Name, Page, Query


class ImportContacts(Command):
    """Import an uploaded CSV file into a list (made if new). Answered when it is accepted; progress is a query.

    Attributes:
        upload: Id under which the parts stand in INBOX as `in.upload.<upload>.<part>`.
        parts: Number of parts, numbered from 0.
        list: Name of the list.
        encoding: A codec name; "" detects UTF-8, UTF-8 with BOM, UTF-16 with BOM, else Windows-1252 is refused.
        delimiter: One character; "" detects `,` `;` tab.
        columns: Header of the file -> field; the field `email` is the address, `name` the display name.
    """

    NAME: ClassVar[str] = "contacts.import"

    upload: Id
    parts: int = Field(ge=1)
    list: Name
    file_name: str = ""
    encoding: str = ""
    delimiter: str = Field(default="", max_length=1)
    columns: dict[str, str] = {}


class Lists(Query):
    """All lists -> {lists: [{id, name, members}]}."""

    NAME: ClassVar[str] = "list.list"


class ImportStatus(Query):
    """Progress of an import -> {state: running|done|failed, rows, added, updated, unchanged, rejected, problem}."""

    NAME: ClassVar[str] = "import.status"

    upload: Id


class RejectedRows(Page):
    """Rejected rows of an import -> {rows: [{line, column, reason, value}], next}."""

    NAME: ClassVar[str] = "import.rejected"

    upload: Id


class PreviewImport(Query):
    """What an upload looks like -> {encoding, delimiter, columns, rows, problem}; nothing is imported.

    Attributes:
        upload: Id under which the parts stand in INBOX.
        encoding: As in `ImportContacts`; so are `delimiter` and `columns`.
        limit: How many of the first rows to show.
    """

    NAME: ClassVar[str] = "import.preview"

    upload: Id
    encoding: str = Field(default="", max_length=40)
    delimiter: str = Field(default="", max_length=1)
    columns: dict[str, str] = {}
    limit: int = Field(default=20, ge=1, le=100)


class TakeFeedback(Command):
    """Take in an uploaded mail that came back -> {kind, feedback_type, proven, mailing, n, index, facts, recipients}.

    Attributes:
        upload: Id under which the parts of the mail stand in INBOX; they are erased when it is taken in.
        parts: Number of parts, numbered from 0.
    """

    NAME: ClassVar[str] = "feedback.take"

    upload: Id
    parts: int = Field(ge=1, le=32)


class LiftSuppression(Command):
    """Let an address be mailed again that was suppressed -> {reason}: why it was. Name it, or its contact."""

    NAME: ClassVar[str] = "contact.lift"

    contact: str = Field(default="", max_length=24)
    address: str = Field(default="", max_length=254)
    reason: str = Field(default="", max_length=200)


class ConsentHistory(Query):
    """Consent acts of one address or contact, oldest first -> {acts: [...]}."""

    NAME: ClassVar[str] = "consent"

    contact: str = ""
    address: str = ""


class ContactProblems(Page):
    """Messages of producers that are parked because an event in them does not fit -> {rows: [...], next}."""

    NAME: ClassVar[str] = "contacts.problems"
