"""What was chosen of a mailing's audience: its sources, and recipients added and removed one by one. Pure.

Rules:
1. Lists are those of the campaign; where nothing else gives anybody, at least one of them is needed.
2. The last word on a contact holds: whoever was removed and is added again gets it.
3. At most `MOST` are chosen one by one; for more there are lists.
4. A command repeated emits nothing.
"""

from pydantic import BaseModel, ConfigDict

from services.planner.mailings.orders import AddRecipients, Choose, RemoveRecipients
from shared.contracts.commands import Refusal
from shared.contracts.envelope import DomainEvent
from shared.contracts.mailing import RecipientAdded, RecipientRemoved, SourcesChosen
from shared.contracts.sources import Sources

MOST = 5_000


class Chosen(BaseModel):
    """The choice as it stands."""

    model_config = ConfigDict(frozen=True)

    sources: Sources = Sources()
    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()

    @property
    def plain(self) -> bool:
        """Whether nothing but lists of the campaign gives the audience."""
        return self.sources.only_lists and not self.added and not self.removed


def evolve(chosen: Chosen, event: DomainEvent) -> Chosen:
    """Fold one event."""
    match event:
        case SourcesChosen():
            return chosen.model_copy(update={"sources": event.sources})
        case RecipientAdded():
            added, removed = _with(chosen.added, event.contacts), _without(chosen.removed, event.contacts)
            return chosen.model_copy(update={"added": added, "removed": removed})
        case RecipientRemoved():
            added, removed = _without(chosen.added, event.contacts), _with(chosen.removed, event.contacts)
            return chosen.model_copy(update={"added": added, "removed": removed})
        case _:
            return chosen


def decide(chosen: Chosen, command: Choose | AddRecipients | RemoveRecipients) -> list[DomainEvent] | Refusal:
    """Return the events of `command`, or why it must not be."""
    match command:
        case Choose():
            return _choose(chosen, command)
        case AddRecipients():
            new = [contact for contact in command.contacts if contact not in chosen.added]
            made: DomainEvent = RecipientAdded(contacts=new)
        case RemoveRecipients():
            new = [contact for contact in command.contacts if contact not in chosen.removed]
            made = RecipientRemoved(contacts=new)
    after = evolve(chosen, made)
    if len(after.added) + len(after.removed) > MOST:
        message = f"At most {MOST} are chosen one by one: import a list and choose it."
        return Refusal(code="too_many_by_hand", message=message)
    return [made] if new else []


def _choose(chosen: Chosen, command: Choose) -> list[DomainEvent] | Refusal:
    wanted = command.sources
    if strange := [each for each in wanted.lists or () if each not in command.lists]:
        message = f"The campaign has no list {', '.join(strange)}."
        return Refusal(code="list_not_in_campaign", message=message, field="lists")
    others = wanted.mailings or wanted.activities or chosen.added
    if wanted.lists == [] and not others and (wanted.helper is None or wanted.helper.mode == "only"):
        message = "Nobody would get it: choose a list of the campaign or another source."
        return Refusal(code="sources_empty", message=message, field="lists")
    return [] if wanted == chosen.sources else [SourcesChosen(sources=wanted)]


def _with(before: tuple[str, ...], contacts: list[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*before, *contacts)))


def _without(before: tuple[str, ...], contacts: list[str]) -> tuple[str, ...]:
    gone = set(contacts)
    return tuple(contact for contact in before if contact not in gone)
