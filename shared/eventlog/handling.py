"""Carry out a command on an entity: load its history, fold it, let its decider decide, append what was decided.

Where somebody else appended meanwhile, it is read on and decided anew. A command id that already stands in the history
is answered with the commit it made, so a command may come any number of times (G12). Errors of the log go to the
caller, who may send the same command again.
"""

import asyncio
import random
from dataclasses import dataclass
from typing import Generic, TypeVar

from shared.contracts.commands import Refusal
from shared.contracts.envelope import Commit, DomainEvent, Origin
from shared.eventlog.decider import Decider
from shared.eventlog.errors import WrongVersionError
from shared.eventlog.store import EventLog
from shared.ids import event_id

S = TypeVar("S")
C = TypeVar("C")

_LONGEST_PAUSE = 0.05

_jitter = random.SystemRandom()


@dataclass(frozen=True, slots=True)
class Handled(Generic[S]):
    """The command was carried out.

    Attributes:
        seq: Sequence of its commit, or of the entity's last commit where nothing was left to do; 0 if it has none.
        events: What it caused; empty where nothing was left to do.
        state: The entity as it stands now.
    """

    seq: int
    events: tuple[DomainEvent, ...]
    state: S


def _commit_of(command_id: str, commits: list[Commit]) -> Commit | None:
    first_id = event_id(command_id, 0)
    return next((commit for commit in commits if commit.events[0].id == first_id), None)


async def handle(
    log: EventLog, decider: Decider[S, C], subject: str, command: C, origin: Origin, *, attempts: int = 8
) -> Handled[S] | Refusal:
    """Carry out `command` on the entity `subject`.

    Raises:
        WrongVersionError: Others were faster `attempts` times.
        UnknownOutcomeError: See `EventLog.append`.
    """
    state, seq = decider.initial(), 0
    for attempt in range(1, attempts + 1):
        commits = await log.load(subject, after=seq)
        for commit in commits:
            for record in commit.events:
                state = decider.evolve(state, record.event)
            seq = commit.seq
        if done := _commit_of(origin.command_id, commits):
            return Handled(done.seq, tuple(record.event for record in done.events), state)
        decision = decider.decide(state, command)
        if isinstance(decision, Refusal):
            return decision
        if not decision:
            return Handled(seq, (), state)
        try:
            committed = await log.append(subject, decision, expected=seq, origin=origin)
        except WrongVersionError:  # read on and decide anew, unless it happened too often
            if attempt == attempts:
                raise
            await asyncio.sleep(_jitter.uniform(0, _LONGEST_PAUSE))
            continue
        for event in decision:
            state = decider.evolve(state, event)
        return Handled(committed, tuple(decision), state)
    raise ValueError(f"{attempts} attempts are none")
