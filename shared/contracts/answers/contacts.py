"""Answers about contacts: lists, imports, audiences, consent."""

from typing import Literal

from pydantic import Field

from shared.contracts.answers.base import Data, Paused
from shared.contracts.sources import AddressSlot

_BEHIND: int = Field(
    description="0, or so soon after a large import: about how many contacts rules do not see yet; ask again."
)


class ListRow(Data):
    """One list."""

    id: str
    name: str
    members: int
    confirmed: bool = Field(description="Whether it demands a confirmation of whoever joins.")
    rule: str = Field(default="", description="Whom it finds beside its members, which are those who were put on it.")


class ContactRecord(Data):
    """A record that claims the contact; without a source where a row of a file does."""

    source: str
    external: str = Field(description="Its id there.")
    version: int
    slot: AddressSlot = Field(description="Which address of the record the contact is.")


class AccountOf(Data):
    """The account that a contact belongs to."""

    source: str
    external: str = Field(description="Its id there.")
    name: str


class CustomerAddress(Data):
    """One address of a customer."""

    contact: str
    address: str
    name: str
    slot: AddressSlot


class ListName(Data):
    """A list and what it is called."""

    id: str
    name: str


class ContactShown(Data):
    """One contact as it is now."""

    contact: str
    address: str
    name: str
    kind: str
    provider: str = Field(description='Whose mailbox it is; "" for all but the large ones.')
    status: str = Field(description="Status of the customer.")
    flags: list[str] = Field(description="What the address is beside somebody's: `role`, `disposable`.")
    fields: dict[str, str]
    account: AccountOf | None
    records: list[ContactRecord]
    addresses: list[CustomerAddress] = Field(description="All of the customer, this one among them.")
    lists: list[ListName] = Field(description="On which it was put; rules may find it for others.")
    created: str
    updated: str


class MemberRow(Data):
    """One of those who were put on a list."""

    contact: str
    address: str
    name: str


class MembersPage(Data):
    """Who was put on a list."""

    rows: list[MemberRow]
    next: str
    name: str
    rule: str = Field(description="Whom it finds is on the list beside these.")
    list: str


class MemberRemoved(Data):
    """The contact is not on the list any more; `removed` is false where nobody had put it there."""

    list: str
    contact: str
    removed: bool
    rule: str = Field(description="Whom it finds is on the list all the same.")


class ListRuled(Data):
    """The list as it is now, and how many contacts its rule finds."""

    found: int
    behind: int = _BEHIND
    unknown_fields: list[str] = Field(description="Fields in the rule that no contact has.")
    list: str


class FoundContact(Data):
    """One of those a rule finds."""

    contact: str
    address: str
    name: str


class Segment(Data):
    """Whom a rule finds."""

    count: int
    behind: int = _BEHIND
    rows: list[FoundContact]
    next: str
    unknown_fields: list[str]


class DomainSet(Data):
    """The domain as it is now."""

    domain: str
    blocked: bool


class BlockedDomainRow(Data):
    """One domain that is not mailed."""

    domain: str
    reason: str


class BlockedDomainsPage(Data):
    """Domains that are not mailed."""

    rows: list[BlockedDomainRow]
    next: str


class ConfirmationSet(Data):
    """How the list is now."""

    list: str
    confirmed: bool


class OptInAnswer(Data):
    """What became of it: on the list, asked for a confirmation (or asked before), or as it was."""

    contact: str
    list: str
    state: Literal["subscribed", "asked", "asked_before", "unchanged"]


class OptOutAnswer(Data):
    """What the address gets no more: a list by its id, or `*`."""

    scope: str


class ListRows(Data):
    """All lists."""

    lists: list[ListRow]
    kinds: list[str] = Field(default=[], description="Kinds of records that are known: what a field `kind` may hold.")


class ImportAccepted(Data):
    """The import is in line."""

    upload: str
    list: str


class ImportProblem(Data):
    """Why an import ended early, or cannot begin."""

    code: str
    message: str
    field: str
    line: int


class ImportState(Data):
    """How far an import is."""

    state: Literal["running", "done", "failed"]
    list: str
    rows: int
    added: int
    updated: int
    unchanged: int
    rejected: int
    problem: ImportProblem | None
    position: int


class RejectedRow(Data):
    """One row that was left out."""

    line: int
    column: str
    reason: str
    value: str


class RejectedRowsPage(Data):
    """Rejected rows of an import."""

    rows: list[RejectedRow]
    next: str


class TakenRecipient(Data):
    """What a mail that came back says of one recipient; whom it names is not told."""

    reason: str
    scope: str
    permanent: bool
    status: str
    reply_code: str


class FeedbackTaken(Data):
    """What a mail was, by what a mail of ours was recognised ("" if by nothing), and how many events it became."""

    kind: str
    feedback_type: str
    proven: str
    mailing: str
    n: int | None
    index: int | None
    facts: int
    recipients: list[TakenRecipient]


class Lifted(Data):
    """The address may be mailed again; `reason` is why it was suppressed."""

    reason: str


class PreviewColumn(Data):
    """One column: its header, and the field it goes to ("" is left out)."""

    header: str
    field: str


class PreviewRow(Data):
    """One of the first rows: its cells, and what is wrong with it."""

    line: int
    cells: list[str]
    reason: str
    column: str


class ImportPreview(Data):
    """What an upload looks like when it is read so."""

    encoding: str
    delimiter: str
    columns: list[PreviewColumn]
    rows: list[PreviewRow]
    problem: ImportProblem | None


class EventProblem(Data):
    """One event that does not fit: its place among them, the field at fault, why."""

    place: int
    field: str
    why: str


class ContactsTold(Data):
    """How many events fit, and what is wrong with the others."""

    taken: int
    problems: list[EventProblem]


class AudienceRow(Data):
    """One contact of an audience: where it stands, or why it was left out."""

    contact: str
    address: str
    name: str
    slot: str
    lane: str
    n: int | None
    index: int | None
    skipped: str


class AudiencePage(Data):
    """The frozen audience."""

    rows: list[AudienceRow]
    next: str
    recipients: int
    customers: int
    skipped: dict[str, int]


class ConsentRow(Data):
    """One act; `holds` marks those in force."""

    seq: int
    at: str
    act: str
    scope: str
    how: str
    mailing: str
    n: int | None
    index: int | None
    reason: str
    principal: str
    comment: str
    holds: bool
    list: str = Field(description="What the list of the scope is called.")
    subject: str = Field(description="Subject of the mail that led to it.")
    words: str = Field(description="What the page said on which it was chosen.")


class ConsentRows(Paused):
    """Every act of one address, oldest first."""

    acts: list[ConsentRow]
