"""The mailing: planned, scheduled, sending, completed; the decisions about it and nothing else.

Pure: the caller puts every fact a decision needs (time, account, campaign, frozen audience, doubts) into the command.
Rules:
1. Planned -> scheduled -> sending -> completed. While a window is closed it waits; paused, failed and cancelled are
   its other states. Cancelled and completed are final (a doubt may still be decided on).
2. It is drafted and edited on a campaign that takes mailings, by a tested, working account, as one of that account's
   senders. It goes out between the dates of its campaign.
3. It is edited until sending starts; an edit drops the frozen audience and withdraws the start.
4. The audience is frozen while it is planned, as often as wanted; it is fixed once a start is set. Until then its
   sources are chosen and recipients added and removed, each of which drops what was frozen (`choosing`).
5. A start needs at least one frozen recipient, a working account, a known zone and an instant that is not past.
6. `Tick` does what is due by its instant: start, open, close. A start outside the sending hours waits for them. Where
   contacts have it at their own time, it starts and is open while it is in any of their zones.
   One that is found too late goes out, is paused or cancelled, as its schedule says.
7. Pause and resume keep whether it had started. Resume reopens or waits, as the hours say, and needs the account.
8. It completes only when the caller shows that every chunk of the audience is finished.
9. It is deleted (hidden) only while nothing is or will be going out.
10. It pauses by itself when the caller shows that its thresholds were passed, once for each resume.
11. Where its campaign asks for it, it starts only as somebody approved of it who did not make it; a change of content,
    audience or schedule withdraws that. Without an approval it is paused at its start, and goes on by it.
12. A dry run is of the content and the audience as they are, before the start; an approval holds what it found, so
    none ends while one stands.
13. With an A/B test a start needs a recipient for each version. Until the winner is chosen only the sample goes out. It
    is chosen once: by hand at any time from the start on, or by time while it is sending, or when its deadline comes.
14. A command repeated emits nothing.
"""

from datetime import timedelta

from services.planner.audience import choosing
from services.planner.mailings import schedule
from services.planner.mailings.ab_test import best
from services.planner.mailings.approval import NOT_APPROVED
from services.planner.mailings.mailing_state import FINAL, Mailing, Status, changes
from services.planner.mailings.orders import (
    AddRecipients,
    Approve,
    Cancel,
    Choose,
    ChooseVersion,
    Command,
    Complete,
    Decide,
    Delete,
    Draft,
    Fail,
    FinishDryRun,
    Freeze,
    Judge,
    NoteSample,
    Pause,
    Rate,
    RemoveRecipients,
    Resume,
    Schedule,
    Stop,
    Test,
    Tick,
    Unschedule,
)
from shared.contracts import ranges, windows
from shared.contracts.commands import Refusal
from shared.contracts.envelope import DomainEvent
from shared.contracts.mailing import (
    ApprovalWithdrawn,
    DoubtDecided,
    DryRunFinished,
    MailingApproved,
    MailingCancelled,
    MailingCompleted,
    MailingDeleted,
    MailingEdited,
    MailingFailed,
    MailingPaused,
    MailingResumed,
    MailingScheduled,
    MailingUnscheduled,
    RateChanged,
    SampleSent,
    SendingStarted,
    WindowClosed,
    WindowOpened,
    WinnerChosen,
)

__all__ = ("FINAL", "Mailing", "MailingDecider", "Status", "no_dry_run")

LATE = "late"
"""How the reason begins of what became of a start that was found too late."""

Decision = list[DomainEvent] | Refusal
_CHANGES = (MailingEdited, MailingScheduled, MailingUnscheduled)
"""These change what was approved."""


class MailingDecider:
    """Decider of one mailing."""

    def initial(self) -> Mailing:
        """Return the state before the first event."""
        return Mailing()

    def evolve(self, state: Mailing, event: DomainEvent) -> Mailing:
        """Fold one event."""
        return state.model_copy(update=changes(state, event))

    def decide(self, state: Mailing, command: Command) -> Decision:
        """Return the events of `command`, or why it must not be."""
        decision = self._decide(state, command)
        if state.approved and isinstance(decision, list) and any(isinstance(event, _CHANGES) for event in decision):
            return [ApprovalWithdrawn(), *decision]
        return decision

    def _decide(self, state: Mailing, command: Command) -> Decision:
        if isinstance(command, Draft):
            return _draft(state, command)
        if state.status == "none":
            return Refusal(code="mailing_unknown", message="There is no such mailing.", field="mailing")
        if state.status == "deleted":
            repeated = isinstance(command, Delete | Tick | Complete | Fail | Stop)
            return [] if repeated else Refusal(code="mailing_deleted", message="The mailing was deleted.")
        match command:
            case Choose() | AddRecipients() | RemoveRecipients():
                if state.status != "planned":
                    return Refusal(code="audience_fixed", message="The audience is fixed: withdraw the start first.")
                return choosing.decide(state.chosen, command)
            case Freeze() | FinishDryRun() | Schedule() | Approve() | Unschedule() | Tick() | Test():
                return _before(state, command)
            case NoteSample() | Judge() | ChooseVersion():
                return _ab_test(state, command)
            case _:
                return _running(state, command)


