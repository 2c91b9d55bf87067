"""Random orders to a mailing keep its invariants."""

from datetime import UTC, datetime, time, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from services.planner.mailings import orders
from services.planner.mailings.mailing import FINAL, Mailing, MailingDecider
from shared.contracts.account import Limits
from shared.contracts.commands import Refusal, ScheduleMailing
from shared.contracts.envelope import DomainEvent
from shared.contracts.mailing import SendingStarted, TestSent, WindowOpened
from shared.contracts.mailing_settings import SendingHours
from tests.spec.planner.test_planner_mailing import BROKEN, DRAFT, FROZEN, WORKING, draft

START = datetime(2026, 3, 27, 6, tzinfo=UTC)
HOURS = SendingHours(start=time(9), end=time(17), weekdays=[0, 1, 2, 3, 4])


def order(kind: str, now: datetime, chance: int) -> orders.Command:
    """Return one order at a time."""
    account = BROKEN if chance % 7 == 0 else WORKING
    hours = HOURS if chance % 2 else None
    wanted = ScheduleMailing(mailing="m", zone="Europe/Prague", hours=hours)
    possible: dict[str, orders.Command] = {
        "edit": draft(drafted=DRAFT.model_copy(update={"subject": str(chance)}), edit=True),
        "freeze": orders.Freeze(FROZEN.model_copy(update={"recipients": chance % 4})),
        "schedule": orders.Schedule(wanted, now, account),
        "unschedule": orders.Unschedule(),
        "tick": orders.Tick(now, account),
        "pause": orders.Pause(),
        "resume": orders.Resume(now, account),
        "cancel": orders.Cancel(),
        "rate": orders.Rate(Limits(per_hour=1 + chance)),
        "test": orders.Test(TestSent(test=str(chance % 3), recipients=1)),
        "complete": orders.Complete({"accepted": 1}),
        "fail": orders.Fail("x"),
        "delete": orders.Delete(),
    }
    return possible[kind]


KINDS = (
    "edit freeze schedule unschedule tick tick tick pause resume cancel rate test complete fail delete".split()  # noqa: SIM905 - reads as a list of words
)
STEPS = st.lists(st.tuples(st.sampled_from(KINDS), st.integers(0, 30), st.integers(0, 40)), max_size=40)


@settings(max_examples=400, deadline=None)
@given(STEPS)
def test_whatever_is_ordered_the_invariants_hold(steps: list[tuple[str, int, int]]) -> None:
    """Final stays final, nothing starts without recipients, content stays fixed, and no order acts twice."""
    decider, now = MailingDecider(), START
    state = decider.evolve(decider.initial(), DRAFT)
    for kind, hours, chance in steps:
        now += timedelta(hours=hours)
        command = order(kind, now, chance)
        decision = decider.decide(state, command)
        if isinstance(decision, Refusal):
            continue
        before = state
        for event in decision:
            state = decider.evolve(state, event)
            assert Mailing.model_validate_json(state.model_dump_json()) == state
        again = decider.decide(state, command)
        assert isinstance(again, Refusal) or again == [], (command, again)
        _assert_sound(before, state, decision, now)


def _assert_sound(before: Mailing, state: Mailing, events: list[DomainEvent], now: datetime) -> None:
    if before.status in FINAL and before.status != state.status:
        assert state.status == "deleted"
    if before.started:
        assert state.started
        assert state.draft == before.draft
        assert state.audience == before.audience
    if state.status in ("scheduled", "sending", "waiting"):
        assert state.audience is not None
        assert state.audience.recipients > 0
        assert state.schedule is not None
    if any(isinstance(event, SendingStarted | WindowOpened) for event in events):
        assert state.status == "sending"
        assert state.until is None or state.until > now
