"""A half-window: recipients rendered, claimed and confirmed together, and the guard that may still hold one back.

The guard is asked right before each envelope and each body, so nothing goes out under a claim that is over (G2). It is
cheap while nothing changes: a clock reading and two version numbers; only when a pause, an opt-out or the like came in
does it look at the mailing and the address.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from services.sender.chunks.case import Case
from services.sender.chunks.settle import SKIP
from services.sender.gates.gates import AccountGate, Gates, MailingGate
from services.sender.gates.suppression import Suppression
from services.sender.journal.journal import Claim
from services.sender.limits.spacing import Slot
from services.sender.smtp.window import Mail
from services.sender.work.spans import Phases
from shared.clock import boot_seconds, now
from shared.contracts.sending import Group
from shared.contracts.windows import Window, window_in
from shared.providers import BUILT_IN, Providers

CLAIM_OVER = "claim over"
SLOT_VOID = "slot void"
DOMAIN_FULL = "domain full"
DRAINING = "draining"
WINDOW_CLOSED = "window closed"
SUSPENDED = "suspended"
DEADLINE_PASSED = "deadline passed"

ENDED = (DRAINING, DEADLINE_PASSED)
"""What holds a chunk back and is to be looked at anew at once: by another worker, or to have the rest expire."""


@dataclass(slots=True)
class Draining:
    """Set once, when the process is told to end: nothing new is begun."""

    asked: bool = False


@dataclass(slots=True)
class Watch:
    """What may forbid a mail of one chunk: the gates of mailing and account, suppression, the end of the process."""

    case: Case
    gates: Gates
    mailing: MailingGate | None
    account: AccountGate
    suppression: Suppression
    draining: Draining
    server_now: Callable[[], float]
    providers: Providers = BUILT_IN
    own_window: Window | None = None

    def closed(self) -> str:
        """Return why nothing of this chunk may go out now, "" when it may."""
        if self.draining.asked:
            return DRAINING
        if self.account.paused:
            return f"account paused: {self.account.paused}"
        if self.account.suspended and self.account.held(self.case.ref.lane, now()) is not None:
            return SUSPENDED
        if self.mailing is None:
            return ""
        if not self.mailing.sending:
            return self.mailing.why
        if self.mailing.until is not None and now() >= self.mailing.until:
            return WINDOW_CLOSED
        if (window := self._zone_window()) is not None and not window.holds(now()):
            return WINDOW_CLOSED
        if self.case.plan.expires_at is not None and now() >= self.case.plan.expires_at:
            return DEADLINE_PASSED
        return ""

    @property
    def shaped(self) -> bool:
        """Whether any provider is slowed or suspended."""
        return bool(self.account.slowed or self.account.suspended)

    def provider(self, index: int) -> str:
        """Return whose mail that to recipient `index` is."""
        row = self.case.rows[index]
        return self.providers.of_mail(self.case.ref.lane, row.address, row.provider)

    def suspended(self, index: int) -> bool:
        """Tell whether mail to recipient `index` has to wait for the end of a suspension."""
        return bool(self.account.suspended) and self.account.held(self.provider(index), now()) is not None

    def reopens(self) -> datetime | None:
        """Return when a suspension ends that keeps all of this chunk, or its zone opens; None where neither does."""
        event = self.account.held(self.case.ref.lane, now())
        if event is not None:
            return event.until
        window = self._zone_window() if self.mailing is not None and self.mailing.sending else None
        return window.opens if window is not None and not window.holds(now()) else None

    def _zone_window(self) -> Window | None:
        """Return the window of the zone in which all recipients of this chunk live, None where the mailing's holds."""
        if not self.case.plan.zone or self.mailing is None or self.mailing.scheduled is None:
            return None
        at = now()
        if self.own_window is None or (self.own_window.closes is not None and self.own_window.closes <= at):
            self.own_window = window_in(self.mailing.scheduled, self.case.plan.zone, at)
        return self.own_window

    def blocked(self, index: int) -> str:
        """Return the id of the event that forbids mail to recipient `index`, "" where none does."""
        row = self.case.rows[index]
        return self.suppression.blocks(row.address_key, row.lists, self.case.plan.checked)

    def sift(self, indexes: Sequence[int]) -> tuple[list[int], list[Group]]:
        """Part claimed recipients into those who may be sent and the groups of those who are skipped."""
        if not self.suppression:
            return list(indexes), []
        causes = {index: cause for index in indexes if (cause := self.blocked(index))}
        skipped = [Group(outcome="skipped", indexes=str(index), cause=cause) for index, cause in causes.items()]
        return [index for index in indexes if index not in causes], skipped

    @property
    def timed(self) -> bool:
        """Whether time alone may forbid a mail."""
        plan = self.case.plan
        by_clock = plan.expires_at is not None or bool(plan.zone)
        return by_clock or (self.mailing is not None and self.mailing.until is not None)


@dataclass(slots=True)
class Guard:
    """Says of one recipient why it must not be sent now, None when it may; made when its half-window is confirmed.

    Attributes:
        slots: When each may go out, where a rate is kept.
        gates_seen: Version of the gates, and `consent_seen` that of consent, of which the half-window was held free.
        begun: Whose envelope is out.
        timed: Time alone may forbid a mail, with no news of the gates.
        departs: Asked of each right before its envelope where domains are limited.
    """

    watch: Watch
    valid_until: float
    slots: dict[int, Slot] = field(default_factory=dict)
    gates_seen: int = -1
    consent_seen: int = -1
    begun: set[int] = field(default_factory=set)
    timed: bool = False
    departs: Callable[[int], bool] | None = None

    def __call__(self, index: int) -> str | None:
        """Return the reason to hold recipient `index` back."""
        watch = self.watch
        if boot_seconds() > self.valid_until:
            return CLAIM_OVER
        # A slot is kept by when the envelope goes out: how long the relay takes over it is not our rate.
        if (self.slots or self.departs) and index not in self.begun:
            if self.slots and watch.server_now() > self.slots[index].void_after:
                return SLOT_VOID
            if self.departs is not None and not self.departs(index):
                return DOMAIN_FULL
            self.begun.add(index)
        news = watch.gates.version != self.gates_seen
        if (news or self.timed or watch.draining.asked) and (why := watch.closed()):
            return why
        if news and watch.suspended(index):
            return SUSPENDED
        if watch.suppression.version != self.consent_seen and (cause := watch.blocked(index)):
            return SKIP + cause
        return None


@dataclass(slots=True)
class Flight:
    """A half-window on its way: its recipients, their mails, its guard, its page of the journal, its phases so far."""

    claimed: list[int]
    mails: list[Mail]
    guard: Guard
    witness: Claim
    phases: Phases
