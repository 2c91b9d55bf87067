"""The state of one mailing: what its events add up to. Pure; the decisions about it are in mailing.py."""

import hashlib
from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict

from services.planner.audience import choosing
from services.planner.mailings.approval import plan_of
from shared.contracts import windows
from shared.contracts.account import Limits
from shared.contracts.envelope import DomainEvent
from shared.contracts.mailing import (
    ApprovalWithdrawn,
    AudienceFrozen,
    DoubtDecided,
    DryRunFinished,
    MailingApproved,
    MailingCancelled,
    MailingCompleted,
    MailingDeleted,
    MailingDrafted,
    MailingEdited,
    MailingFailed,
    MailingPaused,
    MailingResumed,
    MailingScheduled,
    MailingUnscheduled,
    RateChanged,
    RecipientAdded,
    RecipientRemoved,
    SampleSent,
    SendingStarted,
    SourcesChosen,
    TestSent,
    WindowClosed,
    WindowOpened,
    WinnerChosen,
)
from shared.contracts.mailing_settings import DRAFT_ITSELF, DoubtDecision

Status = Literal[
    "none", "planned", "scheduled", "sending", "waiting", "paused", "failed", "completed", "cancelled", "deleted"
]
FINAL: tuple[Status, ...] = ("completed", "cancelled", "deleted")


class Mailing(BaseModel):
    """State of one mailing. `waiting` is shown as Scheduled: its window is closed.

    Attributes:
        until: End of the open window, None where there are no sending hours.
        opens: When the next window opens, while `waiting`.
        may_be_late: Somebody resumed it before it started, so its start is wanted, however late.
        dry_run: The last one that made every mail of this content for this audience.
        sampled: The sample of its A/B test was sent; `decides_at` tells when it is judged, where time decides.
        winner: The version that the rest gets, "" while none was chosen.
        approved: The plan that was approved, "" where none is.
        decided: What was decided on doubts: (chunk, packed indexes, decision).
    """

    model_config = ConfigDict(frozen=True)

    status: Status = "none"
    draft: MailingDrafted | None = None
    audience: AudienceFrozen | None = None
    chosen: choosing.Chosen = choosing.Chosen()
    schedule: MailingScheduled | None = None
    dry_run: DryRunFinished | None = None
    decides_at: datetime | None = None
    sampled: bool = False
    winner: str = ""
    started: bool = False
    until: datetime | None = None
    opens: datetime | None = None
    resumes: int = 0
    may_be_late: bool = False
    approved: str = ""
    limits: Limits = Limits()
    tests: tuple[str, ...] = ()
    decided: tuple[tuple[int, str, DoubtDecision], ...] = ()
    reason: str = ""

    @property
    def due(self) -> datetime | None:
        """When the next thing happens by itself, None while nothing will."""
        if self.status == "scheduled" and self.schedule is not None:
            return windows.start(self.schedule, self.zones)
        return {"sending": self.until, "waiting": self.opens}.get(self.status)

    @property
    def plan(self) -> str:
        """The plan as it is now, "" where it is not whole."""
        return plan_of(self.draft, self.audience, self.schedule, self.dry_run)

    @property
    def forbidden(self) -> bool:
        """Whether it must not start as it is planned: somebody has to approve of it."""
        return self.schedule is not None and self.schedule.approval and self.approved != self.plan

    @property
    def testing(self) -> bool:
        """Whether only the sample of an A/B test may be planned."""
        return self.draft is not None and self.draft.ab_test is not None and not self.winner

    @property
    def versions(self) -> dict[str, str]:
        """The contents of all versions by letter, the draft itself first; of most mailings there is that alone."""
        if self.draft is None:
            return {}
        others = self.draft.ab_test.versions if self.draft.ab_test is not None else {}
        return {DRAFT_ITSELF: self.draft.content, **{letter: others[letter].content for letter in sorted(others)}}

    def contents(self, version: str) -> dict[str, str]:
        """Return what recipients of a version get, "" being the rest: all that may be, while no winner is known."""
        one = version or self.winner
        return {one: self.versions[one]} if one else self.versions

    @property
    def said(self) -> str:
        """What it says in all versions, as one hash."""
        one, *others = self.versions.values()
        return hashlib.sha256("".join([one, *others]).encode()).hexdigest() if others else one

    @property
    def pinned(self) -> str:
        """The dry run whose data of the recipients are sent, as they were approved; "" where those of the day are."""
        held = self.dry_run is not None and self.dry_run.kept and bool(self.approved) and self.approved == self.plan
        return self.dry_run.run if held and self.dry_run else ""

    @property
    def zones(self) -> tuple[str, ...]:
        """The time zones whose windows are its own: those of its recipients, or that of its schedule."""
        own = self.schedule.zone if self.schedule else "UTC"
        if self.draft is None or not self.draft.recipient_time or self.audience is None:
            return (own,)
        return tuple(dict.fromkeys(zone or own for zone in self.audience.zones)) or (own,)


