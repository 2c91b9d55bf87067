"""A template that is kept.

Pure. Rules:
1. It is saved as often as its authors like; each time replaces it as a whole.
2. A deleted one does not come back under its id.
3. A command repeated emits nothing.
"""

from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict

from shared.contracts.commands import Refusal
from shared.contracts.envelope import DomainEvent
from shared.contracts.saved_template import TemplateDeleted, TemplateSaved

NO_TEMPLATE = Refusal(code="template_unknown", message="There is no such template.", field="template")


class SavedTemplate(BaseModel):
    """State: what is kept, None where there is nothing (yet, or any more)."""

    model_config = ConfigDict(frozen=True)

    saved: TemplateSaved | None = None
    deleted: bool = False


@dataclass(frozen=True, slots=True)
class Save:
    """Keep it as `saved` says; `anew`: under a new id."""

    saved: TemplateSaved
    anew: bool


@dataclass(frozen=True, slots=True)
class Delete:
    """Keep it no more."""


class SavedTemplateDecider:
    """Decider of one template."""

    def initial(self) -> SavedTemplate:
        """Return the state before the first event."""
        return SavedTemplate()

    def evolve(self, state: SavedTemplate, event: DomainEvent) -> SavedTemplate:
        """Fold one event."""
        match event:
            case TemplateSaved():
                return state.model_copy(update={"saved": event})
            case TemplateDeleted():
                return SavedTemplate(deleted=True)
            case _:
                raise TypeError(f"{event.TYPE} is no event of a template")

    def decide(self, state: SavedTemplate, command: Save | Delete) -> list[DomainEvent] | Refusal:
        """Return the events of `command`, or why it must not be."""
        if isinstance(command, Delete):
            if state.saved is None and not state.deleted:
                return NO_TEMPLATE
            return [] if state.deleted else [TemplateDeleted()]
        if state.deleted or (state.saved is None and not command.anew):
            return NO_TEMPLATE
        return [] if state.saved == command.saved else [command.saved]
