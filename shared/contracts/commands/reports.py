"""What is asked of reporting: status, numbers and lists, each from a view of the log."""

from typing import Annotated, ClassVar

from pydantic import Field, StringConstraints

from shared.contracts.commands.base import Command, Id, Page, Query


class Campaigns(Query):
    """All campaigns -> {campaigns: [...]}."""

    NAME: ClassVar[str] = "campaign.list"


class Mailings(Query):
    """All mailings, newest first -> {mailings: [...]} each as in `Status`; `limit`: only so many of them, 0 for all."""

    NAME: ClassVar[str] = "mailing.list"

    campaign: str = ""
    limit: int = Field(default=0, ge=0, le=1_000)


class Status(Query):
    """Status and numbers of one mailing (docs/commands.md lists the fields)."""

    NAME: ClassVar[str] = "mailing.status"

    mailing: Id


class Recipients(Page):
    """Recipients of a mailing with outcome, reply, attempts -> {rows, next}. `search`: part of an address or a name."""

    NAME: ClassVar[str] = "mailing.recipients"

    mailing: Id
    outcome: str = ""
    search: str = Field(default="", max_length=200)


class CustomerCounts(Query):
    """Mails and customers apart, by what became of them -> {groups: [{group, mails, customers}]}.

    A customer to whom it went at several addresses counts once in each group that one of the mails is in.
    """

    NAME: ClassVar[str] = "mailing.customers"

    mailing: Id


class Links(Query):
    """Hits by link -> {links: [{link, url, hits, people}]}."""

    NAME: ClassVar[str] = "mailing.links"

    mailing: Id


class RejudgeHits(Command):
    """Judge the hits of a mailing by the rules of this version, some thousand recipients a time.

    Attributes:
        after: `next` of the answer before; "" begins with the first recipient.
    """

    NAME: ClassVar[str] = "hits.rejudge"

    mailing: Id
    after: str = Field(default="", pattern=r"^([0-9]{1,18}\.[0-9]{1,9})?$")


class Timeline(Query):
    """Accepted, opens and clicks by second or minute -> {points: [...]}."""

    NAME: ClassVar[str] = "mailing.timeline"

    mailing: Id


class LogLines(Page):
    """What happened to a mailing or campaign, newest first, with principal -> {rows, next}."""

    NAME: ClassVar[str] = "log"

    mailing: str = ""


class Outcomes(Query):
    """What became of contacts of a producer in one mailing -> {rows: [...], unknown: [ids that are not in it]}."""

    NAME: ClassVar[str] = "mailing.outcomes"

    mailing: Id
    source: str = Field(min_length=1, max_length=100)
    ids: list[Annotated[str, StringConstraints(min_length=1, max_length=100)]] = Field(min_length=1, max_length=500)


class FeedEvents(Query):
    """What happened since a cursor, as on `out.>` -> {events: [CloudEvents], cursor, end}.

    Attributes:
        after: The `cursor` of the answer before; "" begins with the oldest event that is kept.
    """

    NAME: ClassVar[str] = "events.feed"

    after: str = Field(default="", max_length=20)
    limit: int = Field(default=100, ge=1, le=1000)


class CustomerStatuses(Page):
    """Statuses that campaigns set, in the order in which they were set -> {rows: [...], next, cursor}.

    A customer is there once a campaign, with the last one. `cursor` is the `after` of the next question, also where
    nothing more is there yet.

    Attributes:
        campaign: Id of a campaign, "" for all.
        contact: Id of a contact, "" for all.
        address: Only contacts of this address, where it is given.
    """

    NAME: ClassVar[str] = "statuses"

    campaign: str = Field(default="", max_length=24)
    contact: str = Field(default="", max_length=24)
    address: str = Field(default="", max_length=320)


class Doubts(Page):
    """Recipients in doubt -> {rows: [{n, index, contact, address, since, evidence}], next}."""

    NAME: ClassVar[str] = "mailing.doubts"

    mailing: Id


class ProviderHealth(Query):
    """How providers fared, by hour and account, newest first -> {rows: [...]}.

    Attributes:
        account: Id of an account, "" for all.
        hours: How far back.
    """

    NAME: ClassVar[str] = "providers.health"

    account: str = ""
    hours: int = Field(default=24, ge=1, le=24 * 31)


class VerifyLedger(Query):
    """Recompute from log and AUDIENCE -> {balanced, planned, totals, pending, gaps: [...]}."""

    NAME: ClassVar[str] = "mailing.ledger"

    mailing: Id