def changes(state: Mailing, event: DomainEvent) -> dict[str, object]:
    """Return what an event changes in the state."""
    match event:
        case MailingDrafted():
            return {"status": "planned", "draft": event, "limits": event.limits}
        case MailingEdited():
            campaign = state.draft.campaign if state.draft else ""
            draft = MailingDrafted(
                campaign=campaign, **{name: getattr(event, name) for name in type(event).model_fields}
            )
            return {"draft": draft, "limits": event.limits, "audience": None, "dry_run": None}
        case SourcesChosen() | RecipientAdded() | RecipientRemoved():
            return {"chosen": choosing.evolve(state.chosen, event), "audience": None, "dry_run": None}
        case AudienceFrozen() | DryRunFinished() | SampleSent() | WinnerChosen():
            return _found(state, event)
        case TestSent():
            return {"tests": (*state.tests, event.test)}
        case RateChanged():
            return {"limits": event.limits}
        case MailingApproved():
            return {"approved": event.plan}
        case ApprovalWithdrawn():
            return {"approved": ""}
        case DoubtDecided():
            return {"decided": (*state.decided, (event.n, event.indexes, event.decision))}
        case _:
            return _moves(state, event)


def _found(state: Mailing, event: AudienceFrozen | DryRunFinished | SampleSent | WinnerChosen) -> dict[str, object]:
    match event:
        case AudienceFrozen():
            same = state.dry_run is not None and state.dry_run.object == event.object
            return {"audience": event, "dry_run": state.dry_run if same else None}
        case DryRunFinished():
            return {"dry_run": event}
        case SampleSent():
            return {"sampled": True, "decides_at": event.decides_at}
        case WinnerChosen():
            return {"winner": event.version, "decides_at": None}


def _moves(state: Mailing, event: DomainEvent) -> dict[str, object]:  # noqa: C901 - one return a rule
    match event:
        case MailingScheduled():
            return {"status": "scheduled", "schedule": event, "may_be_late": False}
        case MailingUnscheduled():
            return {"status": "planned", "schedule": None}
        case SendingStarted():
            return {"status": "sending", "started": True, "until": event.until}
        case WindowClosed():
            return {"status": "waiting", "until": None, "opens": event.opens}
        case WindowOpened():
            return {"status": "sending", "until": event.until, "opens": None}
        case MailingPaused():
            return {"status": "paused", "reason": event.reason}
        case MailingResumed():
            status = "sending" if state.started else "scheduled"
            again = {"resumes": state.resumes + 1, "reason": "", "may_be_late": True}
            return {"status": status, "until": event.until, "opens": None, **again}
        case MailingFailed():
            return {"status": "failed", "reason": event.reason}
        case MailingCompleted():
            return {"status": "completed"}
        case MailingCancelled():
            return {"status": "cancelled", "reason": event.reason}
        case MailingDeleted():
            return {"status": "deleted"}
        case _:
            raise TypeError(f"{event.TYPE} is no event of a mailing")
