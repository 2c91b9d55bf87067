"""Answers about the recipients of a mailing: outcomes, links, doubts, the ledger."""

from shared.contracts.answers.base import Data, Page, Paused


class RecipientRow(Data):
    """One recipient: what became of the mail. `slot` says which address of the customer it went to."""

    contact: str
    address: str
    name: str
    slot: str
    n: int
    index: int
    status: str
    outcome: str
    code: int
    enhanced: str
    text: str
    host: str
    queue_id: str
    at: str
    attempts: int
    cause: str
    until: str
    evidence: str
    opens: int
    clicks: int
    opened_at: str
    clicked_at: str
    machines: dict[str, int]
    unsubscribed: bool
    reason: str
    comment: str
    bounced: str
    complained: bool
    replied: bool
    reply: str
    answered: str


class RecipientsPage(Page):
    """Recipients in the order of their chunks."""

    rows: list[RecipientRow]


class OutcomeRow(Data):
    """What became of one contact of a producer; one row for each address that got the mailing."""

    id: str
    contact: str
    status: str
    outcome: str
    code: int
    enhanced: str
    text: str
    at: str
    attempts: int
    opens: int
    clicks: int
    unsubscribed: bool
    bounced: str
    complained: bool
    replied: bool


class OutcomeRows(Paused):
    """Rows in the order of the ids; `unknown` are those that the mailing does not have."""

    rows: list[OutcomeRow]
    unknown: list[str]


class CustomerStatus(Data):
    """The status that a campaign set for one customer; `at` is when that happened which set it."""

    campaign: str
    contact: str
    address: str
    name: str
    source: str
    external: str
    mailing: str
    outcome: str
    status: str
    at: str


class CustomerStatusPage(Page):
    """Statuses in the order in which they were set; `cursor` goes on from here, now or later."""

    rows: list[CustomerStatus]
    cursor: str


class LinkRow(Data):
    """One link of a mailing: hits by people, and how many those are; all hits by verdict (`by`).

    `others`: recipients for whom nobody but machines followed it.
    """

    link: int
    url: str
    name: str
    hits: int
    people: int
    others: int
    by: dict[str, int]


class CustomerGroup(Data):
    """What became of mails: how many it became of, and how many customers those are."""

    group: str
    mails: int
    customers: int


class CustomersCounted(Paused):
    """Mails and customers apart. `recipients`, `customers`: as frozen, None where nothing was frozen."""

    mailing: str
    recipients: int | None
    customers: int | None
    groups: list[CustomerGroup]


class LinkRows(Paused):
    """All links of a mailing."""

    links: list[LinkRow]


class Rejudged(Data):
    """How many recipients were judged by version `rules`; `next` continues, "" where all were."""

    mailing: str
    rules: int
    judged: int
    next: str


class Point(Data):
    """What happened within one step."""

    at: str
    accepted: int
    opens: int
    clicks: int
    others: int


class Points(Paused):
    """What happened over time, by steps of so many seconds."""

    step: int
    points: list[Point]


class DoubtRow(Data):
    """One recipient in doubt."""

    n: int
    index: int
    contact: str
    address: str
    name: str
    since: str
    evidence: str


class DoubtsPage(Page):
    """Recipients in doubt."""

    rows: list[DoubtRow]


class Gap(Data):
    """One recipient in no state, or in two."""

    n: int
    index: int
    contact: str
    why: str


class Ledger(Data):
    """The numbers recomputed from the log alone."""

    balanced: bool
    planned: int
    totals: dict[str, int]
    pending: int
    gaps: list[Gap]
    position: int