def _draft(state: Mailing, command: Draft) -> Decision:
    wanted = command.drafted
    if command.edit and state.status == "none":
        return Refusal(code="mailing_unknown", message="There is no such mailing.", field="mailing")
    if state.draft is not None and state.draft == wanted and not state.started:
        return []
    if not command.edit and state.status != "none":
        return Refusal(code="mailing_exists", message="The mailing was already drafted otherwise.")
    if state.started or state.status in FINAL:
        return Refusal(code="mailing_started", message="Its content is fixed since sending started.", field="mailing")
    closed = command.campaign.refusal(command.today)
    if closed is not None:
        return closed
    if state.draft is not None and state.draft.campaign != wanted.campaign:
        return Refusal(code="campaign_fixed", message="A mailing stays in its campaign.", field="campaign")
    refusal = command.account.refusal(command.sender)
    if refusal is not None:
        return refusal
    if not command.edit:
        return [wanted]
    edited = MailingEdited(**{name: getattr(wanted, name) for name in MailingEdited.model_fields})
    return [edited] if state.status == "planned" else [MailingUnscheduled(), edited]


def _before(state: Mailing, command: Freeze | FinishDryRun | Schedule | Approve | Unschedule | Tick | Test) -> Decision:
    match command:
        case Freeze():
            return _freeze(state, command)
        case FinishDryRun():
            return _dry_run(state, command.finished)
        case Schedule():
            return _schedule(state, command)
        case Approve():
            return _approve(state, command)
        case Unschedule():
            return _unschedule(state)
        case Tick():
            return _tick(state, command)
        case Test():
            return [] if command.sent.test in state.tests else [command.sent]


def _freeze(state: Mailing, command: Freeze) -> Decision:
    if state.status != "planned":
        return Refusal(code="audience_fixed", message="The audience is fixed: withdraw the start first.")
    known = state.audience
    if known is not None and known.object == command.frozen.object and known.position >= command.frozen.position:
        return []
    return [command.frozen]


def no_dry_run(state: Mailing) -> Refusal | None:
    """Return why there can be no dry run of it now, None where there can."""
    if state.draft is None or state.status == "deleted":
        return Refusal(code="mailing_unknown", message="There is no such mailing.", field="mailing")
    if state.started or state.status in FINAL:
        return Refusal(code="mailing_started", message=f"It is {state.status}: what it says is on its way.")
    if state.audience is None:
        return Refusal(code="audience_missing", message="Freeze the audience first.", field="mailing")
    if state.audience.recipients == 0:
        return Refusal(code="audience_empty", message="Nobody would get it: all contacts were left out.")
    if state.approved:
        return Refusal(code="mailing_approved", message="It was approved as it is: withdraw the start to look again.")
    return None


def _dry_run(state: Mailing, finished: DryRunFinished) -> Decision:
    if state.dry_run == finished:
        return []
    refusal = no_dry_run(state)
    if refusal is not None or state.draft is None or state.audience is None:
        return refusal or []
    if (finished.content, finished.object) != (state.said, state.audience.object):
        return Refusal(code="plan_changed", message="It is another one by now: run it dry again.", field="mailing")
    return [finished]


