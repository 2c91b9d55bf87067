"""The campaign: the container of mailings.

Pure. Rules:
1. A campaign is opened once, on one or more lists that exist (the caller names them by id); it ends after it starts.
2. A closed campaign takes no more mailings, and stays closed.
3. A command repeated emits nothing.
"""

from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict

from shared.contracts.campaign import CampaignClosed, CampaignOpened
from shared.contracts.commands import Refusal
from shared.contracts.envelope import DomainEvent


class Campaign(BaseModel):
    """State of one campaign; `opened` is None while there is none."""

    model_config = ConfigDict(frozen=True)

    opened: CampaignOpened | None = None
    closed: bool = False


@dataclass(frozen=True, slots=True)
class Open:
    """Open it as `opened` says."""

    opened: CampaignOpened


@dataclass(frozen=True, slots=True)
class Close:
    """Take no more mailings."""


class CampaignDecider:
    """Decider of one campaign."""

    def initial(self) -> Campaign:
        """Return the state before the first event."""
        return Campaign()

    def evolve(self, state: Campaign, event: DomainEvent) -> Campaign:
        """Fold one event."""
        match event:
            case CampaignOpened():
                return Campaign(opened=event)
            case CampaignClosed():
                return state.model_copy(update={"closed": True})
            case _:
                raise TypeError(f"{event.TYPE} is no event of a campaign")

    def decide(self, state: Campaign, command: Open | Close) -> list[DomainEvent] | Refusal:
        """Return the events of `command`, or why it must not be."""
        if isinstance(command, Close):
            if state.opened is None:
                return Refusal(code="campaign_unknown", message="There is no such campaign.", field="campaign")
            return [] if state.closed else [CampaignClosed()]
        wanted = command.opened
        if state.opened is not None:
            return [] if state.opened == wanted else Refusal(code="campaign_exists", message="It is already open.")
        if wanted.starts_on and wanted.ends_on and wanted.ends_on < wanted.starts_on:
            return Refusal(code="dates_reversed", message="The campaign ends before it starts.", field="ends_on")
        return [wanted]
