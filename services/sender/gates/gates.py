"""May this mailing, this account be sent just now? Small in-memory views of evt.mailing, evt.account and evt.relay.

Commits of the follower come in; gates go out. A mailing is loaded when its first job arrives and followed from then on;
what the follower delivers while it is being loaded is kept and applied after. `version` moves with every change, so a
connection only looks closer when something happened. Nothing here is durable: after a restart it is read again.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime

from shared.contracts import subjects
from shared.contracts.account import AccountAdded, AccountEdited, AccountSettings, AccountTested, Limits
from shared.contracts.envelope import Commit, DomainEvent
from shared.contracts.mailing import (
    DoubtDecided,
    MailingCancelled,
    MailingCompleted,
    MailingDrafted,
    MailingEdited,
    MailingFailed,
    MailingPaused,
    MailingResumed,
    MailingScheduled,
    RateChanged,
    SendingStarted,
    WindowClosed,
    WindowOpened,
)
from shared.contracts.relay import (
    EVERYTHING,
    AccountPaused,
    AccountReleased,
    ProviderReleased,
    ProviderSlowed,
    ProviderSuspended,
)

Load = Callable[[str], Awaitable[list[Commit]]]


@dataclass(slots=True)
class MailingGate:
    """What a sender needs to know of a mailing.

    Attributes:
        sending: Its mails may go out (inside `until`, where that is set).
        why: Why they may not.
        cancelled: Id of the event that cancelled it, "" while it is not.
        decisions: DoubtDecided by event id.
        scheduled: Its start and hours, by which chunks with a time zone of their own are judged.
    """

    mailing: str
    seq: int = 0
    sending: bool = False
    why: str = "not started"
    until: datetime | None = None
    cancelled: str = ""
    limits: Limits = field(default_factory=Limits)
    decisions: dict[str, DoubtDecided] = field(default_factory=dict)
    scheduled: MailingScheduled | None = None

    def apply(self, commit: Commit) -> None:
        """Fold one commit; what was folded before is passed over."""
        if commit.seq <= self.seq:
            return
        self.seq = commit.seq
        for record in commit.events:
            self._apply(record.event, record.id)

    def _apply(self, event: DomainEvent, event_id: str) -> None:
        match event:
            case MailingDrafted() | MailingEdited() | RateChanged():
                self.limits = event.limits
            case MailingScheduled():
                self.scheduled = event
            case SendingStarted() | WindowOpened() | MailingResumed():
                self.sending, self.why, self.until = True, "", event.until
            case WindowClosed():
                self.sending, self.why = False, "window closed"
            case MailingPaused():
                self.sending, self.why = False, "paused"
            case MailingFailed():
                self.sending, self.why = False, "failed"
            case MailingCancelled():
                self.sending, self.why, self.cancelled = False, "cancelled", event_id
            case MailingCompleted():
                self.sending, self.why = True, ""
            case DoubtDecided():
                self.decisions[event_id] = event
            case _:
                pass


@dataclass(slots=True)
class AccountGate:
    """What a sender needs to know of an SMTP account.

    Attributes:
        paused: Why it may not be used, "" when it may.
        released: Id of the good test that ended a pause or a suspension, until that is told on evt.relay.
        slowed: The last slow-down by provider; whether it still holds is a matter of time.
        suspended: The last suspension by provider, EVERYTHING for the whole account.
    """

    account: str
    settings: AccountSettings
    seq: int = 0
    paused: str = ""
    released: str = ""
    slowed: dict[str, ProviderSlowed] = field(default_factory=dict)
    suspended: dict[str, ProviderSuspended] = field(default_factory=dict)

    def apply(self, event: DomainEvent, event_id: str) -> None:
        """Fold one event of evt.account or evt.relay."""
        match event:
            case AccountEdited():
                self.settings = event
            case AccountPaused():
                self.paused = event.reason
            case AccountReleased():
                self.paused = self.released = ""
            case AccountTested(working=True) if self.paused or self.suspended:
                self.paused, self.released = "", event_id
                self.suspended.clear()
            case ProviderSlowed():
                self.slowed[event.provider] = event
            case ProviderSuspended():
                self.suspended[event.provider] = event
            case ProviderReleased(provider=provider, what=what):
                (self.slowed if what == "slowed" else self.suspended).pop(provider, None)
            case _:
                pass

    def held(self, provider: str, at: datetime) -> ProviderSuspended | None:
        """Return the suspension under which nothing may go to a provider, None where there is none."""
        found = [self.suspended[of] for of in (EVERYTHING, provider) if of in self.suspended]
        return max((each for each in found if each.until > at), key=lambda each: each.until, default=None)

    def slow(self, provider: str, at: datetime) -> Limits | None:
        """Return the limits of a provider that is slowed at `at`; they come on top of all others."""
        event = self.slowed.get(provider)
        rate = event.rate(at) if event is not None else None
        return None if rate is None else Limits(per_hour=rate)

    def over(self, at: datetime) -> bool:
        """Whether something here is over by the clock, and not yet said to be."""
        return any(event.rate(at) is None for event in self.slowed.values()) or any(
            event.until <= at for event in self.suspended.values()
        )


class Gates:
    """All gates of this process; `apply` is the follower's, the rest is asked by workers."""

    def __init__(self, load: Load) -> None:
        """Take the function that loads the commits of one subject."""
        self.version = 0
        self.accounts: dict[str, AccountGate] = {}
        self._load = load
        self._mailings: dict[str, MailingGate] = {}
        self._loading: dict[str, list[Commit]] = {}

    def apply(self, commit: Commit) -> None:
        """Take one commit in."""
        kind, _, entity = commit.subject.removeprefix("evt.").partition(".")
        if kind == "mailing":
            self._apply_mailing(entity, commit)
        elif kind in ("account", "relay"):
            self._apply_account(entity, commit)
        self.version += 1

    async def mailing(self, mailing_id: str) -> MailingGate:
        """Return the gate of a mailing, loading it the first time."""
        gate = self._mailings.get(mailing_id)
        if gate is not None:
            return gate
        kept = self._loading.setdefault(mailing_id, [])
        commits = await self._load(subjects.mailing(mailing_id))
        gate = self._mailings.setdefault(mailing_id, MailingGate(mailing_id))
        self._loading.pop(mailing_id, None)
        for commit in (*commits, *kept):
            gate.apply(commit)
        return gate

    def _apply_mailing(self, mailing_id: str, commit: Commit) -> None:
        if (gate := self._mailings.get(mailing_id)) is not None:
            gate.apply(commit)
        elif (kept := self._loading.get(mailing_id)) is not None:
            kept.append(commit)

    def _apply_account(self, account_id: str, commit: Commit) -> None:
        for record in commit.events:
            event = record.event
            if isinstance(event, AccountAdded):
                self.accounts.setdefault(account_id, AccountGate(account_id, event, commit.seq))
            gate = self.accounts.get(account_id)
            if gate is None or commit.seq < gate.seq:
                continue
            gate.seq = commit.seq
            gate.apply(event, record.id)
