"""Where the audience of a mailing comes from, all of it combined: the models that commands and events share.

With nothing chosen it is the members of all lists of the campaign.
"""

from typing import Annotated, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

OutcomeGroup = Literal["all", "sent", "read", "clicked", "not_opened", "bounced", "in_doubt", "failed"]
"""Recipients of a mailing by what became of it; `all` are those of its frozen audience, sent to or not."""

AddressSlot = Literal["first", "second", "third", "persons"]
SLOTS: tuple[AddressSlot, ...] = get_args(AddressSlot)
"""Addresses of a customer: its own in order, and those of its contact persons."""
OWN: tuple[AddressSlot, ...] = SLOTS[:-1]

# They stand in events: a type holds no "@", so it is no address. Both are words in one line.
ActivityType = Annotated[str, StringConstraints(pattern=r"^[^\x00-\x1f\x7f@]{1,100}$", strip_whitespace=True)]
CampaignWord = Annotated[str, StringConstraints(pattern=r"^[^\x00-\x1f\x7f]{0,200}$", strip_whitespace=True)]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class OfMailing(_Model):
    """Recipients of an earlier mailing, of whatever campaign."""

    mailing: str = Field(pattern=r"^[a-z0-9]{1,24}$")
    group: OutcomeGroup = "all"


class OfActivity(_Model):
    """Who took part in the most recent activity of a type, as producers told of it.

    Attributes:
        campaign: Id of the campaign, or its name as producers say it; of whatever campaign, or of none, if missing.
    """

    type: ActivityType
    campaign: CampaignWord = ""


class Helper(_Model):
    """The helper list: `add` takes its contacts in, `only` keeps those that are on it as well."""

    list: str = Field(min_length=1, max_length=200)
    mode: Literal["add", "only"] = "add"


class Cap(_Model):
    """Whoever got so many mails within the last days is left out."""

    mails: int = Field(ge=1, le=1_000)
    days: int = Field(ge=1, le=365)


class Sources(_Model):
    """What is combined.

    Attributes:
        lists: Lists of the campaign; None stands for all of them.
        exclude: Whoever is on one of these lists is left out.
        cap: Frequency cap over all mailings.
        addresses: Which addresses of a customer are used: all of its own unless others are named.
    """

    lists: list[str] | None = Field(default=None, max_length=200)
    mailings: list[OfMailing] = Field(default=[], max_length=50)
    activities: list[OfActivity] = Field(default=[], max_length=50)
    helper: Helper | None = None
    exclude: list[str] = Field(default=[], max_length=200)
    cap: Cap | None = None
    addresses: list[AddressSlot] = Field(default=list(OWN), min_length=1, max_length=len(SLOTS))

    @property
    def only_lists(self) -> bool:
        """Whether nothing but lists of the campaign gives or leaves out anybody."""
        return self == Sources(lists=self.lists, addresses=self.addresses)
