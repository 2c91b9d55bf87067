"""The campaign: the container of mailings.

Pure. Rules:
1. A campaign is opened once, on one or more lists that exist (the caller names them by id); it ends after it starts.
2. It is edited as a whole until it is deleted; what was scheduled before keeps its dates.
3. It takes mailings while it is open and ends after today; its dates bound when they go out.
4. A closed campaign takes no more mailings, and stays closed.
5. It is deleted (hidden, its history kept) when none of its mailings goes out or will; then nothing more is done to it.
6. A command repeated emits nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from pydantic import BaseModel, ConfigDict

from shared.contracts.campaign import (
    CampaignClosed,
    CampaignDeleted,
    CampaignEdited,
    CampaignOpened,
    CampaignSettings,
)
from shared.contracts.commands import Refusal
from shared.contracts.envelope import DomainEvent


class Campaign(BaseModel):
    """State of one campaign; `opened` is None while there is none."""

    model_config = ConfigDict(frozen=True)

    opened: CampaignSettings | None = None
    closed: bool = False
    deleted: bool = False

    def refusal(self, today: date) -> Refusal | None:
        """Return why it takes no mailing on a day, None if it does."""
        if self.opened is None:
            return Refusal(code="campaign_unknown", message="There is no such campaign.", field="campaign")
        if self.deleted:
            return Refusal(code="campaign_deleted", message="The campaign was deleted.", field="campaign")
        if self.closed:
            return Refusal(code="campaign_closed", message="The campaign takes no more mailings.", field="campaign")
        if self.opened.ends_on is not None and self.opened.ends_on <= today:
            message = f"The campaign ends on {self.opened.ends_on}: it takes no more mailings."
            return Refusal(code="campaign_ended", message=message, field="campaign")
        return None


@dataclass(frozen=True, slots=True)
class Open:
    """Open it as `opened` says."""

    opened: CampaignOpened


@dataclass(frozen=True, slots=True)
class Edit:
    """Replace what it is."""

    edited: CampaignEdited


@dataclass(frozen=True, slots=True)
class Close:
    """Take no more mailings."""


@dataclass(frozen=True, slots=True)
class Delete:
    """Hide it. `running`: those of its mailings that go out or will."""

    running: Sequence[str] = ()


Command = Open | Edit | Close | Delete


class CampaignDecider:
    """Decider of one campaign."""

    def initial(self) -> Campaign:
        """Return the state before the first event."""
        return Campaign()

    def evolve(self, state: Campaign, event: DomainEvent) -> Campaign:
        """Fold one event."""
        match event:
            case CampaignOpened() | CampaignEdited():
                return state.model_copy(update={"opened": _settings(event)})
            case CampaignClosed():
                return state.model_copy(update={"closed": True})
            case CampaignDeleted():
                return state.model_copy(update={"deleted": True})
            case _:
                raise TypeError(f"{event.TYPE} is no event of a campaign")

    def decide(self, state: Campaign, command: Command) -> list[DomainEvent] | Refusal:
        """Return the events of `command`, or why it must not be."""
        if isinstance(command, Open):
            return _open(state, command.opened)
        if state.opened is None:
            return Refusal(code="campaign_unknown", message="There is no such campaign.", field="campaign")
        if state.deleted:
            gone = Refusal(code="campaign_deleted", message="The campaign was deleted.", field="campaign")
            return [] if isinstance(command, Delete) else gone
        match command:
            case Edit(edited=edited):
                return [] if state.opened == _settings(edited) else _problem(edited) or [edited]
            case Close():
                return [] if state.closed else [CampaignClosed()]
            case Delete(running=running):
                if running:
                    message = f"Cancel its mailings first: {', '.join(running)} would go on."
                    return Refusal(code="campaign_running", message=message, field="campaign")
                return [CampaignDeleted()]


def _open(state: Campaign, wanted: CampaignOpened) -> list[DomainEvent] | Refusal:
    if state.opened is not None:
        same = state.opened == _settings(wanted)
        return [] if same else Refusal(code="campaign_exists", message="It is already open.")
    return _problem(wanted) or [wanted]


def _problem(wanted: CampaignSettings) -> Refusal | None:
    if wanted.starts_on and wanted.ends_on and wanted.ends_on < wanted.starts_on:
        return Refusal(code="dates_reversed", message="The campaign ends before it starts.", field="ends_on")
    return None


def _settings(event: CampaignSettings) -> CampaignSettings:
    return CampaignSettings.model_validate(event.model_dump())