def _schedule(state: Mailing, command: Schedule) -> Decision:
    wanted = command.wanted
    if state.started or state.status not in ("planned", "scheduled", "paused", "failed"):
        return Refusal(code="mailing_started", message=f"It is {state.status}: a start can no longer be set.")
    refusal = schedule.problem(wanted.hours, wanted.zone)
    if refusal is not None:
        return refusal
    at = command.now if wanted.at is None else windows.instant(wanted.at, wanted.zone)
    deadline = None if wanted.deadline is None else windows.instant(wanted.deadline, wanted.zone)
    ends = schedule.last_instant(command.campaign, wanted.zone)
    deadline = min(filter(None, (deadline, ends)), default=None)
    asks = command.campaign.opened is not None and command.campaign.opened.approval
    scheduled = MailingScheduled(
        at=at, zone=wanted.zone, hours=wanted.hours, deadline=deadline, late=wanted.late, approval=asks
    )
    before = state.schedule
    if state.status == "scheduled" and before is not None:
        same = before.model_copy(update={"at": at}) == scheduled
        if same and (before.at == at or (wanted.at is None and before.at <= at)):
            return []
    if state.audience is None:
        return Refusal(code="audience_missing", message="Freeze the audience first.", field="mailing")
    if state.audience.recipients == 0:
        return Refusal(code="audience_empty", message="Nobody would get it: all contacts were left out.")
    if state.draft is not None and state.draft.ab_test is not None and not state.audience.sample:
        message = "It has fewer recipients than versions: take the A/B test out, or freeze a larger audience."
        return Refusal(code="sample_too_small", message=message, field="ab_test")
    zones = state.model_copy(update={"schedule": scheduled}).zones
    untimely = schedule.untimely(scheduled, zones, command.campaign, command.now)
    return untimely or command.account.refusal() or [scheduled]


def _approve(state: Mailing, command: Approve) -> Decision:
    if state.started or state.schedule is None or not state.schedule.approval:
        return Refusal(code="approval_not_asked", message="Nothing of it waits for an approval.", field="mailing")
    if command.plan != state.plan:
        return Refusal(code="plan_changed", message="The plan is another one by now: look at it again.", field="plan")
    if not command.second:
        return Refusal(code="approval_own", message="Somebody else has to approve of it: you had a part in it.")
    waits = state.status == "paused" and state.reason.startswith(NOT_APPROVED)
    approved = [] if state.approved == state.plan else [MailingApproved(plan=state.plan)]
    return [*approved, *([MailingResumed()] if waits else [])]


def _ab_test(state: Mailing, command: NoteSample | Judge | ChooseVersion) -> Decision:
    test = state.draft.ab_test if state.draft is not None else None
    if isinstance(command, ChooseVersion):
        return _by_hand(state, command)
    if test is None or state.status != "sending" or state.winner:
        return []
    if isinstance(command, NoteSample):
        at = None if test.by == "hand" else command.now + timedelta(minutes=test.wait_minutes)
        return [] if state.sampled else [SampleSent(decides_at=at)]
    over = state.schedule is not None and state.schedule.deadline is not None and state.schedule.deadline <= command.now
    due = state.decides_at is not None and state.decides_at <= command.now
    if not over and not due:
        return []
    by = test.by if due and test.by != "hand" else "deadline"
    return [WinnerChosen(version=best(command.figures, test.by), by=by, figures=dict(command.figures))]


def _by_hand(state: Mailing, command: ChooseVersion) -> Decision:
    version = command.version
    test = state.draft.ab_test if state.draft is not None else None
    if test is None:
        return Refusal(code="no_ab_test", message="It has no A/B test.", field="mailing")
    if version not in test.letters:
        message = f"There is no version {version}: choose one of {', '.join(test.letters)}."
        return Refusal(code="version_unknown", message=message, field="version")
    if state.winner:
        chosen = Refusal(code="winner_chosen", message=f"Version {state.winner} was chosen before.", field="version")
        return [] if state.winner == version else chosen
    if not state.started or state.status in FINAL:
        return Refusal(code="mailing_not_running", message=f"It is {state.status}: there is nothing to choose.")
    return [WinnerChosen(version=version, by="hand", figures=dict(command.figures))]


def _unschedule(state: Mailing) -> Decision:
    if state.status == "planned":
        return []
    if state.started or state.status not in ("scheduled", "paused", "failed"):
        return Refusal(code="mailing_started", message=f"It is {state.status}: there is no start to withdraw.")
    return [MailingUnscheduled()]


