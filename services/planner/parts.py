"""What the request handlers of the planner work with, put together in app.py."""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

from sqlalchemy.ext.asyncio import AsyncEngine

from services.planner.accounts.account import Account, AccountDecider
from services.planner.audience.freezing import Freezer
from services.planner.audience.version_figures import VersionFigures
from services.planner.board import Board
from services.planner.consent.opt_ins import OptIns
from services.planner.contacts.directory import Directory
from services.planner.guard import Guard
from services.planner.idempotency import Act
from services.planner.intake.imports import Importer
from services.planner.intake.producers import Intake
from services.planner.mailings.campaign import Campaign, CampaignDecider
from services.planner.mailings.dry_runs import DryRuns
from services.planner.mailings.mailing import Mailing, MailingDecider
from services.planner.mailings.orders import Command
from services.planner.mailings.test_mails import TestMails
from services.planner.planning.chunks import Planning
from services.planner.principals.passwords import Passwords
from services.planner.principals.principal import PrincipalDecider
from services.planner.principals.records import Records
from services.planner.principals.throttle import Throttle
from services.planner.settings import PlannerSettings
from shared.contracts import subjects
from shared.contracts.commands import Answer, Refusal
from shared.contracts.envelope import Commit
from shared.contracts.principal import Standing
from shared.eventlog.decider import Decider
from shared.eventlog.documents import Documents
from shared.eventlog.handling import handle
from shared.eventlog.keys import Bucket
from shared.eventlog.objects import Objects
from shared.eventlog.store import EventLog
from shared.ids import event_id
from shared.keys import KeyRing
from shared.messaging.principals import Principals

S = TypeVar("S")
C = TypeVar("C")
Ask = Callable[[str, bytes], Awaitable[bytes | None]]


_FACTS_S = 10.0


class Nudged(Protocol):
    """What works by itself, and can be told that there is something new."""

    def nudge(self) -> None:
        """Look again."""


@dataclass(frozen=True, slots=True)
class Parts:
    """The parts of a planner.

    Attributes:
        vault: `secrets` as documents, which can be erased.
        readings: How reading each mailbox stands, as trackers say it.
        ask: Asks any sender or tracker.
        series: Makes the mailings that recur.
        facts_at: Waits until the facts hold a sequence.
    """

    settings: PlannerSettings
    engine: AsyncEngine
    log: EventLog
    board: Board
    importer: Importer
    intake: Intake
    directory: Directory
    freezer: Freezer
    planning: Planning
    test_mails: TestMails
    dry_runs: DryRuns
    figures: VersionFigures
    contents: Objects
    inbox: Documents
    secrets: Bucket
    vault: Documents
    readings: Bucket
    keys: KeyRing
    guard: Guard
    principals: Principals
    records: Records
    throttle: Throttle
    opt_ins: OptIns
    ask: Ask
    facts_at: Callable[[int, float], Awaitable[None]]
    series: Nudged
    passwords: Passwords = field(default_factory=Passwords)
    freezing: dict[str, asyncio.Lock] = field(default_factory=lambda: defaultdict(asyncio.Lock))

    async def campaign(self, campaign: str) -> Campaign:
        """Return a campaign as the log has it."""
        return _folded(CampaignDecider(), await self.log.load(subjects.campaign(campaign)))

    async def account(self, account: str) -> Account:
        """Return an account as the log has it, and why its senders hold it, if they do, as the facts have it."""
        commits = await self.log.load(subjects.account(account))
        state = _folded(AccountDecider(), commits)
        if state.working:
            await self.facts_at(commits[-1].seq, _FACTS_S)  # a good test ends what its senders held it for
            state = state.model_copy(update={"held": await self.board.pause_of(account)})
        return state

    async def principal(self, who: str) -> Standing:
        """Return where a principal stands, as the log has it."""
        return _folded(PrincipalDecider(), await self.log.load(subjects.principal(who)))

    async def mailing(self, mailing: str) -> Mailing:
        """Return a mailing as the log has it."""
        return _folded(MailingDecider(), await self.log.load(subjects.mailing(mailing)))

    async def account_of(self, state: Mailing) -> Account:
        """Return the account a mailing sends with; an empty one where there is no mailing."""
        return Account() if state.draft is None else await self.account(state.draft.account)

    async def committed(self, act: Act, subject: str) -> bool:
        """Tell whether the act already has its commit on this subject."""
        first = event_id(act.command_id, 0)
        return any(commit.events[0].id == first for commit in await self.log.load(subject))

    async def order(self, act: Act, mailing: str, order: Command) -> Answer | Refusal:
        """Carry out an order on a mailing; the answer holds its status."""
        result = await handle(self.log, MailingDecider(), subjects.mailing(mailing), order, act.origin(mailing))
        if isinstance(result, Refusal):
            return result
        return Answer(ok=True, position=result.seq, data={"mailing": mailing, "status": result.state.status})


def _folded(decider: Decider[S, C], commits: list[Commit]) -> S:
    state = decider.initial()
    for commit in commits:
        for record in commit.events:
            state = decider.evolve(state, record.event)
    return state
