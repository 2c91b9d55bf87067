"""Events of a campaign (`evt.campaign.<id>`, written by the planner)."""

from datetime import date
from typing import ClassVar, Literal

from shared.contracts.envelope import DomainEvent


class CampaignOpened(DomainEvent):
    """A campaign is the container of mailings: its lists, its dates."""

    TYPE: ClassVar[str] = "campaign.opened/1"

    name: str
    kind: Literal["email", "newsletter"] = "email"
    lists: list[str]
    starts_on: date | None = None
    ends_on: date | None = None


class CampaignClosed(DomainEvent):
    """It takes no more mailings."""

    TYPE: ClassVar[str] = "campaign.closed/1"


EVENTS = (CampaignOpened, CampaignClosed)
