"""Events of a campaign (`evt.campaign.<id>`, written by the planner)."""

from datetime import date
from typing import ClassVar, Literal

from shared.contracts.envelope import DomainEvent
from shared.contracts.statuses import StatusMap


class CampaignSettings(DomainEvent):
    """A campaign is the container of mailings: its lists, the first and the last day on which they go out.

    Attributes:
        approval: No mailing starts before a second person approved of it.
        utm: Parameters that are added to the links of its mailings, where they have them not.
        statuses: Which status of the customer each outcome sets; an outcome that is not here sets none.
    """

    name: str
    kind: Literal["email", "newsletter"] = "email"
    lists: list[str]
    starts_on: date | None = None
    ends_on: date | None = None
    approval: bool = False
    utm: dict[str, str] = {}
    statuses: StatusMap = {}


class CampaignOpened(CampaignSettings):
    """It takes mailings."""

    TYPE: ClassVar[str] = "campaign.opened/1"


class CampaignEdited(CampaignSettings):
    """It was replaced as a whole; mailings that were scheduled before keep their dates."""

    TYPE: ClassVar[str] = "campaign.edited/1"


class CampaignClosed(DomainEvent):
    """It takes no more mailings."""

    TYPE: ClassVar[str] = "campaign.closed/1"


class CampaignDeleted(DomainEvent):
    """Hidden from lists; its history is kept."""

    TYPE: ClassVar[str] = "campaign.deleted/1"


EVENTS = (CampaignOpened, CampaignEdited, CampaignClosed, CampaignDeleted)
