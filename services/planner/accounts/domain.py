"""The domain that mail is sent from: which keys it has, and which of them sign.

Pure. Rules:
1. A selector names one key for good: receivers may still ask for it years later.
2. A key signs when it is told to, after its record was published; one of each algorithm at most signs, so the next one
   takes the place of the one before.
3. A retired key signs no further chunk and never comes back.
4. A command repeated emits nothing.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from pydantic import BaseModel, ConfigDict

from shared.contracts.commands import Refusal
from shared.contracts.domain import DomainKeyAdded, DomainKeyRetired, DomainKeyUsed, SigningAlgorithm
from shared.contracts.envelope import Commit, DomainEvent

Standing = Literal["waiting", "signing", "replaced", "retired"]


class Key(BaseModel):
    """One key: its algorithm, its record, where it stands."""

    model_config = ConfigDict(frozen=True)

    algorithm: SigningAlgorithm
    record: str
    standing: Standing = "waiting"


class Domain(BaseModel):
    """State: the keys by selector, in the order in which they came."""

    model_config = ConfigDict(frozen=True)

    name: str = ""
    keys: dict[str, Key] = {}

    @property
    def selectors(self) -> list[str]:
        """The selectors that a chunk planned now is signed with: RSA first, which every receiver knows."""
        signing = [(key.algorithm != "rsa", name) for name, key in self.keys.items() if key.standing == "signing"]
        return [name for _, name in sorted(signing)]


@dataclass(frozen=True, slots=True)
class Add:
    """Add the key."""

    added: DomainKeyAdded


@dataclass(frozen=True, slots=True)
class Use:
    """Sign with it from now on."""

    selector: str


@dataclass(frozen=True, slots=True)
class Retire:
    """Sign with it no more."""

    selector: str


class DomainDecider:
    """Decider of the keys of one domain."""

    def initial(self) -> Domain:
        """Return the state before the first event."""
        return Domain()

    def evolve(self, state: Domain, event: DomainEvent) -> Domain:
        """Fold one event."""
        keys = dict(state.keys)
        match event:
            case DomainKeyAdded():
                keys[event.selector] = Key(algorithm=event.algorithm, record=event.record)
                return Domain(name=event.domain, keys=keys)
            case DomainKeyUsed():
                algorithm = keys[event.selector].algorithm
                for name, key in state.keys.items():
                    if key.standing == "signing" and key.algorithm == algorithm:
                        keys[name] = key.model_copy(update={"standing": "replaced"})
                keys[event.selector] = keys[event.selector].model_copy(update={"standing": "signing"})
            case DomainKeyRetired():
                keys[event.selector] = keys[event.selector].model_copy(update={"standing": "retired"})
            case _:
                raise TypeError(f"{event.TYPE} is no event of a domain")
        return state.model_copy(update={"keys": keys})

    def decide(self, state: Domain, command: Add | Use | Retire) -> list[DomainEvent] | Refusal:
        """Return the events of `command`, or why it must not be."""
        if isinstance(command, Add):
            return _add(state, command.added)
        key = state.keys.get(command.selector)
        if key is None:
            return Refusal(code="key_unknown", message="The domain has no such key.", field="selector")
        if isinstance(command, Retire):
            return [] if key.standing == "retired" else [DomainKeyRetired(selector=command.selector)]
        if key.standing == "retired":
            return Refusal(code="key_retired", message="It was retired: add a key with a new selector.")
        return [] if key.standing == "signing" else [DomainKeyUsed(selector=command.selector)]


def folded(commits: Iterable[Commit]) -> Domain:
    """Return the domain that these commits make."""
    decider = DomainDecider()
    state = decider.initial()
    for commit in commits:
        for record in commit.events:
            state = decider.evolve(state, record.event)
    return state


def _add(state: Domain, wanted: DomainKeyAdded) -> list[DomainEvent] | Refusal:
    before = state.keys.get(wanted.selector)
    if before is None:
        return [wanted]
    if before.record == wanted.record and before.standing != "retired":
        return []
    message = "This selector names another key of the domain: choose a new one."
    return Refusal(code="selector_used", message=message, field="selector")