def _tick(state: Mailing, command: Tick) -> Decision:
    due, planned = state.due, state.schedule
    if due is None or planned is None or due > command.now:
        return []
    if state.status == "scheduled":
        refusal = command.account.refusal()
        if refusal is not None:
            return [MailingFailed(reason=f"{refusal.code}: {refusal.message}")]
        if planned.deadline is not None and planned.deadline <= command.now:
            return [MailingFailed(reason="deadline_passed: its deadline passed before the start")]
        if state.forbidden:
            return [MailingPaused(reason=f"{NOT_APPROVED}: its start was due at {due:%Y-%m-%d %H:%M} UTC")]
        if planned.late != "send" and not state.may_be_late and command.now - due > schedule.TOO_LATE:
            reason = f"{LATE}: its start was due at {due:%Y-%m-%d %H:%M} UTC"
            return [MailingPaused(reason=reason) if planned.late == "ask" else MailingCancelled(reason=reason)]
    window = windows.window_of(planned, state.zones, command.now)
    if not window.holds(command.now):
        return [WindowClosed(opens=window.opens)] if state.status == "sending" else []
    if state.status == "scheduled":
        return [SendingStarted(until=window.closes)]
    return [] if window.closes is None else [WindowOpened(until=window.closes)]


def _running(state: Mailing, command: Command) -> Decision:  # noqa: C901 - one return a rule
    match command:
        case Pause():
            return _pause(state, command)
        case Resume():
            return _resume(state, command)
        case Cancel():
            if state.status == "completed":
                return Refusal(code="mailing_completed", message="It is completed: nothing is left to cancel.")
            return [] if state.status == "cancelled" else [MailingCancelled(reason=command.reason)]
        case Rate():
            if state.status in FINAL:
                return Refusal(code=f"mailing_{state.status}", message="Nothing goes out any more.")
            return [] if state.limits == command.limits else [RateChanged(limits=command.limits)]
        case Decide():
            return _decide_doubt(state, command)
        case Complete():
            done = state.started and state.status not in FINAL
            totals = command.totals
            return [MailingCompleted(totals=totals, in_doubt=totals.get("in_doubt", 0))] if done else []
        case Fail():
            stands = state.status in ("sending", "waiting") and state.resumes == command.resumes
            return [MailingFailed(reason=command.reason)] if stands else []
        case Stop():
            stands = state.status in ("sending", "waiting") and state.resumes == command.resumes
            return [MailingPaused(reason=command.reason)] if stands else []
        case _:
            if state.status in ("scheduled", "sending", "waiting") or (state.started and state.status not in FINAL):
                return Refusal(code="mailing_running", message="Cancel it before it is deleted.")
            return [MailingDeleted()]


def _pause(state: Mailing, command: Pause) -> Decision:
    if state.status == "paused":
        return []
    if state.status not in ("scheduled", "sending", "waiting"):
        return Refusal(code="mailing_not_running", message=f"It is {state.status}: there is nothing to pause.")
    return [MailingPaused(reason=command.reason)]


def _resume(state: Mailing, command: Resume) -> Decision:
    if state.status in ("scheduled", "sending", "waiting"):
        return []
    if state.status not in ("paused", "failed") or state.schedule is None:
        return Refusal(code="mailing_not_paused", message=f"It is {state.status}: there is nothing to resume.")
    refusal = command.account.refusal()
    if refusal is not None:
        return refusal
    if not state.started:
        wants = Refusal(code="approval_missing", message="Somebody has to approve of it first.", field="mailing")
        return wants if state.forbidden else [MailingResumed()]
    window = windows.window_of(state.schedule, state.zones, command.now)
    if window.holds(command.now):
        return [MailingResumed(until=window.closes)]
    return [MailingResumed(until=command.now), WindowClosed(opens=window.opens)]


def _decide_doubt(state: Mailing, command: Decide) -> Decision:
    try:
        indexes = frozenset(ranges.unpack(command.indexes))
    except ValueError:  # refused: the text is no set of indexes
        return Refusal(code="indexes_invalid", message="Write indexes like 0-4,7.", field="indexes")
    if not indexes:
        return Refusal(code="indexes_invalid", message="Name at least one recipient.", field="indexes")
    made = [each for each in state.decided if each[0] == command.n]
    unknown = indexes - command.open_doubts
    if (unknown or len(made) > command.known) and (command.n, ranges.pack(indexes), command.decision) in made:
        return []
    if len(made) > command.known:
        return Refusal(code="decided_meanwhile", message="Another decision came first: look again.", field="indexes")
    if unknown:
        message = f"Recipients {ranges.pack(unknown)} of chunk {command.n} are not in doubt."
        return Refusal(code="not_in_doubt", message=message, field="indexes")
    return [DoubtDecided(n=command.n, indexes=ranges.pack(indexes), decision=command.decision)]
