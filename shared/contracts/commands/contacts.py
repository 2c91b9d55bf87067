"""Contacts: how they come in, the lists they are on, what they consented to."""

from typing import Any, ClassVar, Literal

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


class TellContacts(Command):
    """Take in what a producer says of its contacts -> {taken, problems: [{place, field, why}]}.

    Attributes:
        events: CloudEvents as on `in.contacts`; those that do not fit are told, the others count.
    """

    NAME: ClassVar[str] = "contacts.tell"

    events: list[dict[str, Any]] = Field(min_length=1, max_length=1_000)


class Lists(Query):
    """All lists -> {lists: [{id, name, members, rule}], kinds: of records that are known}."""

    NAME: ClassVar[str] = "list.list"


class ShowContact(Query):
    """One contact as it is now: fields, records, addresses of the customer, lists. Name its address, or its id."""

    NAME: ClassVar[str] = "contact.show"

    contact: str = Field(default="", pattern=r"^[a-z0-9]{0,24}$")
    address: str = Field(default="", max_length=320)


class ListMembers(Page):
    """Who was put on a list, by contact -> {list, name, rule, rows: [{contact, address, name}], next}.

    Attributes:
        list: Name or id. Whom its rule finds beside them is told by `CountSegment`.
    """

    NAME: ClassVar[str] = "list.members"

    list: Name


class RemoveFromList(Command):
    """Take an address off a list -> {list, contact, removed, rule}; nothing is said of what the person wants.

    Attributes:
        list: Name or id.
    """

    NAME: ClassVar[str] = "list.remove"

    address: str = Field(max_length=320)
    list: Name


class RuleList(Command):
    """Make a list (made if new) dynamic: on it is whom the rule finds when an audience is frozen, beside its members.

    Attributes:
        list: Name or id.
        rule: In the language of docs/segments.md; "" takes the rule away.
    """

    NAME: ClassVar[str] = "list.rule"

    list: Name
    rule: str = Field(default="", max_length=10_000)


class CountSegment(Query):
    """Whom a rule finds now -> {count, rows: [{contact, address, name}], next, unknown_fields}.

    Attributes:
        rule: As in `RuleList`.
        limit: How many of them to show.
        after: `next` of the page before.
        list: Name or id of the list the rule is for, which it must not name.
    """

    NAME: ClassVar[str] = "segment.count"

    rule: str = Field(max_length=10_000)
    limit: int = Field(default=20, ge=0, le=1000)
    after: str = Field(default="", max_length=12)
    list: Name | Literal[""] = ""


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


class ListConfirmation(Command):
    """Have a list demand a confirmation (double opt-in), or no more where `account` is "".

    Whoever is put on the list from then on by `consent.in` or by a producer gets one mail that asks, and nothing of
    the list before the answer. The texts are ours in `language` where none are given.

    Attributes:
        list: Name or id.
        account: Account that the mail goes through.
        html: Body with `{{ optInUrl }}` or `{{ optInLink }}`; so `text`, made from it where only one is given.
    """

    NAME: ClassVar[str] = "list.confirmation"

    list: Name
    account: Id | Literal[""] = ""
    sender_address: str = Field(default="", max_length=320)
    sender_name: str = Field(default="", max_length=200)
    language: str = Field(default="", pattern=r"^([a-z]{2,3})?$")
    subject: str = Field(default="", max_length=900)
    html: str = Field(default="", max_length=200_000)
    text: str = Field(default="", max_length=200_000)


class OptIn(Command):
    """Somebody wants mail of a list: put on it, or asked for a confirmation first where the list demands one."""

    NAME: ClassVar[str] = "consent.in"

    address: str = Field(max_length=320)
    list: Name
    name: str = Field(default="", max_length=300)


class OptOut(Command):
    """Somebody said that no mail of a list is wanted, or none at all where `list` is ""."""

    NAME: ClassVar[str] = "consent.out"

    address: str = Field(max_length=320)
    list: Name | Literal[""] = ""


class BlockDomain(Command):
    """Mail nobody of a domain and those below it, or mail them again.

    Attributes:
        domain: Its name, `example.com`.
        blocked: False lets it go.
        reason: For whoever looks later.
    """

    NAME: ClassVar[str] = "domain.block"

    domain: str = Field(min_length=1, max_length=253)
    blocked: bool = True
    reason: str = Field(default="", max_length=200)


class BlockedDomains(Page):
    """Domains that are not mailed, by name -> {rows: [{domain, reason}], next}."""

    NAME: ClassVar[str] = "domain.blocked"


class ContactProblems(Page):
    """Messages of producers that are parked because an event in them does not fit -> {rows: [...], next}."""

    NAME: ClassVar[str] = "contacts.problems"
